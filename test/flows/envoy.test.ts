// Envoy in front of a protected host, asking over HTTP and over gRPC, with the configuration that we ship. Its filter is replayed to the
// letter; where the program itself is found (`envoy` in the PATH), it runs as well.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Envoy, shippedFilter, startEnvoy } from '../support/envoy.ts'
import { findEnvoy, startRealEnvoy } from '../support/envoy-program.ts'
import { APP, type ForwardRange, GATE, startForwardRange } from '../support/forward-range.ts'
import { ANN } from '../support/gateway.ts'
import { COPIED, valuesOf } from '../support/ingress.ts'
import { createPerson } from '../support/person.ts'
import { freePort } from '../support/upstream.ts'

const HOST = 'app.example.com'
const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
const call = (name: string, text = '') =>
  JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: { text } } })
const modern = (name: string) => ({
  'mcp-protocol-version': '2026-07-28',
  'mcp-method': 'tools/call',
  'mcp-name': name,
})

type Start = (ports: { http: number; grpc: number }) => Promise<Envoy>
const BODY = { most: 4096, packAsBytes: true }
const KINDS: [string, Start][] = [
  ['over HTTP', ({ http }) => startEnvoy({ http, host: HOST, body: BODY })],
  [
    'over gRPC, each line of a header by itself',
    ({ grpc }) => startEnvoy({ grpc, host: HOST, body: BODY, rawHeaders: true }),
  ],
  [
    'over gRPC, headers joined and the message as text',
    ({ grpc }) => startEnvoy({ grpc, host: HOST, body: { most: 4096 } }),
  ],
]
if (findEnvoy() !== undefined)
  for (const kind of ['http', 'grpc'] as const)
    KINDS.push([`the program over ${kind}`, (ports) => startRealEnvoy(kind, ports, HOST, BODY.most)])

const POLICY = {
  rules: [
    { id: 'read', allow: [`${HOST}/read_*`], to: ['group:engineering'] },
    { id: 'whole', allow: [`${HOST}/*`], to: ['group:finance'] },
  ],
}

