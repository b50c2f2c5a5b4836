import { X509Certificate } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createAuthority } from '../../test/support/authority.ts'
import { parseCertificateField, parseEncodedCertificate, parseForwardedElement } from './forwarded-certificate.ts'

const HASH = 'Hash=468ed33be74eee6556d90c0149c1309e9ba61d6425303443c0748a02dd8de688'
const { cert } = createAuthority('Forwarded').issue({ sans: { uri: ['spiffe://example.org/a'] } })
const der = new X509Certificate(cert).raw

describe('X-Forwarded-Client-Cert', () => {
  it.each<[string, string, object]>([
    [
      'what Envoy writes of one client',
      `By=spiffe://example.org/edge;${HASH};Subject="CN=ann,O=Example";URI=spiffe://example.org/a;DNS=a.example;DNS=b.example`,
      { subject: 'CN=ann,O=Example', uris: ['spiffe://example.org/a'], dnsNames: ['a.example', 'b.example'] },
    ],
    [
      'the last of several elements: the client of the proxy before us',
      `${HASH};URI=spiffe://example.org/forged,By=spiffe://example.org/edge;${HASH};URI=spiffe://example.org/a`,
      { uris: ['spiffe://example.org/a'], dnsNames: [] },
    ],
    ['blanks behind a comma', `${HASH};DNS=x.example, ${HASH};DNS=a.example`, { dnsNames: ['a.example'] }],
    ['keys in any case', `${HASH};uri=spiffe://example.org/a`, { uris: ['spiffe://example.org/a'] }],
    ['an equals sign in a value', `${HASH};URI=https://a.example/x?y=z`, { uris: ['https://a.example/x?y=z'] }],
    [
      'separators and quotes inside quotes',
      `${HASH};Subject="CN=a\\,b,O=x;URI=y\\"z\\\\"`,
      { subject: 'CN=a\\,b,O=x;URI=y\\"z\\\\', uris: [] },
    ],
    ['an empty subject', `${HASH};Subject=""`, { subject: '', uris: [] }],
    ['a certificate', `Cert="${encodeURIComponent(cert)}"`, { cert: encodeURIComponent(cert) }],
    ['a proxy that had none', 'Cert=""', { cert: '', subject: undefined }],
  ])('%s', (_what, value, element) => {
    expect(parseForwardedElement(value)).toMatchObject(element)
  })

  it.each([
    ['nothing', ''],
    ['a word', 'hello'],
    ['a pair without its value', `${HASH};URI`],
    ['a quote that never ends', `${HASH};Subject="CN=a`],
    ['text behind a quote', `${HASH};Subject="CN=a"b`],
    ['a quote inside a plain value', `${HASH};URI=a"b`],
    ['two subjects', `${HASH};Subject="CN=a";Subject="CN=b"`],
    ['two certificates', 'Cert="a";Cert="b"'],
    ['an element that is none', `${HASH};URI=a,,${HASH};URI=b`],
    ['a comma at the end', `${HASH};URI=a,`],
    ['a semicolon at the end', `${HASH};URI=a;`],
    ['an element on the left that swallows the next', `Subject=",${HASH};Subject="CN=a";URI=b`],
    ['a broken element on the left', `URI="a,${HASH};URI=b`],
  ])('says nothing when it is %s', (_what, value) => {
    expect(parseForwardedElement(value)).toBeUndefined()
  })

  it('holds a certificate in percent encoding', () => {
    expect(parseEncodedCertificate(encodeURIComponent(cert))?.raw.equals(der)).toBe(true)
  })
  it.each([
    ['plain text', 'hello'],
    ['a broken encoding', '%E0%A4%A'],
    ['two of them', encodeURIComponent(cert + cert)],
    ['one with text before it', encodeURIComponent(`x\n${cert}`)],
    ['wrong bytes', encodeURIComponent('-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n')],
  ])('holds none as %s', (_what, text) => {
    expect(parseEncodedCertificate(text)).toBeUndefined()
  })
})

describe('RFC 9440 §2.1: Client-Cert', () => {
  const field = (bytes: Buffer) => `:${bytes.toString('base64')}:`

  it('is a byte sequence of DER', () => {
    expect(parseCertificateField(field(der))?.raw.equals(der)).toBe(true)
    expect(parseCertificateField(` ${field(der)} `)?.raw.equals(der)).toBe(true)
  })
  it.each([
    ['nothing', ''],
    ['an empty sequence', '::'],
    ['base64 without its colons', der.toString('base64')],
    ['a list', `${field(der)}, ${field(der)}`],
    ['one with a parameter', `${field(der)};a=1`],
    ['PEM', field(Buffer.from(cert))],
    ['bytes behind the certificate', field(Buffer.concat([der, Buffer.from('x')]))],
    ['a cut-off certificate', field(der.subarray(0, 100))],
    ['base64 for URLs', `:${der.toString('base64url')}-_:`],
  ])('is not %s', (_what, value) => {
    expect(parseCertificateField(value)).toBeUndefined()
  })
})
