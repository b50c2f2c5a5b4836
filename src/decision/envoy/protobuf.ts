// The wire form of Protocol Buffers (protobuf.dev, Encoding), as far as ext_authz speaks it: messages, text, bytes and whole numbers.
// Two readings of one message must not differ: a field that may come once and comes twice is refused, where other readers take the last.

const VARINT = 0
const FIXED_64 = 1
const LENGTH = 2
const FIXED_32 = 5
const LONGEST_VARINT = 10
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The bytes are no such message; nothing in it may be believed. */
export class MalformedMessage extends Error {
  override readonly name = 'MalformedMessage'
}

type Value = Buffer | number

/** The fields of one message, by number. Unknown ones are kept and never asked for; what was never sent is empty, as proto3 has it. */
export class Message {
  readonly #values = new Map<number, Value[]>()

  /** Throws MalformedMessage, here and from every reader below. */
  constructor(bytes: Buffer) {
    let at = 0
    while (at < bytes.length) {
      const key = varint(bytes, at)
      const { value, end } = read(bytes, key.end, key.value % 8)
      this.#put(Math.floor(key.value / 8), value)
      at = end
    }
  }

  #put(field: number, value: Value): void {
    if (field === 0) throw new MalformedMessage('a field without a number')
    const before = this.#values.get(field)
    if (before === undefined) this.#values.set(field, [value])
    else before.push(value)
  }

  has(field: number): boolean {
    return this.#values.has(field)
  }

  bytes(field: number): Buffer {
    const values = this.#values.get(field) ?? []
    if (values.length > 1) throw new MalformedMessage(`field ${field} comes ${values.length} times`)
    return bufferOf(values[0])
  }

  text(field: number): string {
    return textOf(this.bytes(field))
  }

  message(field: number): Message {
    return new Message(this.bytes(field))
  }

  messages(field: number): Message[] {
    return (this.#values.get(field) ?? []).map((value) => new Message(bufferOf(value)))
  }

  /** `map<string, string>`: a list of pairs on the wire. */
  entries(field: number): Map<string, string> {
    const entries = new Map<string, string>()
    for (const pair of this.messages(field)) {
      const key = pair.text(1)
      if (entries.has(key)) throw new MalformedMessage(`the key ${JSON.stringify(key)} comes twice`)
      entries.set(key, pair.text(2))
    }
    return entries
  }
}

function read(bytes: Buffer, at: number, wire: number): { value: Value; end: number } {
  if (wire === VARINT) return varint(bytes, at)
  if (wire === FIXED_64 || wire === FIXED_32) return slice(bytes, at, wire === FIXED_64 ? 8 : 4)
  // Groups are gone since proto3, and nobody sends them.
  if (wire !== LENGTH) throw new MalformedMessage(`wire type ${wire}`)
  const length = varint(bytes, at)
  return slice(bytes, length.end, length.value)
}

function slice(bytes: Buffer, at: number, length: number): { value: Buffer; end: number } {
  const end = at + length
  if (end > bytes.length) throw new MalformedMessage('a field longer than its message')
  return { value: bytes.subarray(at, end), end }
}

/** Exact up to 2^53; no number that is used here is larger. */
function varint(bytes: Buffer, start: number): { value: number; end: number } {
  let value = 0
  for (let at = start; at < start + LONGEST_VARINT; at++) {
    const byte = bytes[at]
    if (byte === undefined) throw new MalformedMessage('a number without its end')
    value += (byte % 128) * 2 ** (7 * (at - start))
    if (byte < 128) return { value, end: at + 1 }
  }
  throw new MalformedMessage('a number that is too long')
}

const NOTHING = Buffer.alloc(0)

function bufferOf(value: Value | undefined): Buffer {
  if (typeof value === 'number') throw new MalformedMessage('a number in place of a message')
  return value ?? NOTHING
}

function textOf(bytes: Buffer): string {
  try {
    return UTF8.decode(bytes)
  } catch {
    throw new MalformedMessage('text that is not UTF-8')
  }
}

/** A field of a message that is being written; a message is its fields one after the other. */
export function field(number: number, value: string | number | Buffer): Buffer {
  if (typeof value === 'number') return Buffer.concat([written(number * 8 + VARINT), written(value)])
  const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value
  return Buffer.concat([written(number * 8 + LENGTH), written(bytes.length), bytes])
}

function written(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  while (rest > 127) {
    bytes.push((rest % 128) + 128)
    rest = Math.floor(rest / 128)
  }
  return Buffer.from([...bytes, rest])
}
