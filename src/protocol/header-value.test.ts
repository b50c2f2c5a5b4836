// The `=?base64?…?=` codec: what is read back, and what nobody may guess at.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeHeaderValue, encodeHeaderValue } from './header-value.ts'

describe('MCP 2026-07-28 header values', () => {
  it.each([
    ['', ''],
    ['echo', 'echo'],
    ['a b', 'a b'],
    ['=?base64?SMOpbGxv?=', 'Héllo'],
    ['=?base64??=', ''],
    ['=?utf-8?SGk=?=', '=?utf-8?SGk=?='],
  ])('%s says %j', (value, expected) => {
    expect(decodeHeaderValue(value)).toBe(expected)
  })

  it.each([
    ['edge whitespace', ' a'],
    ['a trailing tab', 'a\t'],
    ['obs-text', 'h\u00e9llo'],
    ['a control character', 'a\u0001b'],
    ['the sentinel in another case', '=?BASE64?ZXZpbA==?='],
    ['a sentinel without its end', '=?base64?ZXZpbA=='],
    ['missing padding', '=?base64?ZXZpbA?='],
    ['base64url', '=?base64?_-__?='],
    ['spare bits', '=?base64?ZXZpbB==?='],
    ['bytes that are no UTF-8', '=?base64?/w==?='],
    ['whitespace inside', '=?base64?ZXZp bA==?='],
    ['overlapping marks', '=?base64?='],
  ])('refuses %s', (_, value) => {
    expect(decodeHeaderValue(value)).toBeUndefined()
  })

  it('reads back whatever it wrote, in visible ASCII', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        const text = Buffer.from(value, 'utf8').toString('utf8')
        const written = encodeHeaderValue(text)
        expect(written).toMatch(/^[\t\x20-\x7e]*$/)
        expect(decodeHeaderValue(written)).toBe(text)
      }),
    )
  })

  it('encodes text that looks encoded', () => {
    expect(decodeHeaderValue(encodeHeaderValue('=?base64?ZXZpbA==?='))).toBe('=?base64?ZXZpbA==?=')
    expect(decodeHeaderValue(encodeHeaderValue('=?BASE64?x'))).toBe('=?BASE64?x')
  })
})
