// A line of a segment: the id, when it was written, the event; or, with a `+` at the time, what the event's line ends with. With `=7` at the
// time the event goes on with what the line that began with `=7` says, somewhere before in the segment: most of an event is the same in
// the next one of its caller. Of two lines with one id the one with the later stamp stands, wherever they are.
import type { RecordLine } from '../record-log.ts'

/** Where it stands in what was read: few of many lines are ever asked for, and a text that was cut out would keep all the others. */
interface Stamped {
  /** Milliseconds, never the same for two appends of one process. Below zero where it was restored, which replaces nothing. */
  readonly stamp: number
  readonly bytes: Buffer
  readonly from: number
  readonly to: number
  /** What it goes on with. */
  readonly shared: string
}

const LINE_FEED = 0x0a
const SPACE = 0x20
const PLUS = 0x2b
const EQUALS = 0x3d

let last = 0

/** Later than every stamp that this process has given, however the clock is set. */
export function nextStamp(now: number): number {
  last = Math.max(now, last + 1)
  return last
}

/** What a segment has to say, by id. */
export class Lines {
  readonly #lines = new Map<string, Stamped>()
  readonly #endings = new Map<string, Stamped>()
  /** By their numbers, as text. */
  readonly #shared = new Map<string, string>()
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
    if (afterId <= from || afterId > to) return
    if (bytes[from] === EQUALS) {
      this.#shared.set(bytes.toString('latin1', from + 1, afterId), bytes.toString('utf8', afterId + 1, to))
      return
    }
    const afterStamp = bytes.indexOf(SPACE, afterId + 1)
    if (afterStamp < 0 || afterStamp > to) return
    const ends = bytes[afterStamp - 1] === PLUS
    const [written = '', number] = bytes.toString('latin1', afterId + 1, ends ? afterStamp - 1 : afterStamp).split('=')
    const stamp = Number(written)
    if (!Number.isSafeInteger(stamp)) return
    const id = bytes.toString('utf8', from, afterId)
    const shared = number === undefined ? '' : this.#shared.get(number)
    if (shared !== undefined) this.#addStamped(ends, id, { stamp, bytes, from: afterStamp + 1, to, shared })
    // Its other part is in the segment before what was read, or was lost with the power before it was on the disk.
    else this.#count(id)
  }

  #addStamped(ends: boolean, id: string, added: Stamped): void {
    const stamped = ends ? this.#endings : this.#lines
    if (later(stamped.get(id), added) !== added) return
    stamped.set(id, added)
    // Of one append, which has one stamp, the order in the file counts.
    if (!ends && (this.#endings.get(id)?.stamp ?? Number.POSITIVE_INFINITY) <= added.stamp) this.#endings.delete(id)
    this.#ids = undefined
    this.#count(id)
  }

  #count(id: string): void {
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

const textOf = ({ bytes, from, to, shared }: Stamped): string => bytes.toString('utf8', from, to) + shared

/** Of what was appended the later stands, of what was restored the earlier. */
function later(before: Stamped | undefined, added: Stamped | undefined): Stamped | undefined {
  if (before === undefined || added === undefined) return added ?? before
  if (added.stamp < before.stamp || (added.stamp === before.stamp && added.stamp < 0)) return before
  return added
}
