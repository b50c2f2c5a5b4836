// The events of an HTTP+SSE stream as messages (MCP 2024-11-05, Transports; HTML standard §9.2.5). An event has a ceiling.
import { eventType, readEvent, splitEvents, withoutMark } from '../../../protocol/events.ts'
import type { Oversize } from '../transport.ts'

const END = 128
const BLANK_LINE = /(?:\r\n|\n|\r)(?:\r\n|\n|\r)$/

export function openEventReader(
  longest: number,
  needs: { onMessage(text: string): void; onEndpoint(said: string): void; onOversize(message: Oversize): void },
): { push(chunk: Buffer): void } {
  let begun = false
  let long: { head: string; tail: Buffer; size: number } | undefined

  function takePart(part: Buffer): void {
    const tail = part.subarray(-2 * END)
    long =
      long === undefined
        ? { head: fromBrace(part.toString('latin1', 0, 2 * END)), tail, size: part.length }
        : { ...long, tail: Buffer.concat([long.tail, tail]).subarray(-2 * END), size: long.size + part.length }
    const text = long.tail.toString('latin1')
    if (!BLANK_LINE.test(text)) return
    needs.onOversize({ head: long.head.slice(0, END), tail: text.trimEnd().slice(-END), size: long.size })
    long = undefined
  }

  const splitter = splitEvents(longest, (bytes, whole) => {
    const event = begun ? bytes : withoutMark(bytes)
    begun = true
    if (!whole) return takePart(event)
    const data = readEvent(event).data?.toString('utf8')
    if (data === undefined) return
    const type = eventType(event)
    if (type === 'endpoint') needs.onEndpoint(data)
    else if (type === 'message') needs.onMessage(data)
  })
  return { push: splitter.push }
}

/** Where the message begins, behind the names of its fields. */
const fromBrace = (text: string): string => (text.includes('{') ? text.slice(text.indexOf('{')) : text)
