// The table of one-time tickets. Taking is deleting: of any number of racers one gets the row.
import type { Tickets } from '../ephemeral.ts'
import { parseObject } from '../row.ts'
import type { Sql } from '../sql.ts'

const PUT = `INSERT INTO tickets (kind, id_hash, payload, expires_at) VALUES ($1, $2, $3, $4)
  ON CONFLICT (kind, id_hash) DO UPDATE SET payload = excluded.payload, expires_at = excluded.expires_at`
const FIND = 'SELECT payload FROM tickets WHERE kind = $1 AND id_hash = $2 AND expires_at > $3'
const TAKE = 'DELETE FROM tickets WHERE kind = $1 AND id_hash = $2 AND expires_at > $3 RETURNING payload'

export function tickets(sql: Sql): Tickets {
  const payload = async (statement: string, kind: string, idHash: string, now: number) => {
    const [row] = (await sql.run(statement, [kind, idHash, now])).rows
    return row && parseObject(row, 'payload')
  }
  return {
    async put({ kind, idHash, payload, expiresAt }) {
      await sql.run(PUT, [kind, idHash, JSON.stringify(payload), expiresAt])
    },
    find: (kind, idHash, now) => payload(FIND, kind, idHash, now),
    take: (kind, idHash, now) => payload(TAKE, kind, idHash, now),
  }
}
