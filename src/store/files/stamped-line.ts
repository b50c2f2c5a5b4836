// A line of a segment: the id, when it was written, the event; or, with a `+` at the time, what the event's line ends with. Of two lines with
// one id the one with the later stamp stands, wherever they are.
import type { RecordEntry, RecordLine } from '../record-log.ts'

/** Where it stands in what was read: few of many lines are ever asked for, and a text that was cut out would keep all the others. */
interface Stamped {
  /** Milliseconds, never the same for two appends of one process. Below zero where it was restored, which replaces nothing. */
  readonly stamp: number
  readonly bytes: Buffer
  readonly from: number
  readonly to: number
}

const LINE_FEED = 0x0a
const SPACE = 0x20
const PLUS = 0x2b

let last = 0

/** Later than every stamp that this process has given, however the clock is set. */
export function nextStamp(now: number): number {
  last = Math.max(now, last + 1)
  return last
}

/** Ids hold no space, and nothing of an entry a line feed. */
export function writeEntries(entries: readonly RecordEntry[], stamp: number): string {
  let text = ''
  for (const entry of entries)
    text += 'line' in entry ? `${entry.id} ${stamp} ${entry.line}\n` : `${entry.id} ${stamp}+ ${entry.ending}\n`
  return text
}

/** What a segment has to say, by id. */
export class Lines {
  readonly #lines = new Map<string, Stamped>()
  readonly #endings = new Map<string, Stamped>()
  #ids: readonly string[] | undefined
  /** Of lines and endings; `''`: there are none. */
  first = ''
  last = ''

  /** Of whole lines, in order. */
  get ids(): readonly string[] {
    this.#ids ??= [...this.#lines.keys()].sort()
    return this.#ids
  }

  line(id: string): Stamped | undefined {
    return this.#lines.get(id)
  }

  ending(id: string): Stamped | undefined {
    return this.#endings.get(id)
  }

  /** Whole lines of a segment; what a power cut left half written is none. */
  add(bytes: Buffer): void {
    const isTorn = bytes.includes(0)
    for (let from = 0, to = bytes.indexOf(LINE_FEED); to >= 0; from = to + 1, to = bytes.indexOf(LINE_FEED, from)) {
      if (!isTorn || !bytes.subarray(from, to).includes(0)) this.#addLine(bytes, from, to)
    }
  }

  #addLine(bytes: Buffer, from: number, to: number): void {
    const afterId = bytes.indexOf(SPACE, from)
    const afterStamp = bytes.indexOf(SPACE, afterId + 1)
    if (afterId <= from || afterStamp < 0 || afterStamp > to) return
    const ends = bytes[afterStamp - 1] === PLUS
    const stamp = Number(bytes.toString('latin1', afterId + 1, ends ? afterStamp - 1 : afterStamp))
    if (!Number.isSafeInteger(stamp)) return
    this.#addStamped(ends, bytes.toString('utf8', from, afterId), { stamp, bytes, from: afterStamp + 1, to })
  }

  #addStamped(ends: boolean, id: string, added: Stamped): void {
    const stamped = ends ? this.#endings : this.#lines
    if (later(stamped.get(id), added) !== added) return
    stamped.set(id, added)
    // Of one append, which has one stamp, the order in the file counts.
    if (!ends && (this.#endings.get(id)?.stamp ?? Number.POSITIVE_INFINITY) <= added.stamp) this.#endings.delete(id)
    this.#ids = undefined
    if (id > this.last) this.last = id
    if (this.first === '' || id < this.first) this.first = id
  }
}

/** What segments say of one id together; `undefined`: none has its line. */
export function wholeLine(id: string, segments: readonly Lines[]): RecordLine | undefined {
  let line: Stamped | undefined
  let ending: Stamped | undefined
  for (const segment of segments) {
    line = later(line, segment.line(id))
    ending = later(ending, segment.ending(id))
  }
  if (line === undefined) return undefined
  const text = textOf(line)
  if (ending === undefined || ending.stamp < line.stamp || !text.endsWith('}')) return { id, line: text }
  return { id, line: text.slice(0, -1) + textOf(ending) }
}

const textOf = ({ bytes, from, to }: Stamped): string => bytes.toString('utf8', from, to)

/** Of what was appended the later stands, of what was restored the earlier. */
function later(before: Stamped | undefined, added: Stamped | undefined): Stamped | undefined {
  if (before === undefined || added === undefined) return added ?? before
  if (added.stamp < before.stamp || (added.stamp === before.stamp && added.stamp < 0)) return before
  return added
}
