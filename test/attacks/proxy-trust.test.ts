// Whose word counts, and for what: catalogue rows D9, D10, D16, and C27 where a proxy speaks beside the caller.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Canary, startCanary } from '../support/canary.ts'
import { registerClient } from '../support/client.ts'
import { type CurlOptions, curl } from '../support/curl.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { ELSEWHERE, proxied, startProxiedRange } from '../support/proxied.ts'
import {
  attackTable,
  type Bend,
  expectNoSecret,
  expectRefusal,
  expectServed,
  type Range,
  shoot,
  toolCall,
} from '../support/range.ts'
import { freePort } from '../support/upstream.ts'

let range: Range
beforeAll(async () => {
  range = await startProxiedRange({ metrics: { allow: ['203.0.113.9'] } })
})
afterAll(() => range?.close())

const JOHN = { 'X-Forwarded-User': 'john' }
const eventOf = async (answer: Awaited<ReturnType<typeof shoot>>) => {
  const id = answer.header('x-request-id')
  const events = await range.gateway.audit((all) => all.some((event) => event.id === id))
  return events.find((event) => event.id === id)
}

interface Chain {
  readonly id: string
  readonly chain: string
  /** Whom the record names when a trusted proxy sends this. */
  readonly client: string
}

const SPOOF = '127.0.0.1, 10.0.0.1, 198.51.100.1'
const CHAINS: readonly Chain[] = [
  { id: 'one hop', chain: '203.0.113.9', client: '203.0.113.9' },
  { id: 'a spoofed chain before it', chain: `${SPOOF}, 203.0.113.9`, client: '203.0.113.9' },
  { id: 'two trusted hops', chain: `${SPOOF}, 203.0.113.9, 10.0.0.7`, client: '203.0.113.9' },
  { id: 'a mapped hop', chain: '203.0.113.9, ::ffff:10.0.0.7', client: '203.0.113.9' },
  { id: 'IPv6', chain: '127.0.0.1, 2001:db8::7', client: '2001:db8::7' },
  { id: 'IPv6 with a port', chain: '127.0.0.1, [2001:db8::7]:4711', client: '2001:db8::7' },
  { id: 'a port', chain: '127.0.0.1, 203.0.113.9:4711', client: '203.0.113.9' },
  { id: 'fifty entries', chain: `${'10.0.0.1, '.repeat(49)}203.0.113.9`, client: '203.0.113.9' },
  { id: 'fifty trusted ones only', chain: '10.0.0.1,'.repeat(50).slice(0, -1), client: '127.0.0.1' },
  { id: 'more than anybody has', chain: `${'1.1.1.1,'.repeat(1_000)}203.0.113.9`, client: '127.0.0.1' },
  { id: 'junk', chain: 'unknown', client: '127.0.0.1' },
  { id: 'junk before a hop', chain: 'localhost, 10.0.0.7', client: '127.0.0.1' },
  { id: 'blanks', chain: ' , ,', client: '127.0.0.1' },
]

describe('D9', () => {
  attackTable('X-Forwarded-For', CHAINS, async ({ chain, client }) => {
    const bend = { 'X-Forwarded-For': chain }
    expect(await eventOf(await expectServed(range, { bend }))).toMatchObject({ address: client })
    // From anybody else it says nothing at all.
    const direct = await expectServed(range, { bend, from: ELSEWHERE })
    expect(await eventOf(direct)).toMatchObject({ address: ELSEWHERE })
    // What is allowed by address is allowed by that one.
    const metrics = async (from?: string) =>
      (await shoot(range, { method: 'GET', target: '/metrics', bend, ...(from && { from }) })).status
    expect([await metrics(), await metrics(ELSEWHERE)]).toEqual([client === '203.0.113.9' ? 200 : 404, 404])
  })

  it('5,000 entries do not get as far', async () => {
    const bend = { 'X-Forwarded-For': `${'1.1.1.1,'.repeat(5_000)}203.0.113.9` }
    await expectRefusal(range, { bend }, { status: 431 })
    await expectServed(range)
  })

  it('twice it is no chain', async () => {
    const bend = { 'X-Forwarded-For': ['203.0.113.9', '127.0.0.1'] }
    await expectRefusal(range, { bend }, { status: 400 })
    await expectServed(range)
  })
})

