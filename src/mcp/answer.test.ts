// What a message of a server is to the request that waits. JSON-RPC 2.0 §4 and §5; catalogue row E27.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { answering, refusing } from './answer.ts'

const kind = (text: string, id: string | number = 1) => answering(Buffer.from(text), id)
const said = (text: string) => refusing(Buffer.from(text), 1)

describe('a message', () => {
  it.each([
    ['{"jsonrpc":"2.0","id":1,"result":{"id":2,"method":"x","a":"}"}}', 'answer'],
    ['{"result":{"content":[{"text":"\\"}]"}]},"jsonrpc":"2.0","id":1}', 'answer'],
    ['{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}', 'answer'],
    ['{"jsonrpc":"2.0","id":1,"result":null}', 'answer'],
    [' { "id" : 1, "x" : 1, "result" : [], "jsonrpc" : "2.0" } ', 'answer'],
    ['{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"x"}}', 'answer'],
    ['{"jsonrpc":"2.0","id":null,"result":{}}', 'stranger'],
    ['{"jsonrpc":"2.0","id":2,"result":{}}', 'stranger'],
    ['{"jsonrpc":"2.0","id":1,"result":{},"id":2}', 'stranger'],
    ['{"jsonrpc":"2.0","id":2,"result":{},"id":1}', 'stranger'],
    ['{"jsonrpc":"2.0","id":1,"result":{},"ID":2}', 'stranger'],
    ['{"jsonrpc":"2.0","id":1,"result":{},"method":"x"}', 'stranger'],
    ['{"jsonrpc":"2.0","id":1,"result":{},"error":{}}', 'stranger'],
    ['{"jsonrpc":"2.0","method":"x"}', 'notification'],
    ['{"jsonrpc":"2.0","id":9,"method":"x"}', 'request'],
    ['{"jsonrpc":"2.0","method":"roots/list","method":"x"}', 'stranger'],
    ['{"jsonrpc":"2.0","id":1,"result":{}', 'stranger'],
    ['[{"jsonrpc":"2.0","id":1,"result":{}}]', 'stranger'],
    ['', 'stranger'],
  ])('%s is: %s', (text, what) => expect(kind(text)).toBe(what))

  it('is the answer whatever its result, in the layouts of SDKs and in any other', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.oneof(fc.integer(), fc.string()), fc.boolean(), (result, id, indented) => {
        for (const message of [
          { jsonrpc: '2.0', id, result },
          { result, jsonrpc: '2.0', id },
          { id, result, jsonrpc: '2.0' },
        ]) {
          const text = JSON.stringify(message, null, indented ? 2 : 0)
          expect(kind(text, id)).toBe('answer')
          expect(kind(text, `${id}.`)).toBe('stranger')
          expect(kind(text.replace(/\}$/, ',"id":0}'), id)).toBe('stranger')
        }
      }),
    )
  })
})

describe('what comes with a status that is no success', () => {
  it.each([
    ['{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}', 'refusal'],
    ['{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"x"}}', 'refusal'],
    ['{"error":{"code":1,"message":"x"}}', 'refusal'],
    ['{"jsonrpc":"2.0","id":2,"error":{"code":1,"message":"x"}}', 'stranger'],
    ['{"jsonrpc":"2.0","id":1,"result":{}}', 'stranger'],
    ['{"jsonrpc":"2.0","id":1,"method":"x"}', 'stranger'],
    ['{"jsonrpc":"2.0","id":2,"error":{},"id":1}', 'stranger'],
    ['{"error":"invalid_request"}', 'wordless'],
    ['{"detail":"x"}', 'wordless'],
    ['x', 'wordless'],
  ])('%s is: %s', (text, what) => expect(said(text)).toBe(what))

  it('refuses no request where none waits', () => {
    expect(refusing(Buffer.from('{"jsonrpc":"2.0","id":1,"error":{}}'), undefined)).toBe('stranger')
    expect(refusing(Buffer.from('{"jsonrpc":"2.0","error":{}}'), undefined)).toBe('refusal')
  })
})
