// Rows → values. A column of the wrong type is a damaged database, and is never passed on as if it were right.

export type Row = Readonly<Record<string, unknown>>

export function text(row: Row, column: string): string {
  const value = row[column]
  if (typeof value !== 'string') throw wrongType(column)
  return value
}

export function number(row: Row, column: string): number {
  const value = row[column]
  if (typeof value !== 'number') throw wrongType(column)
  return value
}

export const optionalText = (row: Row, column: string): string | undefined =>
  row[column] === null ? undefined : text(row, column)

export const optionalNumber = (row: Row, column: string): number | undefined =>
  row[column] === null ? undefined : number(row, column)

/** 0 and 1: the one spelling of a fact that both databases have. */
export const flag = (row: Row, column: string): boolean => number(row, column) === 1

export function parseObject(row: Row, column: string): Record<string, unknown> {
  const value: unknown = JSON.parse(text(row, column))
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrongType(column)
  return value as Record<string, unknown>
}

export function parseTexts(row: Row, column: string): string[] {
  const value: unknown = JSON.parse(text(row, column))
  if (!Array.isArray(value) || !value.every((entry) => typeof entry === 'string')) throw wrongType(column)
  return value
}

const wrongType = (column: string) => new TypeError(`The stored column ${column} does not hold what it should.`)
