// The table of OAuth clients (RFC 7591).
import type { ClientRecord, Clients } from '../durable.ts'
import { number, optionalNumber, parseObject, type Row, text } from '../row.ts'
import type { Sql } from '../sql.ts'

// A change of metadata (RFC 7592 §2.2) neither renews the client's age nor makes it unused again.
const SAVE = `INSERT INTO clients (id, metadata, created_at) VALUES ($1, $2, $3)
  ON CONFLICT (id) DO UPDATE SET metadata = excluded.metadata`
const FIND = 'SELECT id, metadata, created_at, used_at FROM clients WHERE id = $1'
const REMOVE = 'DELETE FROM clients WHERE id = $1'
const MARK_USED = 'UPDATE clients SET used_at = $2 WHERE id = $1 AND used_at IS NULL'
const REMOVE_NEVER_USED = 'DELETE FROM clients WHERE used_at IS NULL AND created_at < $1'
// Registration tokens have no end of their own; their `uid` is the client.
const REMOVE_TOKENS = `DELETE FROM artifacts WHERE kind = 'RegistrationAccessToken'
  AND uid IN (SELECT id FROM clients WHERE used_at IS NULL AND created_at < $1)`
const COUNT = 'SELECT count(*) AS n FROM clients'

export function clients(sql: Sql): Clients {
  return {
    async save({ id, metadata, createdAt }) {
      await sql.run(SAVE, [id, JSON.stringify(metadata), createdAt])
    },
    async find(id) {
      const [row] = (await sql.run(FIND, [id])).rows
      return row && client(row)
    },
    async remove(id) {
      await sql.run(REMOVE, [id])
    },
    async markUsed(id, at) {
      await sql.run(MARK_USED, [id, at])
    },
    async removeNeverUsed(before) {
      await sql.run(REMOVE_TOKENS, [before])
      return (await sql.run(REMOVE_NEVER_USED, [before])).changes
    },
    async count() {
      const [row] = (await sql.run(COUNT, [])).rows
      return row ? number(row, 'n') : 0
    },
  }
}

const client = (row: Row): ClientRecord => ({
  id: text(row, 'id'),
  metadata: parseObject(row, 'metadata'),
  createdAt: number(row, 'created_at'),
  usedAt: optionalNumber(row, 'used_at'),
})
