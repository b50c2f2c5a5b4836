import { describe, expect, it } from 'vitest'
import { Config, type Config as Settled } from '../config/schema.ts'
import { protectedResources } from './protected.ts'
import { parseReturnAddress } from './return-address.ts'

const parsed = Config.parse({
  forwardAuth: {
    resources: [
      { host: 'app.example.com' },
      { host: '*.tenants.example.com' },
      { host: 'app.localhost:8080' },
      { host: 'deep.example.com', path: '/a' },
    ],
  },
})
const config = {
  ...parsed,
  server: { ...parsed.server, url: 'https://gate.example.com', allowedOrigins: [] },
} as Settled
const none = () => []
const scopes = { scopesFor: none, requiredScopesFor: none, stepUpScopesFor: none, isCovered: () => false }
const places = protectedResources({ config, scopes })

describe('a return address', () => {
  it.each([
    ['https://app.example.com', 'https://app.example.com', '/'],
    ['https://app.example.com/a/b?c=d&e=%20', 'https://app.example.com', '/a/b?c=d&e=%20'],
    [
      'https://x.tenants.example.com/?next=https://evil.example',
      'https://x.tenants.example.com',
      '/?next=https://evil.example',
    ],
    ['http://app.localhost:8080/x', 'http://app.localhost:8080', '/x'],
    ['https://deep.example.com/a/b', 'https://deep.example.com', '/a/b'],
  ])('leads to a protected host: %s', (text, origin, target) => {
    expect(parseReturnAddress(text, places)).toEqual({ origin, target, nonceHash: undefined })
  })

  it.each([
    ...[
      '',
      '/',
      '/page',
      '//evil.example',
      '///evil.example',
      '\\\\evil.example',
      '/\\evil.example',
      'https:evil.example',
    ],
    ...[
      'https://evil.example',
      'https://evil.example/app.example.com',
      'https://app.example.com.evil.example',
      'https://app.example.com@evil.example',
    ],
    ...[
      'https://evil.example\\@app.example.com',
      'https://app.example.com\\@evil.example',
      'https://u:p@app.example.com/',
      'https://app.example.com%2eevil.example',
    ],
    ...[
      'https://app.example.com%00.evil.example',
      'https://app.example.com\t.evil.example',
      'https://app.example.com\n',
      ' https://app.example.com',
      'https://app.example.com ',
    ],
    ...[
      'HTTPS://app.example.com',
      'https://APP.example.com',
      'https://app.example.com:443/',
      'https://app.example.com:8443/',
      'https:///app.example.com',
      'https:/app.example.com',
    ],
    ...[
      'http://app.example.com/',
      'javascript:alert(1)',
      'data:text/html,x',
      'javascript://app.example.com/%0aalert(1)',
      'ftp://app.example.com/',
      '//app.example.com/',
    ],
    ...[
      'https://app.example.com/#x',
      'https://app.example.com/a/../b',
      'https://app.example.com//evil.example',
      'https://app.example.com/%2e%2e',
      'https://app.example.com/a%0d%0ab',
    ],
    ...[
      'https://app.example.com/a\\b',
      'https://app.example.com/"',
      'https://xn--app-.example.com/',
      'https://аpp.example.com/',
      'https://app。example.com/',
      'https://deep.example.com/b',
    ],
    ...[
      'https%3a%2f%2fapp.example.com',
      '%68ttps://app.example.com',
      'https://a.b.tenants.example.com/',
      'https://tenants.example.com/',
      'https://gate.example.com/oauth/authorize',
    ],
  ])('leads nowhere else: %j', (text) => {
    expect(parseReturnAddress(text, places)).toBeUndefined()
  })
})
