// A page of another site in the user's browser: DNS rebinding, foreign origins, and what CORS may say. Catalogue rows E33 and E34.
// MCP 2026-07-28 and 2025-11-25, Transports: a foreign Origin is 403. Fetch standard: the CORS protocol.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { registerClient } from '../support/client.ts'
import {
  attackTable,
  type Bend,
  expectNoInside,
  expectNoSecret,
  expectServed,
  MCP_PATH,
  type Range,
  type Shot,
  shoot,
  startRange,
} from '../support/range.ts'
import type { RawAnswer } from '../support/raw.ts'

let range: Range
let listed: Range

beforeAll(async () => {
  range = await startRange()
  listed = await startRange({ server: { allowedOrigins: ['https://app.example.com'] } })
})
afterAll(async () => {
  await range?.close()
  await listed?.close()
})

const CORS = /^access-control-/

/** Refused, nothing upstream, and no word of CORS that would let the page read the answer. */
async function expectForbidden(at: Range, shot: Shot): Promise<RawAnswer> {
  const before = at.canary.requests.length
  const answer = await shoot(at, shot)
  expect([answer.status, answer.body.toString()]).toEqual([403, expect.stringContaining('Forbidden')])
  expect(at.canary.requests.length).toBe(before)
  expect(answer.headers.filter(([name]) => CORS.test(name))).toEqual([])
  expectNoInside(answer.body.toString())
  expectNoSecret(at)
  return answer
}

/** The operator finds the refusal by the id that the answer names. */
function expectLogged(at: Range, answer: RawAnswer, reason: string): void {
  const id = answer.header('x-request-id') ?? ''
  const line = at.gateway.log.find((one) => one.includes(id))
  expect(id).not.toBe('')
  expect(line).toContain(reason)
}

const FOREIGN: readonly { readonly id: string; readonly origin: string }[] = [
  'http://evil.example',
  'https://evil.example',
  'null',
  '',
  'file://',
  'http://127.0.0.1.evil.example',
  'http://localhost.evil.example',
  'http://evil.example#localhost',
  'http://localhost@evil.example',
  'http://evil.example/http://localhost',
  'http://evillocalhost',
  'http://127.0.0.1:80:80',
  'http://127.0.0.1:123456',
  'http://127.1',
  'http://2130706433',
  'http://0x7f.0.0.1',
  'http://0.0.0.0',
  'http://[::ffff:127.0.0.1]',
  'http://localhost.',
  'http://localhost/',
  'http://localhost http://evil.example',
  'ws://localhost',
  'chrome-extension://abcdefghijklmnop',
  'vscode-webview://abc',
  'http://LOCALHOST',
  ' http://l\xf6calhost',
  '*',
].map((origin) => ({ id: origin || 'empty', origin }))

const METHODS = ['POST', 'GET', 'DELETE', 'OPTIONS'] as const

describe('E33 a foreign Origin', () => {
  attackTable('at the MCP door', FOREIGN, async ({ origin }) => {
    for (const method of METHODS)
      for (const bend of [{ Origin: origin }, { Origin: origin, Authorization: undefined }])
        expectLogged(range, await expectForbidden(range, { method, bend }), 'foreign_origin')
    await expectServed(range)
    await expectServed(range, { bend: { Origin: `http://127.0.0.1:${range.gateway.port}` } })
  })

  it('is refused beside an allowed one', async () => {
    const before = range.canary.requests.length
    const pair = ['http://localhost', 'http://evil.example']
    expect((await shoot(range, { bend: { Origin: pair } })).status).toBe(400)
    expect((await shoot(range, { bend: { Origin: pair.toReversed() } })).status).toBe(400)
    expect(range.canary.requests.length).toBe(before)
  })

  it('is no way round by an upgrade, on any address of the wire', async () => {
    const upgrade = {
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'Sec-WebSocket-Protocol': 'mcp',
      Origin: 'http://evil.example',
    }
    for (const target of [MCP_PATH, '/servers/canary/ws', '/ws', '/mcp', '/sse', '/messages', '/admin']) {
      const before = range.canary.requests.length
      // The connection would stay open for a next request: the answer alone counts.
      const { status, headers } = await shoot(range, {
        method: 'GET',
        target,
        bend: { ...upgrade, Connection: 'Upgrade, close' },
      })
      expect([403, 404]).toContain(status)
      expect(headers.filter(([name]) => CORS.test(name) || name === 'upgrade')).toEqual([])
      expect(range.canary.requests.length).toBe(before)
    }
    await expectServed(range)
  })

  it('is refused when only a list of origins is allowed, loopback included', async () => {
    const near = ['https://app.example.com.evil.example', 'http://app.example.com', 'https://app.example.com:8443']
    for (const origin of [...near, 'https://APP.example.com', 'https://xapp.example.com', 'http://localhost', 'null'])
      for (const method of METHODS) await expectForbidden(listed, { method, bend: { Origin: origin } })
    await expectServed(listed, { bend: { Origin: 'https://app.example.com' } })
    await expectServed(listed)
  })
})

