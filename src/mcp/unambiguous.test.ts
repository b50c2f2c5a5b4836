// What a closer look refuses where rules read arguments, and what it lets pass. Catalogue rows E1, E2 and E4.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RpcError } from '../protocol/errors.ts'
import { checkUnambiguous } from './unambiguous.ts'

function reasonOf(text: string, names?: ReadonlySet<string>): string {
  try {
    checkUnambiguous(Buffer.from(text), names)
  } catch (error) {
    if (error instanceof RpcError && error.code === -32600 && error.status === 400) return error.reason
    throw error
  }
  return 'passes'
}
const call = (args: string) =>
  `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pay","arguments":${args}}}`

describe('keys', () => {
  it.each([
    ['twice in the arguments', '{"amount":1,"amount":2}'],
    ['twice, once escaped', '{"amount":1,"\\u0061mount":2}'],
    ['twice far inside', '{"a":[{"b":{"c":1,"d":[],"c":2}}]}'],
    ['twice after an empty object', '{"a":{},"b":[],"a":1}'],
    ['twice, a prototype', '{"__proto__":1,"__proto__":2}'],
    ['twice, both escaped', '{"\\u006eo":1,"n\\u006f":2}'],
  ])('%s', (_, args) => expect(reasonOf(call(args))).toBe('json_duplicate_key'))

  it('twice anywhere in the message', () => {
    expect(reasonOf('{"id":1,"params":{"_meta":{"a":{"b":1,"b":2}}}}')).toBe('json_duplicate_key')
  })

  it.each([
    ['case twins', '{"amount":1,"Amount":2}'],
    ['case twins, a Kelvin sign', '{"kind":1,"\u212Aind":2}'],
    ['case twins, a long s', '{"sum":1,"\u017Fum":2}'],
    ['case twins inside', '{"order":{"amount":1,"AMOUNT":2}}'],
    ['case twins in a list', '{"orders":[{"amount":1,"aMount":2}]}'],
  ])('%s', (_, args) => expect(reasonOf(call(args))).toBe('json_key_case'))

  it.each([
    ['the same key in two objects', '{"a":{"x":1},"b":{"x":1},"c":[{"x":1},{"x":2}]}'],
    ['a text that looks like keys', '{"a":"{\\"b\\":1,\\"b\\":2}","b":"\\\\"}'],
    ['every kind of value', ' { "a" : [ 1 , -2.5e3 , "x" , true , false , null , { } , [ ] ] } '],
    ['another letter', '{"amount":1,"amounts":2}'],
  ])('passes %s', (_, args) => expect(reasonOf(call(args))).toBe('passes'))

  it('reads long texts to their end', () => {
    const long = '\\\\\\"'.repeat(500_000)
    expect(reasonOf(call(`{"a":"${long}","a":1}`))).toBe('json_duplicate_key')
  })

  it.each([
    ['{"Force":true}', 'json_key_case'],
    ['{"options":{"FORCE":true}}', 'json_key_case'],
    ['{"\u017Feal":1}', 'json_key_case'],
    ['{"force":true,"seal":1}', 'passes'],
    ['{"Other":true}', 'passes'],
  ])('what rules read is spelled as they spell it: %s', (args, reason) => {
    expect(reasonOf(call(args), new Set(['force', 'seal']))).toBe(reason)
    expect(reasonOf(call(args))).toBe('passes')
  })

  it('leaves the case of other members to the gate', () => {
    expect(reasonOf('{"id":1,"params":{"_meta":{"Trace":1,"trace":2}}}')).toBe('passes')
  })
})

describe('numbers', () => {
  it.each([
    '9007199254740992',
    '9007199254740993',
    '-9007199254740993',
    '9007199254740993.0',
    '1e16',
    '1e400',
    '-1e400',
    '1e-400',
    '1000.00000000000001',
    '4503599627370497.25',
    '0.1000000000000000055511151231257827',
  ])('refuses %s', (number) => expect(reasonOf(call(`{"n":${number}}`))).toBe('json_number'))

  it.each(['0', '-0', '0.0', '9007199254740991', '-9007199254740991', '1.5', '1e3', '1E+2', '0.1', '5e-324', '1.50'])(
    'passes %s',
    (number) => expect(reasonOf(call(`[${number}]`))).toBe('passes'),
  )
})

it('passes whatever a serialiser writes, and refuses it with a key said twice', () => {
  const safe = (text: string) =>
    [...text.matchAll(/-?\d[\d.eE+-]*/g)].every(([found]) => Math.abs(Number(found)) <= Number.MAX_SAFE_INTEGER)
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), fc.boolean(), (args, spaced) => {
      const text = JSON.stringify({ id: 1, other: args }, null, spaced ? 1 : 0)
      fc.pre(safe(text))
      expect(reasonOf(text)).toBe('passes')
      const twice = `${text.slice(0, -1)},"other":{}}`
      expect(reasonOf(twice)).toBe('json_duplicate_key')
    }),
  )
})
