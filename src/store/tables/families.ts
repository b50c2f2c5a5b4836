// The table of families: the tokens of one authorization, and the unit of revocation (RFC 7009 §2.1, RFC 9700 §4.14.2).
import type { Families, FamilyRecord } from '../durable.ts'
import { number, parseObject, type Row, text } from '../row.ts'
import type { Sql } from '../sql.ts'
import { revocation } from './revocations.ts'

// A family that was revoked meanwhile does not come back because a request that began earlier saves it once more.
const SAVE = `INSERT INTO families (id, subject, client, payload, expires_at)
  SELECT $1, $2, $3, $4, $5 WHERE NOT EXISTS (SELECT 1 FROM revocations WHERE kind = 'family' AND value = $1)
  ON CONFLICT (id) DO UPDATE SET
    subject = excluded.subject, client = excluded.client, payload = excluded.payload, expires_at = excluded.expires_at`
const FIND = 'SELECT id, subject, client, payload, expires_at FROM families WHERE id = $1 AND expires_at > $2'
// The family goes first: a rotation holds its row, so that what it inserts is there for the next statement to delete.
const REMOVE = 'DELETE FROM families WHERE id = $1'
const REMOVE_REFRESH_TOKENS = 'DELETE FROM refresh_tokens WHERE family = $1'
const REMOVE_ARTIFACTS = 'DELETE FROM artifacts WHERE family = $1'

export function families(sql: Sql): Families {
  return {
    async save({ id, subject, client, payload, expiresAt }) {
      await sql.run(SAVE, [id, subject, client, JSON.stringify(payload), expiresAt])
    },
    async find(id, now) {
      const [row] = (await sql.run(FIND, [id, now])).rows
      return row && family(row)
    },
    async revoke(id, at, keepRevocationUntil) {
      await sql.together([
        { text: REMOVE, values: [id] },
        { text: REMOVE_REFRESH_TOKENS, values: [id] },
        { text: REMOVE_ARTIFACTS, values: [id] },
        ...revocation({ kind: 'family', value: id, at, expiresAt: keepRevocationUntil }),
      ])
    },
  }
}

const family = (row: Row): FamilyRecord => ({
  id: text(row, 'id'),
  subject: text(row, 'subject'),
  client: text(row, 'client'),
  payload: parseObject(row, 'payload'),
  expiresAt: number(row, 'expires_at'),
})
