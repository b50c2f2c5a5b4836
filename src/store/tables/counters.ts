// The table of counters. A window opens with its first hit, lasts its length and is not prolonged by later hits.
import type { Counters } from '../ephemeral.ts'
import { number } from '../row.ts'
import type { Sql } from '../sql.ts'

const HIT = `INSERT INTO counters (name, window_ms, hits, ends_at) VALUES ($1, $2, $3, $4)
  ON CONFLICT (name, window_ms) DO UPDATE SET
    hits = CASE WHEN counters.ends_at > $5 THEN counters.hits + excluded.hits ELSE excluded.hits END,
    ends_at = CASE WHEN counters.ends_at > $5 THEN counters.ends_at ELSE excluded.ends_at END
  RETURNING hits`
const READ = 'SELECT hits FROM counters WHERE name = $1 AND window_ms = $2 AND ends_at > $3'
const RESET = 'DELETE FROM counters WHERE name = $1'

export function counters(sql: Sql): Counters {
  return {
    async hit(key, windowMs, now, by = 1) {
      const [row] = (await sql.run(HIT, [key, windowMs, by, now + windowMs, now])).rows
      if (row === undefined) throw new Error('The hit of a counter answered nothing.')
      return number(row, 'hits')
    },
    async read(key, windowMs, now) {
      const [row] = (await sql.run(READ, [key, windowMs, now])).rows
      return row === undefined ? 0 : number(row, 'hits')
    },
    async reset(key) {
      await sql.run(RESET, [key])
    },
  }
}
