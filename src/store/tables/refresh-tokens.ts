// The table of refresh tokens and their rotation (RFC 9700 §4.14.2). Consumed ones stay until they expire: they betray a thief.
import type { RefreshRecord, RefreshTokens, Rotation, StoredRefresh } from '../durable.ts'
import { number, optionalNumber, optionalText, parseObject, type Row, text } from '../row.ts'
import type { Act, Sql } from '../sql.ts'

/** Where the databases differ. */
export interface RefreshActs {
  /** Inserts, unless the family is not there: revoked while the token was being made, it takes no token. */
  add(record: RefreshRecord): Act[]
  /** Consumes the old token and inserts the next; the last act's changes say whether it won. */
  rotate(act: { oldHash: string; next: RefreshRecord; now: number }): Act[]
}

const FIND = `SELECT r.id_hash, r.family, r.family_secret, r.payload, r.expires_at, r.consumed_at, r.successor_hash,
    s.id_hash AS successor, s.consumed_at AS successor_consumed_at
  FROM refresh_tokens r LEFT JOIN refresh_tokens s ON s.id_hash = r.successor_hash
  WHERE r.id_hash = $1 AND r.expires_at > $2`

export function refreshTokens({ sql, acts }: { sql: Sql; acts: RefreshActs }): RefreshTokens {
  const find = async (idHash: string, now: number): Promise<Row | undefined> =>
    (await sql.run(FIND, [idHash, now])).rows[0]
  return {
    async add(record) {
      await sql.together(acts.add(record))
    },
    async find(idHash, now) {
      const row = await find(idHash, now)
      return row && stored(row)
    },
    async rotate({ oldHash, next, now, windowStart }) {
      const won = (await sql.together(acts.rotate({ oldHash, next, now }))).at(-1)?.changes === 1
      if (won) return { status: 'rotated' }
      return lost({ old: await find(oldHash, now), nextHash: next.idHash, windowStart })
    },
  }
}

/** What became of a rotation that another one, or a revocation, was faster than. */
function lost({
  old,
  nextHash,
  windowStart,
}: {
  old: Row | undefined
  nextHash: string
  windowStart: number
}): Rotation {
  const consumedAt = old && optionalNumber(old, 'consumed_at')
  if (old === undefined || consumedAt === undefined) return { status: 'unknown' }
  const same = optionalText(old, 'successor_hash') === nextHash
  const unused = old['successor'] !== null && old['successor_consumed_at'] === null
  return { status: same && unused && consumedAt >= windowStart ? 'retried' : 'reused' }
}

const stored = (row: Row): StoredRefresh => ({
  idHash: text(row, 'id_hash'),
  family: text(row, 'family'),
  familySecret: text(row, 'family_secret'),
  payload: parseObject(row, 'payload'),
  expiresAt: number(row, 'expires_at'),
  consumedAt: optionalNumber(row, 'consumed_at'),
  successorUsed: row['successor_consumed_at'] !== null,
})