describe('D10', () => {
  const FORGED = [
    'X-Forwarded-Proto: https',
    'X-Forwarded-Host: evil.example',
    'X-Forwarded-Port: 1',
    'X-Forwarded-Server: evil.example',
    'X-Original-Host: evil.example',
    'Forwarded: for=127.0.0.1;host=evil.example;proto=https',
  ]
  /** What of an answer says where we are. */
  async function identityAt(target: string, options: CurlOptions) {
    const { status, body, header, lines } = await curl(range.gateway.port, target, options)
    // Names and attributes; values, the paths of one interaction and the second they end in differ from one request to the next.
    const cookies = lines('set-cookie').map((line) =>
      line.replace(/=[^;]*/, '').replace(/(path|expires)=[^;]*/gi, '$1'),
    )
    return { status, body, challenge: header('www-authenticate'), location: header('location')?.split('?')[0], cookies }
  }

  it.each([
    '/.well-known/oauth-authorization-server',
    '/.well-known/oauth-protected-resource/servers/canary/mcp',
    '/tools',
  ])('%s keeps the configured origin, whoever says otherwise', async (target) => {
    for (const from of ['127.0.0.1', ELSEWHERE]) {
      const plain = await identityAt(target, { from })
      const forged = await identityAt(target, { from, headers: FORGED })
      expect(forged).toEqual(plain)
      expect(JSON.stringify(plain)).toContain(range.gateway.url)
      expect(JSON.stringify(forged)).not.toContain('evil.example')
    }
  })

  it('a cookie is not made Secure by it, nor sent elsewhere', async () => {
    const client = await registerClient(range.gateway)
    const { url } = client.authorize({ resource: range.gateway.resource('canary'), scope: 'mcp:tools' })
    const target = url.slice(range.gateway.url.length)
    const plain = await identityAt(target, { from: ELSEWHERE })
    const forged = await identityAt(target, { from: ELSEWHERE, headers: FORGED })
    expect(plain.status).toBe(303)
    expect(plain.cookies.length).toBeGreaterThan(0)
    expect([forged.status, forged.cookies]).toEqual([plain.status, plain.cookies])
    expect(plain.cookies.join()).not.toMatch(/secure/i)
    expect(forged.location).not.toContain('evil.example')
  })
})

describe('D16', () => {
  let canary: Canary
  const gates: TestGateway[] = []
  beforeAll(async () => {
    canary = await startCanary()
  })
  afterAll(async () => {
    for (const gate of gates) await gate.close()
    await canary?.close()
  })

  /** On every address of this machine, IPv4 in IPv6's clothes. */
  async function startWide(trustedProxies: readonly string[]) {
    const port = await freePort()
    const gate = await startGateway({
      servers: [{ id: 'canary', url: canary.url }],
      auth: { tokens: false, proxy: {} },
      server: { listen: `[::]:${port}`, url: `http://127.0.0.1:${port}`, trustedProxies: [...trustedProxies] },
    })
    gates.push(gate)
    return async (from: string) => {
      const answer = await curl(port, '/tools', { from, headers: ['X-Authenticated-User: root'] })
      return answer.status
    }
  }

  it.each<[string, readonly string[], readonly [string, number][]]>([
    [
      'one address',
      ['127.0.0.2'],
      [
        ['127.0.0.2', 200],
        ['127.0.0.1', 401],
        ['127.0.0.20', 401],
      ],
    ],
    [
      'a range',
      ['127.0.1.0/24'],
      [
        ['127.0.1.1', 200],
        ['127.0.1.255', 200],
        ['127.0.2.1', 401],
        ['127.0.0.1', 401],
      ],
    ],
    ['another family', ['::1', 'fd00::/8'], [['127.0.0.1', 401]]],
    ['the unix socket, which is elsewhere', ['unix'], [['127.0.0.1', 401]]],
    ['a certificate, where there is no TLS', ['10.9.9.9'], [['127.0.0.1', 401]]],
  ])('around the proxy nobody is anybody: %s', async (_what, trustedProxies, peers) => {
    const before = canary.requests.length
    const status = await startWide(trustedProxies)
    for (const [from, expected] of peers) expect([from, await status(from)]).toEqual([from, expected])
    // What a server offers is asked for once, and only for those who were let in.
    expect(canary.requests.length > before).toBe(peers.some(([, expected]) => expected === 200))
  })

  it('a stranger’s X-Forwarded-For makes no proxy of them', async () => {
    const bend = proxied({ ...JOHN, 'X-Forwarded-For': '127.0.0.1' })
    await expectRefusal(range, { bend, from: ELSEWHERE }, { status: 401 })
    await expectServed(range, { bend })
  })
})

