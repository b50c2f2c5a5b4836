// The table of counters. A window opens with its first hit, lasts its length and is not prolonged by later hits.
import type { Counters } from '../ephemeral.ts'
import { number } from '../row.ts'
import type { Sql } from '../sql.ts'

const HIT = `INSERT INTO counters (name, window_ms, hits, ends_at) VALUES ($1, $2, 1, $3)
  ON CONFLICT (name, window_ms) DO UPDATE SET
    hits = CASE WHEN counters.ends_at > $4 THEN counters.hits + 1 ELSE 1 END,
    ends_at = CASE WHEN counters.ends_at > $4 THEN counters.ends_at ELSE excluded.ends_at END
  RETURNING hits`
const RESET = 'DELETE FROM counters WHERE name = $1'

export function counters(sql: Sql): Counters {
  return {
    async hit(key, windowMs, now) {
      const [row] = (await sql.run(HIT, [key, windowMs, now + windowMs, now])).rows
      if (row === undefined) throw new Error('The hit of a counter answered nothing.')
      return number(row, 'hits')
    },
    async reset(key) {
      await sql.run(RESET, [key])
    },
  }
}
