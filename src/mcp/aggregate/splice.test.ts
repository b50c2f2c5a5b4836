// Other values in a message that stays byte for byte what it was.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { splice } from './splice.ts'

const swap = (text: string, path: string[], value: string) => splice(Buffer.from(text), [{ path, value }]).toString()

describe('splice', () => {
  it.each([
    [
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a__b","arguments":{"name":"x"}}}',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"b","arguments":{"name":"x"}}}',
    ],
    [
      ' { "params" : { "arguments" : { "é" : [1.0, {"name":"no"}, "\\"name\\":"] , "n" : 1e3 } , "name" : "a" } } ',
      ' { "params" : { "arguments" : { "é" : [1.0, {"name":"no"}, "\\"name\\":"] , "n" : 1e3 } , "name" : "b" } } ',
    ],
    ['{"x":{"name":"no"},"params":{"_meta":{"name":"no"},"n":null,"name":"\\u0061"}}', undefined],
  ])('%s', (before, after) => {
    const written = swap(before, ['params', 'name'], 'b')
    expect(written).toBe(after ?? before.replace('"\\u0061"', '"b"'))
  })

  it('writes several values, in whatever order they stand', () => {
    const body = Buffer.from('{"params":{"requestState":"s","name":"a","ref":{"type":"ref/prompt","name":"p"}}}')
    const written = splice(body, [
      { path: ['params', 'name'], value: 'longer"name' },
      { path: ['params', 'requestState'], value: '' },
      { path: ['params', 'ref', 'name'], value: 'q' },
    ])
    expect(written.toString()).toBe(
      '{"params":{"requestState":"","name":"longer\\"name","ref":{"type":"ref/prompt","name":"q"}}}',
    )
  })

  it('replaces that value and no other byte, whatever stands around it', () => {
    const key = fc.string().filter((text) => text !== 'name')
    fc.assert(
      fc.property(
        fc.dictionary(key, fc.jsonValue()),
        fc.jsonValue(),
        fc.string(),
        fc.string(),
        (more, args, name, to) => {
          const message = { jsonrpc: '2.0', id: 1, params: { ...more, arguments: args, name, last: more } }
          for (const space of [0, 2]) {
            const written = splice(Buffer.from(JSON.stringify(message, null, space)), [
              { path: ['params', 'name'], value: to },
            ])
            const expected = { ...message, params: { ...message.params, name: to } }
            expect(written.toString()).toBe(JSON.stringify(expected, null, space))
          }
        },
      ),
    )
  })

  it('says so where there is nothing to replace', () => {
    for (const text of ['{"params":{}}', '{"params":{"arguments":{"name":"x"}}}', '{}'])
      expect(() => swap(text, ['params', 'name'], 'b')).toThrow(TypeError)
  })
})