const HOSTS: readonly { readonly id: string; readonly host: (port: number) => string }[] = [
  { id: 'another name', host: () => 'evil.example' },
  { id: 'another name on our port', host: (port) => `evil.example:${port}` },
  { id: 'our address in front', host: (port) => `127.0.0.1.evil.example:${port}` },
  { id: 'localhost in front', host: (port) => `localhost.evil.example:${port}` },
  { id: 'localhost behind a dash', host: () => 'evil-localhost' },
  { id: 'a name that resolves to us', host: (port) => `127.0.0.1.nip.io:${port}` },
  { id: 'a short address', host: () => '127.1' },
  { id: 'a number', host: () => '2130706433' },
  { id: 'one word', host: () => 'evil' },
  { id: 'a dot behind', host: () => 'evil.example.' },
]
const ADDRESSES = [
  ...[MCP_PATH, '/mcp', '/sse', '/health', '/oauth/token', '/oauth/authorize', '/register'],
  ...[
    '/.well-known/oauth-authorization-server',
    `/.well-known/oauth-protected-resource${MCP_PATH}`,
    '/admin',
    '/login',
  ],
]

describe('E33 a Host that is not ours', () => {
  attackTable('gets nothing at any address', HOSTS, async ({ host }) => {
    for (const target of ADDRESSES)
      for (const method of ['GET', 'POST']) {
        const bend: Bend = { Host: host(range.gateway.port) }
        expectLogged(range, await expectForbidden(range, { method, target, bend }), 'foreign_host')
      }
    await expectServed(range)
  })

  it('is not believed from X-Forwarded-Host of a stranger either', async () => {
    const own = range.gateway.url
    for (const bend of [
      { 'X-Forwarded-Host': 'evil.example' },
      { Forwarded: 'host=evil.example' },
      { 'X-Host': 'evil.example' },
    ]) {
      const document = await shoot(range, { method: 'GET', target: '/.well-known/oauth-authorization-server', bend })
      expect([document.status, JSON.parse(document.body.toString())]).toMatchObject([200, { issuer: own }])
      const challenge = await shoot(range, { bend: { ...bend, Authorization: undefined } })
      expect(challenge.header('www-authenticate')).toContain(`resource_metadata="${own}/`)
      expect(document.body.toString() + challenge.header('www-authenticate')).not.toContain('evil')
    }
  })

  it('may be any spelling of loopback, since no name server stands between', async () => {
    const { port } = range.gateway
    for (const host of [
      `127.0.0.1:${port}`,
      `localhost:${port}`,
      `LocalHost:${port}`,
      `[::1]:${port}`,
      `app.localhost:${port}`,
    ])
      await expectServed(range, { bend: { Host: host } })
  })
})

