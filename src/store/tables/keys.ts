// The table of our own keys.
import type { KeyRecord, Keys, KeyUse } from '../durable.ts'
import { number, optionalNumber, type Row, text } from '../row.ts'
import type { Sql, Value } from '../sql.ts'

const COLUMNS = 'id, key_use, material, created_at, active_at, retire_at'
const LIST = `SELECT ${COLUMNS} FROM keyring WHERE key_use = $1 ORDER BY active_at, id`
// Racers queue at this row until the one before has committed, and then see its key.
const QUEUE = "UPDATE epochs SET n = n + 1 WHERE name = 'keys'"
const ENSURE = `INSERT INTO keyring (${COLUMNS}) SELECT $1, $2, $3, $4, $5, $6
  WHERE NOT EXISTS (SELECT 1 FROM keyring WHERE key_use = $2)`
const ADD = `INSERT INTO keyring (${COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6)`
const REPLACE_MATERIAL = 'UPDATE keyring SET material = $3 WHERE id = $1 AND material = $2'
const RETIRE = 'UPDATE keyring SET retire_at = $2 WHERE id = $1'

export function keys(sql: Sql): Keys {
  const list = async (use: KeyUse): Promise<KeyRecord[]> => (await sql.run(LIST, [use])).rows.map(key)
  return {
    list,
    async ensure(made) {
      const present = await list(made.use)
      if (present.length > 0) return present
      await sql.together([
        { text: QUEUE, values: [] },
        { text: ENSURE, values: columns(made) },
      ])
      return list(made.use)
    },
    async add(made) {
      await sql.run(ADD, columns(made))
    },
    async replaceMaterial(id, from, to) {
      return (await sql.run(REPLACE_MATERIAL, [id, from, to])).changes === 1
    },
    async retire(id, at) {
      await sql.run(RETIRE, [id, at])
    },
  }
}

const columns = (record: KeyRecord): Value[] => [
  record.id,
  record.use,
  record.material,
  record.createdAt,
  record.activeAt,
  record.retireAt ?? null,
]

const key = (row: Row): KeyRecord => ({
  id: text(row, 'id'),
  use: parseUse(text(row, 'key_use')),
  material: text(row, 'material'),
  createdAt: number(row, 'created_at'),
  activeAt: number(row, 'active_at'),
  retireAt: optionalNumber(row, 'retire_at'),
})

function parseUse(use: string): KeyUse {
  if (use === 'signing' || use === 'cookie' || use === 'seal' || use === 'refresh' || use === 'api-token') return use
  throw new TypeError(`The stored key has the unknown use ${use}.`)
}
