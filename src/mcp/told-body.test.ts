// Who calls, put into the bytes of a message: and nothing else of them changed.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RpcError } from '../protocol/errors.ts'
import { IDENTITY_KEY, type ToldMeta, toldMessage, UNTOLD } from '../upstreams/identity/meta.ts'
import { type Incoming, parseMessage } from './message.ts'
import { toldBody } from './told-body.ts'

const IDENTITY = { user: 'ann@example.com', name: 'Jörg 🦊', groups: ['a"b', '}'] }
const members = { [IDENTITY_KEY]: IDENTITY }
const TOLD: ToldMeta = { reserved: UNTOLD.reserved, members, text: JSON.stringify(members).slice(1, -1) }
const LIMITS = { depth: 64, keys: 10_000 }

function told(text: string, by: ToldMeta = TOLD): { text: string; incoming: Incoming } {
  const incoming = parseMessage(Buffer.from(text), LIMITS)
  return { text: toldBody(incoming.body, incoming.message, by).toString(), incoming }
}
const call = (params: string) => `{"jsonrpc":"2.0","id":1,"method":"tools/call"${params}}`

/** `undefined` for what the gate refuses. */
function gated(text: string): Incoming | undefined {
  try {
    return parseMessage(Buffer.from(text), LIMITS)
  } catch (error) {
    if (error instanceof RpcError) return undefined
    throw error
  }
}

describe('a message', () => {
  it.each([
    ['without params', '', `,"params":{"_meta":{${TOLD.text}}}`],
    ['with empty params', ',"params":{}', `,"params":{"_meta":{${TOLD.text}}}`],
    ['with empty params and white space', ',"params": {\n}', `,"params": {"_meta":{${TOLD.text}}\n}`],
    ['without _meta', ',"params":{"name":"x"}', `,"params":{"_meta":{${TOLD.text}},"name":"x"}`],
    ['with an empty _meta', ',"params":{"_meta":{},"name":"x"}', `,"params":{"_meta":{${TOLD.text}},"name":"x"}`],
    [
      'with one of its own, escapes and all',
      ',"params":{"arguments":{"_meta":1,"a":"\\"}"}, "_meta" : { "progressToken" : 7 , "x":{"y":[1,"},{"]} } }',
      `,"params":{"arguments":{"_meta":1,"a":"\\"}"}, "_meta" : {${TOLD.text},"progressToken" : 7,"x":{"y":[1,"},{"]}} }`,
    ],
    ['with a _meta that is none', ',"params":{"_meta":null}', `,"params":{"_meta":{${TOLD.text}}}`],
    [
      'with a forged one',
      ',"params":{"_meta":{"a":1,"io.portcullis/identity":{"user":"root"},"b":2}}',
      `,"params":{"_meta":{${TOLD.text},"a":1,"b":2}}`,
    ],
    [
      'with a forged one in another case',
      ',"params":{"_meta":{"IO.Portcullis/Identity":{"user":"root"}}}',
      `,"params":{"_meta":{${TOLD.text}}}`,
    ],
  ])('%s', (_what, before, after) => {
    const { text } = told(call(before))
    if (before === '') expect(JSON.parse(text)).toEqual(JSON.parse(call(after)))
    else expect(text).toBe(call(after))
  })

  it('that tells nothing is left as it is, byte for byte', () => {
    const text = call(', "params" : {"_meta":{"a":1} }')
    const incoming = parseMessage(Buffer.from(text), LIMITS)
    expect(toldBody(incoming.body, incoming.message)).toBe(incoming.body)
  })

  it('loses a forged identity on the way to a server that is told none', () => {
    const forged = ',"params":{"_meta":{"io.portcullis/identity":{"user":"root"},"a":1}}'
    expect(told(call(forged), UNTOLD).text).toBe(call(',"params":{"_meta":{"a":1}}'))
  })

  it('that is a notification or an answer says nothing of the caller, and loses what is forged', () => {
    const heard = '{"jsonrpc":"2.0","method":"notifications/x","params":{"_meta":{"IO.portcullis/identity":1}}}'
    expect(told(heard).text).toBe('{"jsonrpc":"2.0","method":"notifications/x","params":{"_meta":{}}}')
    const answer = '{"jsonrpc":"2.0","id":1,"result":{}}'
    expect(told(answer).text).toBe(answer)
  })

  it('says the same as bytes and as an object, whatever is in it, and no key twice', () => {
    const key = fc.oneof(
      fc.constantFrom(IDENTITY_KEY, IDENTITY_KEY.toUpperCase(), 'progressToken', 'a'),
      fc.string({ unit: 'grapheme-ascii' }).filter((text) => !/["\\]/.test(text)),
    )
    const meta = fc.dictionary(key, fc.jsonValue())
    const params = fc.record({ name: fc.string(), arguments: fc.dictionary(fc.string(), fc.jsonValue()), _meta: meta })
    fc.assert(
      fc.property(fc.option(params, { nil: undefined }), fc.constantFrom(0, 1, 2), (written, indent) => {
        const message = { jsonrpc: '2.0', id: 1, method: 'tools/call', ...(written && { params: written }) }
        const text = JSON.stringify(message, undefined, indent)
        const incoming = gated(text)
        fc.pre(incoming !== undefined)
        for (const by of [TOLD, UNTOLD]) {
          const bytes = toldBody(incoming.body, incoming.message, by)
          const again = parseMessage(bytes, LIMITS)
          expect(again.message).toEqual(toldMessage(incoming.message, by))
        }
      }),
    )
  })
})
