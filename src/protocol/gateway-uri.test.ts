import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { gatewayUriMatcher, parseGatewayPattern } from './gateway-uri.ts'
import { RedirectUriError } from './redirect-uri.ts'

const EXACT = ['http://localhost:8090/oauth/callback', 'https://mcp.example.com/oauth/callback']
const strictly = gatewayUriMatcher(EXACT, { strict: true, development: false })
const LOOSE = { strict: false, development: false }
const loosely = (...patterns: string[]) => gatewayUriMatcher(patterns, LOOSE)

describe('callbacks compared letter by letter', () => {
  it.each(EXACT)('%s', (uri) => expect(strictly(uri)).toBe(true))

  it.each([
    'http://localhost:8091/oauth/callback',
    'http://127.0.0.1:8090/oauth/callback',
    'http://localhost:8090/oauth/callback/',
    'http://localhost:8090/oauth/Callback',
    'http://localhost:8090/oauth/callback?x=1',
    'http://localhost:8090/oauth/callback#x',
    'http://localhost:8090/oauth/./callback',
    'http://localhost:8090//oauth/callback',
    'HTTP://localhost:8090/oauth/callback',
    'https://mcp.example.com:443/oauth/callback',
    'https://mcp.example.com/oauth/callback%0d%0aLocation:',
    'https://mcp.example.com@evil.example/oauth/callback',
    'https://mcp.example.com.evil.example/oauth/callback',
    'https://mcp.exämple.com/oauth/callback',
    'http://localhost:*',
    'javascript:alert(1)',
    '',
  ])('not %s', (uri) => expect(strictly(uri)).toBe(false))

  it('an empty list allows nothing', () => {
    for (const rules of [LOOSE, { strict: true, development: true }]) {
      const none = gatewayUriMatcher([], rules)
      expect([...EXACT, 'http://localhost:1/'].filter(none)).toEqual([])
    }
  })
})

describe('a wildcard for the port', () => {
  const anyPort = loosely('http://localhost:*')
  const onePath = loosely('http://127.0.0.1:*/oauth/callback')

  it.each(['http://localhost:8090/oauth/callback', 'http://localhost:1/', 'http://localhost:65535/a?b=c'])(
    '%s',
    (uri) => expect(anyPort(uri)).toBe(true),
  )

  it.each([
    'http://localhost:1@evil.example/x',
    'http://localhost:1@evil.example:80/oauth/callback',
    'http://localhost:@evil.example/',
    'http://localhost:1%40evil.example/',
    'http://localhost:1\\@evil.example/',
    'http://localhost:1#@evil.example/',
    'http://localhost:80.evil.example/',
    'http://localhost.evil.example:1/',
    'http://localhost:99999/',
    'http://localhost:1/a/../b',
    'http://localhost:1/?code=x',
    'http://127.0.0.1:1/',
    'https://localhost:1/',
    'http://[::1]:1/',
  ])('not %s', (uri) => expect(anyPort(uri)).toBe(false))

  it('keeps the path where there is one', () => {
    expect(onePath('http://127.0.0.1:9/oauth/callback')).toBe(true)
    expect(onePath('http://127.0.0.1:9/oauth/callback/x')).toBe(false)
    expect(onePath('http://127.0.0.1:9/')).toBe(false)
  })

  it('reaches no other host, whatever is written in its place', () => {
    const piece = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom('8090', '/cb', '@', '#', '?', '/', '\\', ':', '.', '%40'),
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
        const uri = `http://localhost:${pieces.join('')}`
        if (!anyPort(uri)) return
        const { protocol, hostname, username, password, hash } = new URL(uri)
        expect([protocol, hostname, username, password, hash]).toEqual(['http:', 'localhost', '', '', ''])
      }),
    )
  })
})

describe('a wildcard for one label', () => {
  const anyTenant = loosely('https://*.example.com/oauth/callback')

  it.each(['https://a.example.com/oauth/callback', 'https://tenant-1.example.com/oauth/callback'])('%s', (uri) =>
    expect(anyTenant(uri)).toBe(true),
  )

  it.each([
    'https://example.com/oauth/callback',
    'https://.example.com/oauth/callback',
    'https://a.b.example.com/oauth/callback',
    'https://a.example.com.evil.example/oauth/callback',
    'https://evilexample.com/oauth/callback',
    'https://a.example.com:8443/oauth/callback',
    'https://a.example.com/oauth/other',
    'http://a.example.com/oauth/callback',
    'https://x@a.example.com/oauth/callback',
  ])('not %s', (uri) => expect(anyTenant(uri)).toBe(false))

  it('stands for exactly one label, whatever is written in its place', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 12 }), (text) => {
        if (anyTenant(`https://${text}.example.com/oauth/callback`)) expect(text).toMatch(/^[a-z0-9-]{1,63}$/)
      }),
    )
  })
})

describe('patterns that a configuration may not have', () => {
  it.each([
    ['http://localhost:*', 'strict'],
    ['https://*.example.com/cb', 'strict'],
  ])('%s under strict', (text) => {
    expect(() => parseGatewayPattern(text, { strict: true, development: true })).toThrow('letter by letter')
  })

  it.each([
    ['*', 'one `*`'],
    ['https://*', 'one `*`'],
    ['https://*/cb', 'one `*`'],
    ['https://*.com/cb', 'one `*`'],
    ['https://a*.example.com/cb', 'one `*`'],
    ['https://*.*.example.com/cb', 'one `*`'],
    ['https://*.example.com:*/cb', 'one `*`'],
    ['https://example.com:80*/cb', 'one `*`'],
    ['https://example.com/*', 'one `*`'],
    ['https://example.com/cb?x=*', 'one `*`'],
    ['*://example.com/cb', 'one `*`'],
    ['https://user@example.com:*/cb', 'one `*`'],
    ['https://*:x@example.com/cb', 'one `*`'],
    ['https://*.example.com', 'needs the path'],
    ['https://mcp.example.com:*', 'needs the path'],
    ['https://*.example.com/a/../cb', 'written as'],
    ['https://*.EXAMPLE.com/cb', 'one `*`'],
    ['http://*.example.com/cb', 'https beyond loopback'],
    ['http://mcp.example.com/cb', 'https beyond loopback'],
    ['https://mcp.example.com/cb#x', 'fragment'],
    ['cursor://callback', 'http or https'],
    ['not a uri', 'plain ASCII'],
  ])('%s', (text, said) => {
    const parse = () => parseGatewayPattern(text, LOOSE)
    expect(parse).toThrow(RedirectUriError)
    expect(parse).toThrow(said)
  })

  it.each(['http://mcp.example.com:8090/cb', 'http://*.example.com/cb', 'http://mcp.example.com:*/cb'])(
    '%s in development only',
    (text) => {
      expect(() => parseGatewayPattern(text, LOOSE)).toThrow('https')
      const allowed = gatewayUriMatcher([text], { strict: false, development: true })
      expect(allowed(text.replace('*', text.includes(':*') ? '81' : 'a'))).toBe(true)
    },
  )

  it('https on loopback is a callback like any other', () => {
    expect(loosely('https://localhost:8443/cb')('https://localhost:8443/cb')).toBe(true)
  })
})
