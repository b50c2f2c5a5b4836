// Every variable and flag of the five systems whose setups work here, as ONE table. Documentation and tests walk it.
import type { VariableRow } from './seed-rows.ts'
import { LATER, LATER_FLAGS } from './seeds-later.ts'
import { WORKING, WORKING_FLAGS } from './seeds-working.ts'

export const VARIABLES: readonly VariableRow[] = [...WORKING, ...LATER]
export const SEED_ROWS: readonly VariableRow[] = [...VARIABLES, ...WORKING_FLAGS, ...LATER_FLAGS]
/** Rows by Go-style flag, without the dash. */
export const SEED_FLAGS: ReadonlyMap<string, VariableRow> = new Map(
  SEED_ROWS.flatMap((row) => (row.flag === undefined ? [] : [[row.flag, row] as const])),
)
