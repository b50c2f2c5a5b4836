import { X509Certificate } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createAuthority, type Subject } from '../../test/support/authority.ts'
import {
  formatDistinguishedName,
  parseAlternativeNames,
  parseDistinguishedName,
  readNames,
} from './certificate-names.ts'

const authority = createAuthority('Names')
const namesOf = (wish: Parameters<typeof authority.issue>[0]) =>
  readNames(new X509Certificate(authority.issue(wish).cert))

describe('alternative names of a real certificate', () => {
  it('are told apart by their kind', () => {
    const names = namesOf({
      sans: {
        uri: ['spiffe://example.org/a'],
        dns: ['a.example', 'b.example'],
        email: ['ann@example.org'],
        ip: ['10.0.0.1'],
      },
    })
    expect(names).toMatchObject({
      uris: ['spiffe://example.org/a'],
      dnsNames: ['a.example', 'b.example'],
      emails: ['ann@example.org'],
    })
  })

  it.each([
    ['a comma', 'good.example, DNS:admin.example'],
    ['a quote', 'good.example", DNS:"admin.example'],
    ['a backslash at the end', 'good.example\\'],
    ['NUL', 'admin.example\0.evil.example'],
    ['a line break', 'good.example\nDNS:admin.example'],
    ['a letter of Latin-1', 'b\xfc.example'],
  ])('with %s inside stay one name', (_what, name) => {
    expect(namesOf({ sans: { dns: [name], uri: ['spiffe://example.org/a'] } })).toMatchObject({
      dnsNames: [name],
      uris: ['spiffe://example.org/a'],
    })
  })

  it('are none where there are none, and the subject is there all the same', () => {
    expect(namesOf({ subject: 'ann' })).toEqual({
      uris: [],
      dnsNames: [],
      emails: [],
      subject: [{ type: 'CN', value: 'ann' }],
    })
  })
})

it.each(['DNS:"a', 'DNS:a"b', 'DNS:a,DNS:b', 'DNS', 'DNS:"\\x"', 'URI:a, , DNS:b'])(
  'a text that Node would not have written holds no name: %s',
  (text) => {
    expect(parseAlternativeNames(text)).toEqual({ uris: [], dnsNames: [], emails: [] })
  },
)

describe('the subject of a real certificate', () => {
  it.each<[string, Subject, string]>([
    [
      'in the order of RFC 4514',
      [
        ['C', 'DE'],
        ['O', 'Example'],
        ['CN', 'ann'],
      ],
      'CN=ann,O=Example,C=DE',
    ],
    [
      'an organisation that looks like a name',
      [
        ['O', 'x,CN=admin'],
        ['CN', 'ann'],
      ],
      'CN=ann,O=x\\,CN=admin',
    ],
    ['a line break that would begin an attribute', [['O', 'x\nCN=admin']], 'O=x\\0ACN=admin'],
    ['a plus that would join one', [['O', 'x+CN=admin']], 'O=x\\+CN=admin'],
    ['a backslash at the end', [['O', 'x\\']], 'O=x\\\\'],
    ['NUL', [['CN', 'admin\0.evil']], 'CN=admin\\00.evil'],
    ['blanks and a number sign at its ends', [['CN', ' #x ']], 'CN=\\ #x\\ '],
    ['a letter beyond ASCII', [['CN', 'Bü']], 'CN=B\\C3\\BC'],
  ])('%s', (_what, subject, text) => {
    const names = namesOf({ subject })
    expect(names.subject).toEqual([...subject].reverse().map(([type, value]) => ({ type, value })))
    expect(formatDistinguishedName(names.subject ?? [])).toBe(text)
    expect(parseDistinguishedName(text, ',')).toEqual(names.subject)
  })
})

it.each(['CN', '=x', 'CN=a+UID=b', 'CN=#0403', 'CN=a"b', 'CN=a;b', 'CN=a\\', 'CN=\\ff', '/C=US/CN=x', 'CN=a,,O=b'])(
  'a subject that two readers would read in two ways is none: %s',
  (text) => {
    expect(parseDistinguishedName(text, ',')).toBeUndefined()
  },
)

it('an empty subject has no attribute', () => {
  expect(parseDistinguishedName('', ',')).toEqual([])
})

it('whatever the values, the text is read back as it was', () => {
  const attribute = fc.record({ type: fc.constantFrom('CN', 'O', '1.2.3'), value: fc.string({ unit: 'grapheme' }) })
  fc.assert(
    fc.property(fc.array(attribute, { minLength: 1 }), (attributes) => {
      const text = formatDistinguishedName(attributes)
      expect(parseDistinguishedName(text, ',')).toEqual(attributes)
      expect(text).toMatch(/^[\x20-\x7e]*$/)
    }),
  )
})
