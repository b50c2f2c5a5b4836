// What a segment of the record is called. While it grows, its name says when it was begun and by which writer; once it is full, also the
// first and the last id in it, so that a reader opens only what it needs.

/** Changes with what a line looks like. In 1 no line named another. */
const FORMAT = 2
const NAME = /^(\d{13})-([0-9a-f]{8})(?:,([^,]+),([^,]+))?\.v(\d+)$/

export interface SegmentName {
  /** The same while it grows and afterwards. */
  readonly key: string
  readonly file: string
  /** First and last id; `undefined` while it grows. */
  readonly range: IdRange | undefined
}

export interface IdRange {
  readonly first: string
  readonly last: string
}

export function nameSegment(begun: number, writer: string, range?: IdRange): string {
  const key = `${String(begun).padStart(13, '0')}-${writer}`
  const within = range === undefined ? '' : `,${encodeURIComponent(range.first)},${encodeURIComponent(range.last)}`
  return `${key}${within}.v${FORMAT}`
}

/** `undefined`: not a segment of ours. */
export function readSegmentName(file: string): SegmentName | undefined {
  const [, begun, writer, first, last, format] = NAME.exec(file) ?? []
  if (begun === undefined || !(Number(format) <= FORMAT)) return undefined
  const range =
    first === undefined || last === undefined
      ? undefined
      : { first: decodeURIComponent(first), last: decodeURIComponent(last) }
  return { key: `${begun}-${writer}`, file, range }
}

export const isOfLaterFormat = (file: string): boolean => Number(NAME.exec(file)?.[5] ?? 0) > FORMAT
