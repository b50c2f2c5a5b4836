// Settlement "cookies": `__Host-` for the sign-in's session where there is https, `__Secure-` and a path for each interaction, no
// prefix on plain-http loopback; none of them goes upstream.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Canary, startCanary } from '../support/canary.ts'
import { registerClient } from '../support/client.ts'
import { putEdge } from '../support/edge.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { startMirror } from '../support/oauth-range.ts'

const PUBLIC = 'https://gate.example'

let canary: Canary
let secure: TestGateway
let plain: TestGateway
let removeEdge: (() => Promise<void>) | undefined
beforeAll(async () => {
  canary = await startCanary()
  const servers = [{ id: 'canary', url: canary.url }]
  secure = await startGateway({ servers, server: { url: PUBLIC } })
  plain = await startGateway({ servers })
  removeEdge = putEdge(PUBLIC, secure.port)
})
afterAll(async () => {
  await secure?.close()
  await plain?.close()
  await removeEdge?.()
  await canary?.close()
})

interface Written {
  readonly name: string
  readonly value: string
  /** Lower case, without values. */
  readonly attributes: readonly string[]
  readonly path: string
  readonly line: string
}

/** Every Set-Cookie that browsers of this file were sent. */
const written: Written[] = []
beforeEach(() => {
  written.length = 0
  const real = globalThis.fetch
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (...asked) => {
    const answer = await real(...asked)
    written.push(...answer.headers.getSetCookie().map(parseLine))
    return answer
  })
})
afterEach(() => vi.restoreAllMocks())

function parseLine(line: string): Written {
  const [pair = '', ...rest] = line.split(/; */)
  const at = pair.indexOf('=')
  const path = rest.find((part) => /^path=/i.test(part))?.slice('path='.length) ?? ''
  const attributes = rest.map((part) => (part.split('=')[0] ?? '').toLowerCase())
  return { name: pair.slice(0, at), value: pair.slice(at + 1), attributes, path, line }
}

/** The whole way, and out again: every page that writes a cookie. */
async function signInAndOut(gateway: TestGateway) {
  const client = await registerClient(gateway)
  const person = await gateway.person()
  const tokens = await client.signIn(person, { resource: gateway.resource('canary') })
  await person.open(`${gateway.url}/logout`)
  return { person, tokens }
}
const isSession = ({ name }: Written) => /_session(\.sig)?$/.test(name)
const isInteraction = ({ name }: Written) => /_(interaction|resume)(\.sig)?$/.test(name)

describe('over https', () => {
  it('the session is __Host-: Secure, Path=/, no Domain', async () => {
    await signInAndOut(secure)
    const session = written.filter(isSession)
    expect(session.length).toBeGreaterThan(0)
    for (const { name, path, attributes } of session) {
      expect(name).toMatch(/^__Host-portcullis_session(\.sig)?$/)
      expect([path, attributes.includes('secure'), attributes.includes('domain')]).toEqual(['/', true, false])
    }
  })

  it('an interaction’s cookies are __Secure-, each for the path of its one interaction', async () => {
    await signInAndOut(secure)
    const interaction = written.filter(isInteraction)
    expect(interaction.length).toBeGreaterThan(0)
    for (const { name, path, attributes } of interaction) {
      expect(name).toMatch(/^__Secure-portcullis_(interaction|resume)(\.sig)?$/)
      expect(path).toMatch(/^\/(interaction|oauth\/authorize)\/[\w-]{16,}$/)
      expect(attributes).toContain('secure')
    }
  })

  it('every cookie has a prefix, HttpOnly and SameSite=Lax, and there is none before anyone asked for something', async () => {
    for (const path of ['/', '/health', '/.well-known/oauth-authorization-server', '/servers/canary/mcp'])
      await (await fetch(PUBLIC + path)).body?.cancel()
    expect(written).toEqual([])
    await signInAndOut(secure)
    expect(written.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['__Host-portcullis_session', '__Secure-portcullis_interaction']),
    )
    for (const { name, line } of written) {
      expect(name).toMatch(/^__(Host|Secure)-/)
      expect(line).toMatch(/; *httponly/i)
      expect(line).toMatch(/; *samesite=(lax|strict)/i)
    }
  })
})

describe('on plain-http loopback', () => {
  it('has no prefix and no Secure, which browsers would refuse there, and keeps the rest', async () => {
    await signInAndOut(plain)
    expect(written.some(isSession)).toBe(true)
    expect(written.some(isInteraction)).toBe(true)
    for (const { name, line, attributes } of written) {
      expect(name).not.toMatch(/^__/)
      expect(attributes).not.toContain('secure')
      expect(line).toMatch(/; *httponly/i)
    }
  })

  it('an interaction’s cookie goes to its own address and no other', async () => {
    const mirror = await startMirror()
    const client = await registerClient(plain)
    const person = await plain.person('visitor')
    const page = await person.open(client.authorize({ resource: plain.resource('canary') }).url)
    const { pathname } = new URL(page.url)
    expect(pathname).toMatch(/^\/interaction\//)
    expect(await mirror.cookies(person, pathname)).toContain('portcullis_interaction=')
    for (const path of ['/', '/servers/canary/mcp', '/interaction/another', '/oauth/token'])
      expect([path, await mirror.cookies(person, path)]).toEqual([path, ''])
    mirror.close()
  })
})

describe.each([
  ['https', () => secure],
  ['plain http', () => plain],
])('the session cookie over %s', (_name, gatewayOf) => {
  it('is not forwarded upstream, in any spelling', async () => {
    const gateway = gatewayOf()
    const { tokens } = await signInAndOut(gateway)
    const held = written.filter(isSession).map(({ name, value }) => `${name}=${value}`)
    expect(held.length).toBeGreaterThan(0)
    const before = canary.requests.length
    const answer = await fetch(gateway.resource('canary'), {
      method: 'POST',
      headers: {
        authorization: `Bearer ${tokens.accessToken}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2025-11-25',
        cookie: held.join('; '),
      },
      body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_note","arguments":{}}}',
    })
    expect([answer.status, canary.requests.length]).toEqual([200, before + 1])
    const { rawHeaders = [], body } = canary.requests.at(-1) ?? {}
    const sent = `${rawHeaders.join('\n')}\n${body}`
    expect(sent).not.toMatch(/cookie|portcullis_/i)
    for (const { value } of written.filter(isSession)) expect(sent.includes(value)).toBe(false)
  })

  it('is no credential at the server', async () => {
    const gateway = gatewayOf()
    const { person } = await signInAndOut(gateway)
    expect((await person.request(gateway.resource('canary'), { method: 'POST' })).status).toBe(401)
  })
})
