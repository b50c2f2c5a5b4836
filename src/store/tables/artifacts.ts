// The table of the authorization server's short-lived documents: codes, interactions, browser sessions, registration tokens.
import type { Artifact, ArtifactKind, Artifacts } from '../ephemeral.ts'
import { optionalNumber, optionalText, parseObject, type Row, text } from '../row.ts'
import type { Sql } from '../sql.ts'

const COLUMNS = 'id_hash, uid, family, payload, consumed_at, expires_at'
const ALIVE = '(expires_at IS NULL OR expires_at > $3)'
// `consumed_at` is left alone: what was taken once stays taken, whatever is saved over it.
const SAVE = `INSERT INTO artifacts (kind, id_hash, uid, family, payload, expires_at) VALUES ($1, $2, $3, $4, $5, $6)
  ON CONFLICT (kind, id_hash) DO UPDATE SET
    uid = excluded.uid, family = excluded.family, payload = excluded.payload, expires_at = excluded.expires_at`
const FIND = `SELECT ${COLUMNS} FROM artifacts WHERE kind = $1 AND id_hash = $2 AND ${ALIVE}`
const FIND_BY_UID = `SELECT ${COLUMNS} FROM artifacts WHERE kind = $1 AND uid = $2 AND ${ALIVE} LIMIT 1`
const CONSUME = `UPDATE artifacts SET consumed_at = $3
  WHERE kind = $1 AND id_hash = $2 AND consumed_at IS NULL AND ${ALIVE}`
const REMOVE = 'DELETE FROM artifacts WHERE kind = $1 AND id_hash = $2'
const REMOVE_FAMILY = 'DELETE FROM artifacts WHERE family = $1'

/** What a power cut may take: a person signs in again, and no code or credential comes back to life. */
const RELAXED: ReadonlySet<ArtifactKind> = new Set(['Interaction', 'Session'])

export function artifacts({ durable, relaxed }: { durable: Sql; relaxed: Sql }): Artifacts {
  const of = (kind: ArtifactKind): Sql => (RELAXED.has(kind) ? relaxed : durable)
  const find = async (statement: string, kind: ArtifactKind, key: string, now: number) => {
    const [row] = (await of(kind).run(statement, [kind, key, now])).rows
    return row && artifact(kind, row)
  }
  return {
    async save({ kind, idHash, uid, family, payload, expiresAt }) {
      const values = [kind, idHash, uid ?? null, family ?? null, JSON.stringify(payload), expiresAt ?? null]
      await of(kind).run(SAVE, values)
    },
    find: (kind, idHash, now) => find(FIND, kind, idHash, now),
    findByUid: (kind, uid, now) => find(FIND_BY_UID, kind, uid, now),
    async consume(kind, idHash, now) {
      if ((await of(kind).run(CONSUME, [kind, idHash, now])).changes === 1) return 'consumed'
      return (await find(FIND, kind, idHash, now)) === undefined ? 'unknown' : 'replayed'
    },
    async remove(kind, idHash) {
      await of(kind).run(REMOVE, [kind, idHash])
    },
    async removeFamily(family) {
      await durable.run(REMOVE_FAMILY, [family])
    },
  }
}

const artifact = (kind: ArtifactKind, row: Row): Artifact => ({
  kind,
  idHash: text(row, 'id_hash'),
  uid: optionalText(row, 'uid'),
  family: optionalText(row, 'family'),
  payload: parseObject(row, 'payload'),
  consumedAt: optionalNumber(row, 'consumed_at'),
  expiresAt: optionalNumber(row, 'expires_at'),
})
