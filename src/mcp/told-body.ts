// The bytes of a message with who calls in its `_meta`: apart from that object byte for byte what the client wrote, and what policy judged.
import { isRecord } from '../protocol/json.ts'
import type { RpcMessage } from '../protocol/jsonrpc.ts'
import { isForged, type ToldMeta, UNTOLD } from '../upstreams/identity/meta.ts'
import { endOfValue, findMember, membersOf, pastSpace } from './json-members.ts'

/** The body itself where nothing is told and nothing was forged. `message` is what it says. */
export function toldBody(body: Buffer, message: RpcMessage, told: ToldMeta = UNTOLD): Buffer {
  if (!('method' in message)) return body
  const meta = message.params?.['_meta']
  // A notification tells of a call that the server knows whose it is.
  const tells = 'id' in message ? told.text : ''
  if (tells === '' && !isForged(meta, told)) return body
  const text = body.toString('latin1')
  const envelope = pastSpace(text, 0)
  const params = findMember(text, envelope, 'params')
  if (params === undefined) return withText(body, envelope + 1, envelope + 1, `"params":{"_meta":{${tells}}},`)
  const held = findMember(text, params.value, '_meta')
  if (held === undefined) {
    const isEmpty = text.charAt(pastSpace(text, params.value + 1)) === '}'
    return withText(body, params.value + 1, params.value + 1, `"_meta":{${tells}}${isEmpty ? '' : ','}`)
  }
  const own = isRecord(meta) ? [...membersOf(text, held.value)] : []
  const kept = own.filter(({ key }) => !told.reserved.has(key.slice(1, -1).toLowerCase()))
  const pieces = [Buffer.from(tells), ...kept.map(({ start, end }) => body.subarray(start, end))]
  return withBytes(body, held.value, endOfValue(text, held.value), objectOf(pieces))
}

const objectOf = (members: readonly Buffer[]): Buffer =>
  Buffer.concat([
    Buffer.from('{'),
    ...members
      .filter(({ length }) => length > 0)
      .flatMap((member, index) => (index === 0 ? [member] : [Buffer.from(','), member])),
    Buffer.from('}'),
  ])

const withText = (body: Buffer, from: number, to: number, text: string): Buffer =>
  withBytes(body, from, to, Buffer.from(text))

const withBytes = (body: Buffer, from: number, to: number, bytes: Buffer): Buffer =>
  Buffer.concat([body.subarray(0, from), bytes, body.subarray(to)])
