// The table of replay marks (RFC 9449 §11.1 and other `jti`): the first to come is told so, everyone later is not.
import type { Marks } from '../ephemeral.ts'
import type { Sql } from '../sql.ts'

const MARK = `INSERT INTO marks (mark, expires_at) VALUES ($1, $2)
  ON CONFLICT (mark) DO UPDATE SET expires_at = excluded.expires_at WHERE marks.expires_at <= $3`
const IS_SEEN = 'SELECT 1 AS found FROM marks WHERE mark = $1 AND expires_at > $2'

export function marks(sql: Sql): Marks {
  return {
    markSeen: async (key, expiresAt, now) => (await sql.run(MARK, [key, expiresAt, now])).changes === 1,
    isSeen: async (key, now) => (await sql.run(IS_SEEN, [key, now])).rows.length > 0,
  }
}
