// Server-sent events as bytes: where one event ends and what data it carries. HTML standard §9.2.5, parsing an event stream.
import { addPart } from './parts.ts'

const LF = 0x0a
const CR = 0x0d
const COLON = 0x3a
const SPACE = 0x20

/** Head of a stream of our own. */
export const EVENT_STREAM: readonly string[] = [
  ...['content-type', 'text/event-stream'],
  ...['cache-control', 'no-cache, no-transform'],
  ...['x-accel-buffering', 'no'],
]

export interface EventSplitter {
  push(chunk: Buffer): void
  /** Part of an event has been handed on already: nothing may be put between it and its end. */
  inside(): boolean
}

/**
 * Hands on whole events, their blank line included, byte for byte. An event longer than `limit` is handed on in parts
 * (`whole` is false for each of them), so that a reader that needs it whole can refuse it and memory stays bounded.
 */
export function splitEvents(limit: number, emit: (bytes: Buffer, whole: boolean) => void): EventSplitter {
  let held: Buffer[] = []
  let size = 0
  let parted = false
  let lineStart = true
  let afterCr = false

  const take = (bytes: Buffer): Buffer => {
    if (held.length === 0) return bytes
    const joined = Buffer.concat([...held, bytes])
    held = []
    size = 0
    return joined
  }
  const hold = (bytes: Buffer): void => {
    if (bytes.length === 0) return
    size += bytes.length
    addPart(held, bytes)
    if (!parted && size <= limit) return
    parted = true
    emit(take(Buffer.alloc(0)), false)
  }
  return {
    inside: () => parted,
    push(chunk) {
      let start = 0
      let at = 0
      const nextEnd = lineEnds(chunk)
      while (at < chunk.length) {
        const end = nextEnd(at)
        if (end === chunk.length) {
          lineStart = false
          afterCr = false
          break
        }
        const secondHalf = end === at && afterCr && chunk[end] === LF
        const blank = end === at && lineStart && !secondHalf
        afterCr = chunk[end] === CR
        lineStart = true
        at = end + 1
        // The LF of a CRLF whose CR has ended the event already.
        if (secondHalf && end === start && held.length === 0 && !parted) start = at
        if (!blank) continue
        const event = take(chunk.subarray(start, at))
        start = at
        const whole = !parted && event.length <= limit
        parted = false
        emit(event, whole)
      }
      hold(chunk.subarray(start))
    },
  }
}

/** HTML standard §9.2.5: one byte order mark before the first field is skipped. A client that skips it must not see other fields than we do. */
export function withoutMark(first: Buffer): Buffer {
  return first[0] === 0xef && first[1] === 0xbb && first[2] === 0xbf ? first.subarray(3) : first
}

export interface EventFields {
  /** `data` lines joined by LF; `undefined` for comments and events without data. */
  readonly data: Buffer | undefined
  /** The event has an id that a client could resume from. */
  readonly hasId: boolean
}

export function readEvent(event: Buffer): EventFields {
  let data: Buffer | undefined
  let hasId = false
  let size = 0
  const nextEnd = lineEnds(event)
  for (let at = 0; at < event.length; ) {
    const end = nextEnd(at)
    if (isField(event, at, end, 'data')) {
      const value = event.subarray(valueStart(event, at + 4, end), end)
      if (data === undefined) {
        data = value
        size = value.length
      } else {
        // The lines together are shorter than the event; adding each to a longer text would take the square of their number.
        if (size === data.length) data = Buffer.concat([data], event.length)
        data[size] = LF
        size += 1 + value.copy(data, size + 1)
      }
    } else if (isField(event, at, end, 'id')) hasId = true
    at = end + 1
  }
  return { data: size === 0 ? undefined : data?.subarray(0, size), hasId }
}

const DATA = 'data'

/** Of one event that comes in parts: what of each part is data, with its line breaks, and what white space JSON does not mind. */
export function dataInParts(): (part: Buffer) => Buffer {
  let line: 'name' | 'data' | 'other' = 'name'
  let name = ''
  return (part) => {
    const found: Buffer[] = []
    const nextEnd = lineEnds(part)
    for (let at = 0; at < part.length; ) {
      const code = part[at]
      if (line !== 'name') {
        const end = nextEnd(at)
        if (line === 'data') found.push(part.subarray(at, end + 1))
        if (end < part.length) line = 'name'
        at = end + 1
        continue
      }
      if (code === COLON) line = name === DATA ? 'data' : 'other'
      else if (code !== LF && code !== CR && name.length <= DATA.length) name += String.fromCharCode(code ?? 0)
      if (code === COLON || code === LF || code === CR) name = ''
      at++
    }
    return Buffer.concat(found)
  }
}

/** Its type; `message` where it names none. */
export const eventType = (event: Buffer): string => eventField(event, 'event') || 'message'

/** The last line of this name, as text. */
export function eventField(event: Buffer, name: 'event' | 'id' | 'retry'): string | undefined {
  let value: string | undefined
  const nextEnd = lineEnds(event)
  for (let at = 0; at < event.length; ) {
    const end = nextEnd(at)
    if (isField(event, at, end, name)) value = event.toString('utf8', valueStart(event, at + name.length, end), end)
    at = end + 1
  }
  return value
}

/** One event of our own; the text is JSON, which has no line breaks. */
export function writeEvent(message: unknown): Buffer {
  return Buffer.from(`event: message\ndata: ${JSON.stringify(message)}\n\n`)
}

/** The event with other data: its id and type lines stay as they were. */
export function replaceData(event: Buffer, message: unknown): Buffer {
  const kept: string[] = []
  const nextEnd = lineEnds(event)
  for (let at = 0; at < event.length; ) {
    const end = nextEnd(at)
    if (end > at && !isField(event, at, end, 'data')) kept.push(event.toString('utf8', at, end))
    at = end + 1
  }
  return Buffer.from(`${[...kept, `data: ${JSON.stringify(message)}`].join('\n')}\n\n`)
}

/** Where the line ends that goes on at a place; the places asked for only grow. What is found is kept, so that no byte is looked at for every line. */
function lineEnds(bytes: Buffer): (from: number) => number {
  const next = (code: number, from: number): number => {
    const found = bytes.indexOf(code, from)
    return found === -1 ? bytes.length : found
  }
  let lf = next(LF, 0)
  let cr = next(CR, 0)
  return (from) => {
    if (lf < from) lf = next(LF, from)
    if (cr < from) cr = next(CR, from)
    return Math.min(lf, cr)
  }
}

function isField(bytes: Buffer, from: number, end: number, name: string): boolean {
  const to = from + name.length
  if (to > end || (to < end && bytes[to] !== COLON)) return false
  return bytes.toString('latin1', from, to) === name
}

function valueStart(bytes: Buffer, colon: number, end: number): number {
  if (colon >= end) return end
  return bytes[colon + 1] === SPACE ? colon + 2 : colon + 1
}
