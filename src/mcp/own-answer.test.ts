// Catalogue rows E14, E27 and E39: what a server answers to one call is the answer to no other.
import { describe, expect, it } from 'vitest'
import { ownAnswer } from './own-answer.ts'

const passes = (text: string, id: string | number = 1, size = 7): boolean => {
  const may = ownAnswer(id)
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) if (!may(bytes.subarray(at, at + size))) return false
  return true
}
const isOwnAnswer = (text: Buffer): boolean => ownAnswer(1, 'asking')(text)
const answer = (result: string) => `{"jsonrpc":"2.0","id":1,"result":${result}}`

describe('an answer', () => {
  it.each([
    ['as SDKs write it', answer('{"content":[{"type":"text","text":"{\\"id\\":2}","id":2,"method":"x"}]}')],
    [
      'with the result first',
      '{"result":{"content":[],"id":2,"a":{"resultType":"input_required"}},"jsonrpc":"2.0","id":1}',
    ],
    ['whose result ends with an id', answer('{"content":[{"id":2}],"id":3}')],
    ['with white space', ` {\n  "jsonrpc" : "2.0",\n "id" : 1 ,\n "result" : { "resultType" : "complete" } }\n`],
    ['with escapes', '{"j\\u0073onrpc":"2.0","id":1,"result":{"r\\u00e9sult":"\\\\","resultType":"\\u0063omplete"}}'],
    [
      'that is an error',
      '{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x","data":{"resultType":"input_required"}}}',
    ],
    ['whose result is a list', answer('["input_required",{"resultType":"input_required"}]')],
  ])('passes %s', (_how, text) => {
    for (const size of [1, 7, 10_000]) expect(passes(text, 1, size)).toBe(true)
    expect(isOwnAnswer(Buffer.from(text))).toBe(true)
  })

  it('passes whole where it asks the client, and where its server could not read the call', () => {
    const asks = Buffer.from(answer('{"resultType":"input_required","requestState":"x"}'))
    expect(isOwnAnswer(asks)).toBe(true)
    const unread = '{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"x"}}'
    expect([passes(unread), isOwnAnswer(Buffer.from(unread))]).toEqual([true, true])
  })

  it('passes under an id that is a text', () => {
    expect(passes('{"jsonrpc":"2.0","id":"\\u0061-1","result":{}}', 'a-1')).toBe(true)
    expect(passes('{"jsonrpc":"2.0","id":"a-2","result":{}}', 'a-1')).toBe(false)
  })

  it.each([
    ['answers another call', '{"jsonrpc":"2.0","id":2,"result":{}}'],
    ['answers another call in the end', '{"jsonrpc":"2.0","id":1,"result":{},"id":2}'],
    ['answers another call in the end, in escapes', '{"jsonrpc":"2.0","id":1,"result":{},"\\u0069d":2}'],
    ['answers another call to readers of any case', '{"jsonrpc":"2.0","id":1,"result":{},"ID":2}'],
    ['answers another call in the beginning', '{"id":2,"jsonrpc":"2.0","id":1,"result":{}}'],
    ['is a call', '{"jsonrpc":"2.0","id":1,"method":"elicitation/create","params":{}}'],
    ['is a call as well', '{"jsonrpc":"2.0","id":1,"result":{},"method":"elicitation/create"}'],
    ['is a batch', '[{"jsonrpc":"2.0","id":1,"result":{}}]'],
    ['asks for input', answer('{"content":[],"resultType":"input_required","requestState":"x"}')],
    ['asks for input, in escapes', answer('{"result\\u0054ype":"input\\u005frequired"}')],
    ['asks for input the second time', answer('{"resultType":"complete","resultType":"input_required"}')],
    ['is a success and a failure', '{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":"x"}}'],
    [
      'answers another call to readers who fold what is no ASCII',
      '{"jsonrpc":"2.0","id":1,"re\u017fult":{},"result":{}}',
    ],
    ['has two results', '{"jsonrpc":"2.0","id":1,"result":{},"result":{"resultType":"input_required"}}'],
  ])('does not pass where it %s', (_why, text) => {
    for (const size of [1, 7, 10_000]) expect(passes(text, 1, size)).toBe(false)
    if (!text.includes('nput')) expect(isOwnAnswer(Buffer.from(text))).toBe(false)
  })
})