describe('a page that is opened under another name of this machine', () => {
  const open = (host: string, target: string, method = 'GET', bend: Bend = {}) =>
    shoot(range, { method, target, bend: { Authorization: undefined, Host: host, ...bend } })
  const others = (port: number) => [`localhost:${port}`, `[::1]:${port}`, `LOCALHOST:${port}`]

  it.each(['/', '/logout', '/setup?token=a%2Fb&x=//evil.example', '/connections?server=https://evil.example'])(
    '%s is led to the name of the gate, as it was asked for',
    async (target) => {
      for (const host of others(range.gateway.port))
        for (const method of ['GET', 'HEAD']) {
          const answer = await open(host, target, method)
          expect([answer.status, answer.header('location')]).toEqual([303, range.gateway.url + target])
        }
      const own = await open(new URL(range.gateway.url).host, target)
      expect(own.header('location') ?? '').not.toBe(range.gateway.url + target)
    },
  )

  it('is not led anywhere from a host, port or header that is not ours', async () => {
    const { port } = range.gateway
    expect((await open(`localhost:${port + 1}`, '/logout')).status).toBe(200)
    expect((await open(`app.localhost:${port}`, '/logout')).status).toBe(200)
    expect((await open('evil.example', '/logout')).status).toBe(403)
    const forwarded = await open(`localhost:${port}`, '/logout', 'GET', { 'X-Forwarded-Host': 'evil.example' })
    expect(forwarded.header('location')).toBe(`${range.gateway.url}/logout`)
  })

  it('takes its forms with it: one that is sent there is refused', async () => {
    const { port, url } = range.gateway
    const bend = { Origin: `http://localhost:${port}`, 'Content-Type': 'application/x-www-form-urlencoded' }
    const answer = await shoot(range, {
      target: '/logout',
      bend: { Authorization: undefined, Host: `localhost:${port}`, ...bend },
      body: 'csrf=x',
    })
    expect([answer.status, answer.header('location')]).toEqual([403, undefined])
    expect(answer.body.toString()).not.toContain(url)
  })

  it.each([
    '/health',
    '/ready',
    '/mcp',
    MCP_PATH,
    '/oauth/token',
    '/oauth/authorize',
    '/api/v1/me',
    '/.well-known/oauth-authorization-server',
    '/assets/portcullis.css',
  ])('%s, which is no page, is answered where it was asked for', async (target) => {
    for (const host of others(range.gateway.port)) {
      const answer = await open(host, target)
      expect(answer.header('location')).toBeUndefined()
      expect(answer.status).not.toBe(303)
    }
    await expectServed(range)
  })
})

const preflight = (origin: string, target = MCP_PATH): Shot => ({
  method: 'OPTIONS',
  target,
  bend: {
    Authorization: undefined,
    Origin: origin,
    'Access-Control-Request-Method': 'POST',
    'Access-Control-Request-Headers':
      'authorization, content-type, mcp-protocol-version, mcp-method, mcp-name, mcp-param-x',
  },
})

const allowed = (answer: RawAnswer) => Object.fromEntries(answer.headers.filter(([name]) => CORS.test(name)))

