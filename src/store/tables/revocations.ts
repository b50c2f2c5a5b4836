// The table of revocations, numbered by a counter row.
import { CLOCK_GRACE } from '../../protocol/clock.ts'
import type { Revocation, RevocationKind, Revocations } from '../durable.ts'
import { number, type Row, text } from '../row.ts'
import type { Act, Sql } from '../sql.ts'

// The counter's row stays locked until the commit: numbers become visible in their order, and a reader who has seen n
// has seen everything below it. A sequence hands numbers out early and commits them late.
const NUMBER = "UPDATE epochs SET n = n + 1 WHERE name = 'revocations'"
// One row a victim, the later cut winning; its new number brings it to every reader again.
const ADD = `INSERT INTO revocations (kind, value, n, revoked_at, expires_at)
  SELECT $1, $2, n, $3, $4 FROM epochs WHERE name = 'revocations'
  ON CONFLICT (kind, value) DO UPDATE SET
    n = excluded.n,
    revoked_at = CASE WHEN excluded.revoked_at > revocations.revoked_at THEN excluded.revoked_at ELSE revocations.revoked_at END,
    expires_at = CASE WHEN excluded.expires_at > revocations.expires_at THEN excluded.expires_at ELSE revocations.expires_at END
  RETURNING n`
// One statement, so that the number and the entries are of one moment.
const SINCE = `SELECT e.n AS epoch, r.kind, r.value, r.revoked_at, r.expires_at
  FROM epochs e LEFT JOIN revocations r ON r.n > $1 WHERE e.name = 'revocations' ORDER BY r.n`
const REMOVE_EXPIRED = 'DELETE FROM revocations WHERE expires_at <= $1'

/** The acts that number and keep a revocation; the last one answers its number. */
export const revocation = ({ kind, value, at, expiresAt }: Revocation): Act[] => [
  { text: NUMBER, values: [] },
  { text: ADD, values: [kind, value, at, expiresAt] },
]

export function revocations(sql: Sql): Revocations {
  return {
    async add(added) {
      const [row] = (await sql.together(revocation(added))).at(-1)?.rows ?? []
      if (row === undefined) throw new Error('The counter row of revocations is missing.')
      return number(row, 'n')
    },
    async since(epoch) {
      const { rows } = await sql.run(SINCE, [epoch])
      const [first] = rows
      if (first === undefined) throw new Error('The counter row of revocations is missing.')
      return { epoch: number(first, 'epoch'), entries: rows.filter((row) => row['kind'] !== null).map(entry) }
    },
    async removeExpired(now) {
      return (await sql.run(REMOVE_EXPIRED, [now - CLOCK_GRACE])).changes
    },
  }
}

const entry = (row: Row): Revocation => ({
  kind: parseKind(text(row, 'kind')),
  value: text(row, 'value'),
  at: number(row, 'revoked_at'),
  expiresAt: number(row, 'expires_at'),
})

function parseKind(kind: string): RevocationKind {
  if (kind === 'jti' || kind === 'family' || kind === 'client' || kind === 'subject') return kind
  throw new TypeError(`The stored revocation has the unknown kind ${kind}.`)
}