describe.each(KINDS)('%s', (_kind, start) => {
  let range: ForwardRange
  let envoy: Envoy
  let token: string
  let whole: string
  beforeAll(async () => {
    const grpc = await freePort()
    range = await startForwardRange({
      policy: POLICY,
      forwardAuth: { resources: [{ host: HOST }], grpc: `127.0.0.1:${grpc}` },
    })
    envoy = await start({ http: range.gateway.port, grpc })
    token = await range.tokenFor()
    whole = await range.tokenFor(APP, { person: await range.gateway.person('bob') })
  })
  afterAll(async () => {
    await envoy?.close()
    await range?.close()
  })

  const send = (path: string, init: RequestInit = {}) =>
    fetch(`http://127.0.0.1:${envoy.port}${path}`, {
      redirect: 'manual',
      ...init,
      headers: { host: HOST, ...init.headers },
    })
  const post = (body: string, headers: Record<string, string>) =>
    send('/mcp', { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } })
  const lastPassed = () => envoy.passed.at(-1)

  it('sends a program without a token to where it gets one, and takes that', async () => {
    const answer = await send('/mcp')
    expect(answer.status).toBe(401)
    expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
    const address = /resource_metadata="([^"]+)"/.exec(answer.headers.get('www-authenticate') ?? '')?.[1] ?? ''
    const document = (await (await fetch(address)).json()) as { resource: string }
    expect(document.resource).toBe(`${APP}/mcp`)
    const before = envoy.passed.length
    const own = await range.tokenFor(document.resource)
    expect((await send('/mcp?page=1', { headers: bearer(own) })).status).toBe(200)
    expect(envoy.passed.slice(before).map(({ method, target }) => [method, target])).toEqual([['GET', '/mcp?page=1']])
  })

  it('tells the server behind who it is, in every field, whatever the caller wrote there', async () => {
    const forged = Object.fromEntries(COPIED.map((name) => [name, 'root']))
    expect((await send('/', { headers: { ...forged, ...bearer(whole) } })).status).toBe(200)
    const passed = lastPassed()
    expect(passed?.rawHeaders.includes('root')).toBe(false)
    expect(passed && valuesOf(passed, 'X-Forwarded-User')).toEqual(['bob@example.com'])
    expect(passed && valuesOf(passed, 'X-Forwarded-Groups')).toEqual(['finance'])
    expect((passed && valuesOf(passed, 'X-Portcullis-Assertion'))?.join()).toMatch(/^ey[\w-]+\.[\w-]+\.[\w-]+$/)
  })

  it('sends a browser to the sign-in, and knows it by its cookie afterwards', async () => {
    const page = { accept: 'text/html', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }
    const answer = await send('/page', { headers: page })
    expect(answer.status).toBe(302)
    expect(answer.headers.get('location')).toMatch(new RegExp(`^${GATE}/auth/sign-in\\?state=`))
    expect(answer.headers.get('set-cookie')).toMatch(/^__Host-portcullis_forward_start=/)
  })

  it('decides calls of single tools by the message', async () => {
    expect((await post(call('read_note'), bearer(token))).status).toBe(200)
    expect(lastPassed()?.body).toBe(call('read_note'))
    expect((await post(call('delete_note'), bearer(token))).status).toBe(403)
    expect((await post(call('delete_note'), { ...bearer(token), ...modern('read_note') })).status).toBe(400)
    expect((await post(call('delete_note'), bearer(whole))).status).toBe(200)
    expect((await post('not json', bearer(token))).status).toBe(400)
    const events = await range.gateway.audit((all) => all.some((event) => event.reason === 'no_rule_allows'))
    const [denied] = events.filter((event) => event.reason === 'no_rule_allows')
    expect(denied).toMatchObject({ server: HOST, method: 'tools/call', name: 'delete_note', decision: 'deny' })
  })

  it('takes no beginning of a message for the message (E9)', async () => {
    const padded = call('delete_note', 'x'.repeat(BODY.most))
    const before = envoy.passed.length
    // The program answers itself what is too large; either way nothing gets past.
    expect([403, 413]).toContain((await post(padded, { ...bearer(token), ...modern('read_note') })).status)
    expect([403, 413]).toContain((await post(padded, bearer(token))).status)
    expect(envoy.passed.length).toBe(before)
  })

  it('hands on the caller’s cookies without ours (D21)', async () => {
    const page = { accept: 'text/html', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }
    const start = (await send('/page', { headers: page })).headers.get('set-cookie')?.split(';', 1)[0] ?? ''
    expect(start).toMatch(/^__Host-portcullis_forward_start=./)
    const session = start.replace('_start', '')
    for (const [cookie, expected] of [
      [`app=1; ${start}; other=2`, 'app=1; other=2'],
      [`${session}; ${start}`, ''],
      ['app=1; other=2', 'app=1; other=2'],
    ] as const) {
      expect((await send('/', { headers: { cookie, ...bearer(whole) } })).status).toBe(200)
      const passed = lastPassed()
      expect((passed ? valuesOf(passed, 'cookie') : ['?']).join()).toBe(expected)
    }
  })

  it('keeps two people apart over one connection', async () => {
    for (const [own, who] of [
      [token, 'ann@example.com'],
      [whole, 'bob@example.com'],
      [token, 'ann@example.com'],
    ] as const) {
      expect((await send('/', { headers: bearer(own) })).status).toBe(200)
      const passed = lastPassed()
      expect(passed && valuesOf(passed, 'X-Forwarded-User')).toEqual([who])
    }
  })

  it('removes what of a person without groups nobody said', async () => {
    await range.gateway.addUser({ username: 'lone', password: ANN.password, groups: ['finance'] })
    const person = createPerson({ username: 'lone', password: ANN.password })
    const own = await range.tokenFor(APP, { person })
    expect((await send('/', { headers: { ...bearer(own), 'x-forwarded-teams': 'root' } })).status).toBe(200)
    const passed = lastPassed()
    expect((passed ? valuesOf(passed, 'X-Forwarded-Teams') : ['?']).join('')).toBe('')
  })
})

describe('the shipped configuration', () => {
  it.each(['http', 'grpc'] as const)('%s keeps shut what fails, and cuts no message', (kind) => {
    const filter = shippedFilter(kind)
    expect(filter.failure_mode_allow).toBe(false)
    expect(filter.with_request_body.allow_partial_message).toBe(false)
  })

  it('over HTTP copies every field that we set', () => {
    const { patterns } = shippedFilter('http').http_service.authorization_response.allowed_upstream_headers
    const copied = [...COPIED, 'Cookie'].map((name) => name.toLowerCase())
    expect(patterns.map(({ exact }) => exact)).toEqual(expect.arrayContaining(copied))
  })

  it('over gRPC sends what came, byte for byte', () => {
    expect(shippedFilter('grpc')).toMatchObject({
      encode_raw_headers: true,
      with_request_body: { pack_as_bytes: true },
    })
  })
})