describe('E34', () => {
  it('a preflight of a known origin is granted that origin, without credentials', async () => {
    for (const [at, origin] of [
      [range, 'http://localhost:6274'],
      [listed, 'https://app.example.com'],
    ] as const) {
      const answer = await shoot(at, preflight(origin))
      expect([answer.status, answer.header('vary')]).toEqual([204, 'Origin'])
      expect(allowed(answer)).toMatchObject({ 'access-control-allow-origin': origin })
      expect(allowed(answer)['access-control-allow-headers']).toContain('mcp-param-x')
      expect(allowed(answer)).not.toHaveProperty('access-control-allow-credentials')
    }
  })

  it('a preflight of an unknown origin is granted nothing', async () => {
    for (const { origin } of FOREIGN) await expectForbidden(range, preflight(origin))
    await expectForbidden(listed, preflight('https://evil.example'))
  })

  it('asked headers are not granted because they were asked for', async () => {
    const asked = 'x-forwarded-user, cookie, mcp-param-ok, mcp-param-b\u00e4d, x-portcullis-assertion, *'
    const shot = preflight('http://localhost:6274')
    const answer = await shoot(range, { ...shot, bend: { ...shot.bend, 'Access-Control-Request-Headers': asked } })
    const granted = allowed(answer)['access-control-allow-headers'] ?? ''
    expect(granted).toContain('mcp-param-ok')
    expect(granted).not.toMatch(/forwarded|cookie|assertion|\*|mcp-param-b/i)
  })

  const PUBLIC = [
    '/.well-known/oauth-authorization-server',
    `/.well-known/oauth-protected-resource${MCP_PATH}`,
    '/.well-known/jwks.json',
  ]
  it('a public document is for everyone, and never with cookies', async () => {
    for (const target of PUBLIC)
      for (const origin of ['https://evil.example', 'null', range.gateway.url]) {
        const answer = await shoot(range, { method: 'GET', target, bend: { Origin: origin, Cookie: 'a=b' } })
        expect([answer.status, allowed(answer)['access-control-allow-origin']]).toEqual([200, '*'])
        expect(allowed(answer)).not.toHaveProperty('access-control-allow-credentials')
        expect(answer.header('set-cookie')).toBeUndefined()
      }
  })

  it('no page with a cookie, and no console, is readable from another site', async () => {
    const client = await registerClient(range.gateway)
    const authorize = new URL(client.authorize({ resource: range.gateway.resource('canary'), scope: 'mcp:tools' }).url)
    const pages = [
      authorize.pathname + authorize.search,
      '/login',
      '/admin',
      '/api/v1/openapi.json',
      '/connections',
      '/health',
    ]
    for (const target of pages)
      for (const origin of ['https://evil.example', 'null']) {
        const bend = { Origin: origin, Authorization: undefined, 'Sec-Fetch-Site': 'cross-site' }
        const answer = await shoot(range, { method: 'GET', target, bend })
        expect(answer.status).toBeLessThan(500)
        expect(allowed(answer)).toEqual({})
      }
    expect((await shoot(range, { method: 'GET', target: authorize.pathname + authorize.search })).status).toBe(303)
  })

  it('a reflected origin never comes with credentials, whatever is asked', async () => {
    const { port } = range.gateway
    const targets = [...ADDRESSES, ...PUBLIC, '/oauth/revoke', '/oauth/register', '/authorize']
    for (const target of targets)
      for (const method of METHODS)
        for (const origin of ['https://evil.example', `http://localhost:${port}`, 'null']) {
          const answer = await shoot(range, {
            method,
            target,
            bend: { Origin: origin, Cookie: 'a=b', Authorization: undefined },
          })
          expect(answer.status).toBeLessThan(500)
          const { 'access-control-allow-origin': granted, ...rest } = allowed(answer)
          expect(rest).not.toHaveProperty('access-control-allow-credentials')
          if (origin !== `http://localhost:${port}`) expect([undefined, '*']).toContain(granted)
          if (granted === '*') expect(answer.header('set-cookie')).toBeUndefined()
        }
  })
})

// B1: the quota of an address is for whoever is there, and in a person's browser any site can post from it without being allowed to read.
describe('B1 registrations that a page of another site begins', () => {
  const attempt = (bend: Bend, body: string): Shot => ({
    target: '/oauth/register',
    bend: { Authorization: undefined, ...bend },
    body,
  })
  const BY_PAGE = attempt({ Origin: 'https://evil.example', 'Content-Type': 'text/plain' }, 'x')
  const BY_PROGRAM = attempt({}, JSON.stringify({ redirect_uris: ['http://127.0.0.1:33418/callback'] }))

  it('use up what pages have, and nothing of what programs on this computer have', async () => {
    const registration = { perAddress: 3, total: 100 }
    const at = await startRange({ oauth: { registration } })
    const statuses = async (shot: Shot, times: number) => {
      const seen: number[] = []
      for (let n = 0; n < times; n++) seen.push((await shoot(at, shot)).status)
      return seen
    }
    expect(await statuses(BY_PAGE, 5)).toEqual([400, 400, 400, 429, 429])
    // One of three has been the client of the range.
    expect(await statuses(BY_PROGRAM, 3)).toEqual([201, 201, 429])
    await at.close()
  })
})
