// The table of replicas.
import type { Replicas } from '../replicas.ts'
import { text } from '../row.ts'
import type { Sql } from '../sql.ts'

const BEAT = `INSERT INTO replicas (id, address, expires_at) VALUES ($1, $2, $3)
  ON CONFLICT (id) DO UPDATE SET address = excluded.address, expires_at = excluded.expires_at`
const FIND = 'SELECT id, address FROM replicas WHERE id = $1 AND expires_at > $2'
const LEAVE = 'DELETE FROM replicas WHERE id = $1'

export function replicas(sql: Sql): Replicas {
  return {
    async beat({ id, address }, expiresAt) {
      await sql.run(BEAT, [id, address, expiresAt])
    },
    async find(id, now) {
      const [row] = (await sql.run(FIND, [id, now])).rows
      return row && { id: text(row, 'id'), address: text(row, 'address') }
    },
    async leave(id) {
      await sql.run(LEAVE, [id])
    },
  }
}
