// The table of allowances. One statement looks and takes, so that of any number of takers none is given what another has.
import type { Allowances } from '../ephemeral.ts'
import { number } from '../row.ts'
import type { Sql } from '../sql.ts'

// Whole numbers, and said to be: SQLite takes every number of ours for a fraction, and PostgreSQL has to know what it divides.
const WANTED = 'CAST($2 AS bigint)'
const FLOOR = 'CAST($3 AS bigint)'
const CEILING = 'CAST($4 AS bigint)'
const UNIT = 'CAST($5 AS bigint)'
const NOW = `CASE WHEN allowances.level > ${CEILING} THEN ${CEILING} WHEN allowances.level > ${FLOOR} THEN allowances.level ELSE ${FLOOR} END`
const granted = (level: string): string =>
  `CASE WHEN (${CEILING} - ${level}) / ${UNIT} < ${WANTED} THEN (${CEILING} - ${level}) / ${UNIT} ELSE ${WANTED} END`
const TAKE = `INSERT INTO allowances (name, level, granted, expires_at)
  VALUES ($1, ${FLOOR} + (${granted(FLOOR)}) * ${UNIT}, ${granted(FLOOR)}, $6)
  ON CONFLICT (name) DO UPDATE SET
    level = (${NOW}) + (${granted(`(${NOW})`)}) * ${UNIT}, granted = ${granted(`(${NOW})`)}, expires_at = excluded.expires_at
  RETURNING granted, level`

export function allowances(sql: Sql): Allowances {
  return {
    async take({ name, wanted, floor, ceiling, unit, expiresAt }) {
      const [row] = (await sql.run(TAKE, [name, wanted, floor, ceiling, unit, expiresAt])).rows
      if (row === undefined) throw new Error('Taking of an allowance answered nothing.')
      return { granted: number(row, 'granted'), level: number(row, 'level') }
    },
  }
}
