// Deletes what has expired, in bites small enough that no other write waits for long.
import { CLOCK_GRACE } from '../../protocol/clock.ts'
import type { Sql } from '../sql.ts'

const BITE = 500

const sweeping = (table: string, key: string, expiry: string, grace = 0) => ({
  grace,
  text: `DELETE FROM ${table} WHERE (${key}) IN (SELECT ${key} FROM ${table} WHERE ${expiry} <= $1 ORDER BY ${expiry} LIMIT $2)`,
})

const SWEEPS = [
  sweeping('artifacts', 'kind, id_hash', 'expires_at'),
  sweeping('tickets', 'kind, id_hash', 'expires_at'),
  sweeping('marks', 'mark', 'expires_at', CLOCK_GRACE),
  sweeping('counters', 'name, window_ms', 'ends_at'),
  sweeping('allowances', 'name', 'expires_at'),
  sweeping('replicas', 'id', 'expires_at'),
  // Whoever ends the sessions themselves ends these with them; what a crash left between the two goes here.
  sweeping('session_legs', 'session, server', 'expires_at'),
  sweeping('refresh_tokens', 'id_hash', 'expires_at'),
  sweeping('families', 'id', 'expires_at'),
]

export async function sweep(sql: Sql, now: number): Promise<number> {
  let removed = 0
  for (const { text, grace } of SWEEPS) removed += (await sql.run(text, [now - grace, BITE])).changes
  return removed
}