interface Credential {
  readonly id: string
  /** `TOKEN` stands for ann's good token. */
  readonly bend: Bend
  readonly target?: string
  readonly status: number
  readonly reason?: string
}

const MALFORMED = { status: 401, reason: 'malformed' }
const TWO = { status: 400, reason: 'two_credentials' }
const IN_QUERY = { status: 400, reason: 'token_in_query' }
const CREDENTIALS: readonly Credential[] = [
  { id: 'two Authorization lines', bend: { Authorization: ['Bearer TOKEN', 'Bearer TOKEN'] }, status: 400 },
  { id: 'a good one behind a bad one', bend: { Authorization: ['Bearer x', 'Bearer TOKEN'] }, status: 400 },
  { id: 'two spaces', bend: { Authorization: 'Bearer  TOKEN' }, ...MALFORMED },
  { id: 'a list', bend: { Authorization: 'Bearer TOKEN,Bearer TOKEN' }, ...MALFORMED },
  { id: 'a list with a blank', bend: { Authorization: 'Bearer TOKEN, Bearer TOKEN' }, ...MALFORMED },
  { id: 'an empty bearer', bend: { Authorization: 'Bearer ' }, ...MALFORMED },
  { id: 'a bare bearer', bend: { Authorization: 'Bearer' }, ...MALFORMED },
  { id: 'another token', bend: { Authorization: 'Bearer x' }, ...MALFORMED },
  { id: 'a bearer and an API key', bend: { Authorization: 'Bearer TOKEN', 'X-API-Key': 'x' }, ...TWO },
  { id: 'a password and an API key', bend: { Authorization: 'Basic eDp5', 'X-API-Key': 'x' }, ...TWO },
  { id: 'two API keys', bend: { Authorization: undefined, 'X-API-Key': ['x', 'x'] }, status: 400 },
  { id: 'the token in the query too', bend: { Authorization: 'Bearer TOKEN' }, target: '?access_token=x', ...IN_QUERY },
  { id: 'the token in the query alone', bend: { Authorization: undefined }, target: '?access_token=x', ...IN_QUERY },
  { id: 'a key in the query', bend: { Authorization: undefined }, target: '?api_key=x', ...IN_QUERY },
]

describe('C27', () => {
  attackTable('several credentials, or half of one', CREDENTIALS, async ({ bend, target = '', status, reason }) => {
    const filled = Object.fromEntries(
      Object.entries(bend).map(([name, value]) => [
        name,
        typeof value === 'string'
          ? value.replaceAll('TOKEN', range.token)
          : value?.map((one) => one.replace('TOKEN', range.token)),
      ]),
    )
    const refusal = { status, ...(reason !== undefined && { reason }) }
    // Neither the proxy's good word nor the caller's own is a way around it.
    for (const more of [{}, JOHN])
      await expectRefusal(range, { bend: { ...filled, ...more }, target: `/servers/canary/mcp${target}` }, refusal)
    await expectServed(range, { bend: { Authorization: `bearer ${range.token}` } })
    await expectServed(range, { bend: proxied(JOHN) })
    expectNoSecret(range)
  })

  it('a form with a token in it is not read', async () => {
    const body = `access_token=${range.token}`
    const form = { 'Content-Type': 'application/x-www-form-urlencoded' }
    await expectRefusal(range, { bend: { ...form, Authorization: undefined }, body }, { status: 401 })
    await expectRefusal(range, { bend: form, body }, { status: 415 })
    await expectServed(range, { body: toolCall('modern') })
  })
})
