// The tables of tool definitions: what was approved, what was seen last.
import { number, optionalText, type Row, text } from '../row.ts'
import type { Act, Sql } from '../sql.ts'
import type { ToolPin, ToolPins } from '../tool-pins.ts'

const COLUMNS = 'server, tool, pinned, seen, seen_at'
const EPOCH = "SELECT n FROM epochs WHERE name = 'tool_pins'"
const NUMBER = "UPDATE epochs SET n = n + 1 WHERE name = 'tool_pins'"
const LIST = `SELECT ${COLUMNS} FROM tool_pins ORDER BY server, tool`
const FIND = `SELECT ${COLUMNS}, pinned_text, seen_text FROM tool_pins WHERE server = $1 AND tool = $2`
// Answers a row only where something changed, so that of several replicas one tells of it.
const SAW = `INSERT INTO tool_pins (server, tool, seen, seen_text, seen_at, pinned, pinned_text)
  SELECT $1, $2, $3, $4, $5,
    CASE WHEN $6 = 1 OR fresh THEN $3 END, CASE WHEN $6 = 1 OR fresh THEN $4 END
  FROM (SELECT NOT EXISTS (SELECT 1 FROM seen_servers WHERE server = $1) AS fresh) AS sight
  WHERE true
  ON CONFLICT (server, tool) DO UPDATE SET seen = excluded.seen, seen_text = excluded.seen_text, seen_at = excluded.seen_at
    WHERE tool_pins.seen <> excluded.seen
  RETURNING ${COLUMNS}`
const SIGHT = 'INSERT INTO seen_servers (server, seen_at) VALUES ($1, $2) ON CONFLICT (server) DO NOTHING'
const APPROVE = `UPDATE tool_pins SET pinned = seen, pinned_text = seen_text
  WHERE server = $1 AND tool = $2 AND seen = $3`

export function toolPins(sql: Sql): ToolPins {
  return {
    async epoch() {
      const [row] = (await sql.run(EPOCH, [])).rows
      if (row === undefined) throw new Error('The counter row of tool pins is missing.')
      return number(row, 'n')
    },
    async list() {
      return (await sql.run(LIST, [])).rows.map(pin)
    },
    async find(server, tool) {
      const [row] = (await sql.run(FIND, [server, tool])).rows
      return row && { ...pin(row), pinnedText: optionalText(row, 'pinned_text'), seenText: text(row, 'seen_text') }
    },
    async saw(server, tools, { pinNew, at }) {
      const seen = tools.map(
        ({ name, digest, text: definition }): Act => ({
          text: SAW,
          values: [server, name, digest, definition, at, pinNew ? 1 : 0],
        }),
      )
      const [, ...outcomes] = await sql.together([
        { text: NUMBER, values: [] },
        ...seen,
        { text: SIGHT, values: [server, at] },
      ])
      return outcomes.flatMap(({ rows }) => rows.map(pin))
    },
    async approve(server, tool, digest) {
      const [, approved] = await sql.together([
        { text: NUMBER, values: [] },
        { text: APPROVE, values: [server, tool, digest] },
      ])
      return approved?.changes === 1
    },
  }
}

const pin = (row: Row): ToolPin => ({
  server: text(row, 'server'),
  tool: text(row, 'tool'),
  pinned: optionalText(row, 'pinned'),
  seen: text(row, 'seen'),
  seenAt: number(row, 'seen_at'),
})
