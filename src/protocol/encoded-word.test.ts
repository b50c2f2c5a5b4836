import fc from 'fast-check'
import { expect, it } from 'vitest'
import { decodeEncodedWords } from './encoded-word.ts'

it.each([
  ['Alice Smith', 'Alice Smith'],
  ['=?utf-8?q?Kr=C5=ABmi=C5=86a?=', 'Krūmiņa'],
  ['=?UTF-8?Q?Jos=c3=a9_Garc=C3=ADa?=', 'José García'],
  ['=?utf-8?b?Sm9zw6k=?=', 'José'],
  ['=?us-ascii?q?Ann?=', 'Ann'],
  // RFC 2047 §6.2: between two words blanks are not of the text, beside one they are.
  ['=?utf-8?q?Jos=C3=A9?= =?utf-8?q?_Garc=C3=ADa?=', 'José García'],
  ['Dr. =?utf-8?q?Jos=C3=A9?= Smith', 'Dr. José Smith'],
  ['=?utf-8?q?a=3Db=3Fc=5F?=', 'a=b?c_'],
  // Not read: another character set, bytes that are no text, no word at all.
  ['=?iso-8859-1?q?Jos=E9?=', '=?iso-8859-1?q?Jos=E9?='],
  ['=?utf-8?q?Jos=E9?=', '=?utf-8?q?Jos=E9?='],
  ['=?utf-8?x?Jos?=', '=?utf-8?x?Jos?='],
  ['=?utf-8?q?Jos', '=?utf-8?q?Jos'],
  ['1 =? 2', '1 =? 2'],
])('%j is %j', (written, read) => {
  expect(decodeEncodedWords(written)).toBe(read)
})

it('reads back what was written, of whatever letters, and never throws', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const q = [...Buffer.from(text)].map((byte) => `=${byte.toString(16).padStart(2, '0')}`).join('')
      expect(decodeEncodedWords(`=?utf-8?q?${q}?=`)).toBe(text)
      expect(decodeEncodedWords(`=?utf-8?b?${Buffer.from(text).toString('base64')}?=`)).toBe(text)
    }),
  )
  fc.assert(
    fc.property(fc.array(fc.constantFrom('=?', '?=', 'utf-8', '?q?', '?b?', '=C3', '=', '_', ' ', 'é')), (parts) => {
      expect(typeof decodeEncodedWords(parts.join(''))).toBe('string')
    }),
  )
})

it('takes time in proportion to what it reads', () => {
  const long = '=?a?q?'.repeat(3000)
  expect(decodeEncodedWords(long)).toBe(long)
})
