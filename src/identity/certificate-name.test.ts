import { describe, expect, it } from 'vitest'
import { type CertificateNames, parseDistinguishedName } from '../protocol/certificate-names.ts'
import { BearerError } from '../protocol/errors.ts'
import { nameMatcher, nameOf } from './certificate-name.ts'

const names = (some: Partial<CertificateNames>): CertificateNames => ({
  uris: [],
  dnsNames: [],
  emails: [],
  subject: [],
  ...some,
})
const subject = (text: string) => names({ subject: parseDistinguishedName(text, ',') })
const reasonOf = (work: () => unknown): string => {
  try {
    work()
  } catch (error) {
    expect(error).toBeInstanceOf(BearerError)
    expect(error).toMatchObject({ code: 'invalid_token', message: 'The client certificate is not accepted here.' })
    return error instanceof BearerError ? error.reason : ''
  }
  return 'taken'
}

describe('the one name of the wanted kind', () => {
  it.each<[string, Parameters<typeof nameOf>[1], CertificateNames, string]>([
    ['a SPIFFE id', 'san-uri', names({ uris: ['spiffe://example.org/a'] }), 'spiffe://example.org/a'],
    ['another URI', 'san-uri', names({ uris: ['urn:example:device:7'] }), 'urn:example:device:7'],
    ['a host', 'san-dns', names({ dnsNames: ['Build-7.Example.ORG'] }), 'build-7.example.org'],
    ['an address', 'san-email', names({ emails: ['Ann@Example.org'] }), 'ann@example.org'],
    ['a common name', 'subject-cn', subject('CN=Ann Example,O=Example'), 'Ann Example'],
    ['a common name beside one in the organisation', 'subject-cn', subject('CN=ann,O=admin\\,CN=root'), 'ann'],
    ['a subject', 'subject', subject('CN=ann,O=admin\\,CN=root'), 'CN=ann,O=admin\\,CN=root'],
    [
      'one kind, whatever the others are',
      'san-dns',
      names({ dnsNames: ['a.example'], uris: ['x:1', 'x:2'] }),
      'a.example',
    ],
  ])('is %s', (_what, kind, shown, name) => {
    expect(nameOf(shown, kind)).toBe(name)
  })

  it.each<[string, Parameters<typeof nameOf>[1], CertificateNames]>([
    ['no URI', 'san-uri', names({ dnsNames: ['a.example'] })],
    ['no host', 'san-dns', names({ uris: ['spiffe://example.org/a'] })],
    ['no address', 'san-email', names({})],
    ['no common name', 'subject-cn', subject('O=CN\\=admin')],
    ['a subject that could not be read', 'subject-cn', names({ subject: undefined })],
    ['an empty subject', 'subject', subject('')],
  ])('is missing with %s', (_what, kind, shown) => {
    expect(reasonOf(() => nameOf(shown, kind))).toBe('certificate_name_missing')
  })

  it.each<[string, Parameters<typeof nameOf>[1], CertificateNames]>([
    ['two URIs', 'san-uri', names({ uris: ['spiffe://example.org/a', 'spiffe://example.org/b'] })],
    ['two hosts', 'san-dns', names({ dnsNames: ['a.example', 'b.example'] })],
    ['two addresses', 'san-email', names({ emails: ['a@example.org', 'b@example.org'] })],
    ['two common names', 'subject-cn', subject('CN=ann,CN=admin')],
    ['a subject that could not be read', 'subject', names({ subject: undefined })],
  ])('is not clear with %s', (_what, kind, shown) => {
    expect(reasonOf(() => nameOf(shown, kind))).toBe('certificate_name_ambiguous')
  })

  it.each<[string, Parameters<typeof nameOf>[1], CertificateNames]>([
    ['a SPIFFE id with a port', 'san-uri', names({ uris: ['spiffe://example.org:1/a'] })],
    ['a SPIFFE id in capitals', 'san-uri', names({ uris: ['SPIFFE://example.org/a'] })],
    ['a URI with a blank', 'san-uri', names({ uris: ['https://a.example/x y'] })],
    ['a URI with NUL', 'san-uri', names({ uris: ['https://a.example/x\0'] })],
    ['a text without a scheme', 'san-uri', names({ uris: ['admin'] })],
    ['a wildcard', 'san-dns', names({ dnsNames: ['*.example.org'] })],
    ['a host with NUL', 'san-dns', names({ dnsNames: ['admin.example\0.evil.example'] })],
    ['two hosts in one', 'san-dns', names({ dnsNames: ['a.example, DNS:admin.example'] })],
    ['a host with an empty label', 'san-dns', names({ dnsNames: ['a..example'] })],
    ['an address with a name', 'san-email', names({ emails: ['Ann <ann@example.org>'] })],
    ['an address beyond ASCII', 'san-email', names({ emails: ['\u212Aate@example.org'] })],
    ['a common name with NUL', 'subject-cn', subject('CN=admin\\00.evil')],
    ['a common name with a line break', 'subject-cn', subject('CN=ann\\0Aadmin')],
    ['a common name with a letter nobody sees', 'subject-cn', subject('CN=ad\u200Bmin')],
    ['a common name with a blank at its end', 'subject-cn', subject('CN=admin\\ ')],
    ['an empty common name', 'subject-cn', subject('CN=')],
    ['a subject with a line break', 'subject', subject('CN=ann,O=x\\0ACN=admin')],
  ])('is no name as %s', (_what, kind, shown) => {
    expect(reasonOf(() => nameOf(shown, kind))).toBe('certificate_name_illegal')
  })
})

describe('the names that may call', () => {
  const isListed = nameMatcher(['spiffe://example.org/ns/*/sa/agent', 'CN=*,O=Example', '*.build.example'])
  it.each(['spiffe://example.org/ns/prod/sa/agent', 'CN=ann,O=Example', 'a.build.example', 'a.b.build.example'])(
    '%s is one',
    (name) => {
      expect(isListed(name)).toBe(true)
    },
  )
  it.each([
    'spiffe://example.org/ns/a/b/sa/agent',
    'spiffe://example.org/ns/prod/sa/agent/x',
    'spiffe://example.org.evil/ns/prod/sa/agent',
    'CN=ann,O=Example2',
    'build.example',
    '',
  ])('%s is none', (name) => {
    expect(isListed(name)).toBe(false)
  })
  it('every name is one where none is listed', () => {
    expect(nameMatcher([])('anything')).toBe(true)
  })
})
