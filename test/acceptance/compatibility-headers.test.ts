// Header fields of the five systems at the running gate: what it sets, what goes to no server, and what it neither reads nor sends.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { rowsOf } from '../../src/config/compatibility/rows.ts'
import { SEEDS } from '../../src/config/seed-rows.ts'
import { type Canary, startCanary } from '../support/canary.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { callTool } from '../support/mcp.ts'
import { lastCall } from '../support/told.ts'

let canary: Canary
let gateway: TestGateway
let token: string
beforeAll(async () => {
  canary = await startCanary()
  gateway = await startGateway({ servers: [{ id: 'notes', url: canary.url }] })
  token = await gateway.tokenFor('notes')
})
afterAll(async () => {
  await gateway?.close()
  await canary?.close()
})

const VALUE = 'written-by-the-caller'
const ORIGIN = 'http://localhost:6274'
const call = (headers: Record<string, string>) =>
  callTool(gateway.resource('notes'), token, 'read_note', {}, { origin: ORIGIN, ...headers })
const arrived = () => lastCall(canary).rawHeaders
/** The gate has questions of its own: what the server speaks, what it offers. */
const calls = () => canary.requests.filter(({ body }) => body.includes('"tools/call"')).length
const namesOf = (rawHeaders: readonly string[]) =>
  rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase())

const others = SEEDS.flatMap(rowsOf).filter(
  ({ kind, says }) => kind === 'header' && says === 'is neither read nor sent',
)

describe('a field that is not in force', () => {
  it.each([...new Set(others.map(({ name }) => name))])('%s is neither read nor sent', async (name) => {
    const before = calls()
    const plain = await call({})
    const { status, body, headers } = await call({ [name]: VALUE })
    expect([status, body]).toEqual([200, plain.body])
    expect(calls()).toBe(before + 2)
    expect(arrived().join('\n')).not.toContain(VALUE)
    expect(namesOf(arrived())).not.toContain(name.toLowerCase())
    expect([...headers.keys()]).not.toContain(name.toLowerCase())
    const document = await fetch(`${gateway.url}/.well-known/oauth-protected-resource`, { headers: { origin: ORIGIN } })
    expect([...document.headers.keys()]).not.toContain(name.toLowerCase())
  })
})

describe('what a caller sends beside its token', () => {
  it.each(['Cookie', 'Proxy-Authorization', 'Set-Cookie', 'api-key', 'apikey', 'X-Auth-Token', 'X-Access-Token'])(
    '%s goes to no server',
    async (name) => {
      expect((await call({ [name]: VALUE })).status).toBe(200)
      expect(arrived().join('\n')).not.toContain(VALUE)
      expect(namesOf(arrived())).not.toContain(name.toLowerCase())
    },
  )

  it('nor does the token', async () => {
    expect((await call({})).status).toBe(200)
    expect(arrived().join('\n')).not.toContain(token)
    expect(namesOf(arrived())).not.toContain('authorization')
  })

  it('and the id of a request is ours', async () => {
    const { headers } = await call({ 'X-Request-Id': VALUE })
    const sent = arrived()
    expect(sent[sent.findIndex((name) => name.toLowerCase() === 'x-request-id') + 1]).toBe(headers.get('x-request-id'))
    expect(headers.get('x-request-id')).not.toBe(VALUE)
  })
})

it('nothing of the caller is put into the message', async () => {
  await call({})
  const { params } = JSON.parse(lastCall(canary).body.toString()) as { params: { _meta: object } }
  expect(Object.keys(params._meta).every((key) => key.startsWith('io.modelcontextprotocol/'))).toBe(true)
})

describe('our pages', () => {
  it.each(['GET /', 'GET /oauth/authorize'])('%s has the fields that a proxy was told to add', async (at) => {
    const page = await fetch(gateway.url + at.slice(4), { redirect: 'manual' })
    expect(page.headers.get('X-Frame-Options')).toBe('DENY')
    expect(page.headers.get('X-Content-Type-Options')).toBe('nosniff')
    expect(page.headers.get('Referrer-Policy')).toBe('same-origin')
    expect(page.headers.get('Content-Security-Policy')).toMatch(/^default-src 'none';.*frame-ancestors 'none'/)
    expect(page.headers.get('X-XSS-Protection')).toBeNull()
  })

  it.each(['/', '/health', '/tools', '/.well-known/oauth-protected-resource', '/nothing'])(
    '%s does not say what it runs on: no Server, no X-Powered-By',
    async (path) => {
      const { headers } = await fetch(gateway.url + path)
      expect([headers.get('Server'), headers.get('X-Powered-By')]).toEqual([null, null])
    },
  )
})

describe('a preflight', () => {
  const ask = (path: string) =>
    fetch(gateway.url + path, {
      method: 'OPTIONS',
      headers: {
        origin: ORIGIN,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization, content-type, mcp-protocol-version',
      },
    })

  it.each(['/.well-known/oauth-protected-resource', '/.well-known/oauth-authorization-server', '/servers/notes/mcp'])(
    'of %s lasts a day, names the fields that clients send, and says nothing of cookies',
    async (path) => {
      const { status, headers } = await ask(path)
      expect(status).toBe(204)
      expect(headers.get('Access-Control-Max-Age')).toBe('86400')
      for (const field of ['Authorization', 'Content-Type', 'MCP-Protocol-Version'])
        expect(headers.get('Access-Control-Allow-Headers')).toContain(field)
      expect(headers.get('Access-Control-Allow-Credentials')).toBeNull()
    },
  )
})
