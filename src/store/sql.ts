// What a table asks of its database. Both speak the same statements: `$1` is a parameter to either, and neither is rewritten.
import type { Row } from './row.ts'

export type Value = string | number | null

export interface Act {
  readonly text: string
  readonly values: readonly Value[]
}

export interface Outcome {
  /** What a SELECT or a RETURNING answers. */
  readonly rows: readonly Row[]
  /** Rows inserted, updated or deleted. */
  readonly changes: number
}

export interface Sql {
  run(text: string, values: readonly Value[]): Promise<Outcome>
  /** One transaction: in this order, all of them or none. */
  together(acts: readonly Act[]): Promise<Outcome[]>
}
