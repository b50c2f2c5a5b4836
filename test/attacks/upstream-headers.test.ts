// What reaches a server behind the gate of its caller: rows C11, D1, D2, D4, D5, D17, D21 and E38 of the catalogue, at servers that are told
// who calls, with lists of headers as greedy as they can be written. Each attack has its twin that goes through.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decodeHeaderValue } from '../../src/protocol/header-value.ts'
import { type Canary, type CanaryRequest, startCanary } from '../support/canary.ts'
import { ANN, BOB, startGateway, type TestGateway } from '../support/gateway.ts'
import { legible } from '../support/legible.ts'
import { createPerson } from '../support/person.ts'
import { connectRaw, type RawHeader, rawRequest } from '../support/raw.ts'
import { createSdkHost } from '../support/sdk.ts'
import { lastCall, metaOf, tellingServer } from '../support/told.ts'

const SECRETS = [
  ...['Authorization', 'Cookie', 'Proxy-Authorization', 'X-Api-Key', 'DPoP', 'X-Auth-Token', 'X-Access-Token'],
  ...[
    'X-Upstream-Authorization',
    'X-User-Jwt',
    'Cf-Access-Jwt-Assertion',
    'X-Amzn-Oidc-Data',
    'X-Portcullis-Assertion',
  ],
]
const KEY = 'io.portcullis/identity'

let canary: Canary
let gateway: TestGateway
beforeAll(async () => {
  canary = await startCanary()
  const { url } = canary
  gateway = await startGateway({
    servers: [
      { id: 'plain', url },
      { id: 'listed', url, passthroughHeaders: [...SECRETS, 'X-Forwarded-User', 'X-Tenant-Id'] },
      { id: 'most', url, passthroughHeaders: { allExcept: [] } },
      {
        id: 'keyed',
        url,
        credentials: { type: 'headers', headers: { Authorization: 'Bearer ours' } },
        passthroughHeaders: { allExcept: [] },
      },
      { id: 'untold', url, identity: { headers: false, jwt: false }, passthroughHeaders: { allExcept: [] } },
      { id: 'message', url, identity: { meta: true } },
      tellingServer('child'),
    ],
    passthrough: { overwrite: true },
  })
  await gateway.addUser(ANN)
})
afterAll(async () => {
  await gateway?.close()
  await canary?.close()
})

const tokens = new Map<string, Promise<string>>()
const tokenFor = (server: string, user = createPerson(ANN)) => {
  const known = tokens.get(server) ?? gateway.tokenFor(server, { user })
  tokens.set(server, known)
  return known
}

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
}

/** Exactly these header fields, beside what MCP needs; the credential is the first of them. */
async function send(server: string, headers: readonly RawHeader[], meta: Record<string, unknown> = {}, token?: string) {
  const params = { name: 'read_note', arguments: {}, _meta: { ...META, ...meta } }
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params })
  const connection = await connectRaw(gateway.port)
  const needed: RawHeader[] = [
    ['Host', `127.0.0.1:${gateway.port}`],
    ['Authorization', `Bearer ${token ?? (await tokenFor(server))}`],
    ['Content-Type', 'application/json'],
    ['Accept', 'application/json, text/event-stream'],
    ['MCP-Protocol-Version', '2026-07-28'],
    ['Mcp-Method', 'tools/call'],
    ['Mcp-Name', 'read_note'],
    ['Content-Length', String(Buffer.byteLength(body))],
  ]
  connection.send(
    rawRequest({ target: `/servers/${server}/mcp`, headers: [...needed, ...headers], body: Buffer.from(body) }),
  )
  const { status } = await connection.next()
  connection.destroy()
  return status
}
async function arrived(...sent: Parameters<typeof send>): Promise<CanaryRequest> {
  expect(await send(...sent)).toBe(200)
  return lastCall(canary)
}

/** As a server of CGI reads the head (RFC 3875 §4.1.18), and one that takes dots for the same: each name's values. */
function asCgi({ rawHeaders }: CanaryRequest): Record<string, string[]> {
  const variables: Record<string, string[]> = {}
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = `HTTP_${(rawHeaders[at] ?? '').trim().toUpperCase().replace(/[-.]/g, '_')}`
    variables[name] = [...(variables[name] ?? []), rawHeaders[at + 1] ?? '']
  }
  return variables
}

const SERVERS = ['plain', 'listed', 'most', 'keyed', 'untold']

describe('C11: the credentials of a caller', () => {
  it.each(SERVERS)('never arrive at %s, however they are listed', async (server) => {
    const token = await tokenFor(server)
    const planted = SECRETS.filter((name) => name !== 'Authorization' && name !== 'X-Api-Key')
    const sent = planted.map((name): RawHeader => [name, `planted-${name}`])
    const call = await arrived(server, [...sent, ['X-Tenant-Id', 'acme']])
    const text = `${call.rawHeaders.join('\n')}\n${call.body}`
    expect(text).not.toContain(token)
    expect(text).not.toContain('planted-')
    expect(asCgi(call)['HTTP_AUTHORIZATION']).toEqual(server === 'keyed' ? ['Bearer ours'] : undefined)
    // What a list lets through does arrive.
    expect(asCgi(call)['HTTP_X_TENANT_ID']).toEqual(server === 'plain' ? undefined : ['acme'])
  })

  it('two of them at once are refused before any server sees them', async () => {
    const before = canary.requests.length
    expect(await send('most', [['X-Api-Key', 'pc_planted']])).toBe(400)
    expect(canary.requests.slice(before).some(({ body }) => body.includes('tools/call'))).toBe(false)
  })
})

/** All of 2^n: each dash as it is, as an underscore, as a dot. */
const spellings = (name: string): string[] =>
  name
    .split('-')
    .reduce<string[]>(
      (begun, part) =>
        begun.length === 0 ? [part] : begun.flatMap((before) => ['-', '_', '.'].map((sign) => before + sign + part)),
      [],
    )
const FORGED = [
  ...spellings('X-Forwarded-User'),
  ...spellings('x-forwarded-groups'),
  ...spellings('X-FORWARDED-USER-ID'),
  ...spellings('X-Portcullis-Assertion'),
]

describe('D1, D2, D4: a forged identity', () => {
  it.each(SERVERS)('arrives at %s in no spelling', async (server) => {
    const call = await arrived(
      server,
      FORGED.map((name): RawHeader => [name, 'root']),
    )
    const seen = asCgi(call)
    expect(legible(JSON.stringify(seen))).not.toContain('root')
    const told = server === 'untold' ? undefined : ['ann@example.com']
    expect(seen['HTTP_X_FORWARDED_USER']).toEqual(told)
    expect(seen['HTTP_X_FORWARDED_GROUPS']).toEqual(told && ['engineering'])
    expect(seen['HTTP_X_PORTCULLIS_ASSERTION'] ?? []).toHaveLength(told === undefined ? 0 : 1)
  })

  it.each(SERVERS)('comes to %s neither twice nor as a list', async (server) => {
    const call = await arrived(server, [
      ['X-Forwarded-User', 'root'],
      ['X-Forwarded-User', 'ann@example.com,root'],
      ['x-forwarded-email', 'root,'],
    ])
    expect(legible(JSON.stringify(asCgi(call)))).not.toContain('root')
    expect(asCgi(call)['HTTP_X_FORWARDED_USER']).toEqual(server === 'untold' ? undefined : ['ann@example.com'])
  })
})

describe('D5: names in Connection', () => {
  it.each(['X-Forwarded-User', 'x-forwarded-user', 'X-Portcullis-Assertion, x-request-id', 'Authorization'])(
    '%s take nothing of ours away',
    async (names) => {
      for (const server of SERVERS.filter((name) => name !== 'untold')) {
        const seen = asCgi(await arrived(server, [['Connection', `close, ${names}`]]))
        expect(seen['HTTP_X_FORWARDED_USER']).toEqual(['ann@example.com'])
        expect(seen['HTTP_X_PORTCULLIS_ASSERTION']).toHaveLength(1)
        expect(seen['HTTP_X_REQUEST_ID']).toHaveLength(1)
        expect(seen['HTTP_AUTHORIZATION']).toEqual(server === 'keyed' ? ['Bearer ours'] : undefined)
      }
    },
  )
})

describe('D17: claims that would break a head', () => {
  const HOSTILE = [
    'a\r\nX-Injected: 1',
    'a\nb',
    'a\0b',
    '\u0085admin\u00a0',
    'Jörg',
    '🦊',
    'a,b',
    ' a ',
    '=?base64?cm9vdA==?=',
  ]

  it('are one field each, and say what they say', async () => {
    const user = { username: 'hostile', password: 'nine purple kettles in a row' }
    const record = await gateway.addUser(user)
    const { upsertByIdentity } = gateway.store.durable.users
    await upsertByIdentity({ ...record, name: HOSTILE.join('|'), groups: HOSTILE, roles: HOSTILE, teams: HOSTILE })
    const token = await gateway.tokenFor('most', { user: createPerson(user) })
    const seen = asCgi(await arrived('most', [], {}, token))
    expect(seen).not.toHaveProperty('HTTP_X_INJECTED')
    for (const name of ['GROUPS', 'ROLES', 'TEAMS']) {
      const [value = '', ...more] = seen[`HTTP_X_FORWARDED_${name}`] ?? []
      expect(more).toEqual([])
      expect(value.split(',').map(decodeHeaderValue)).toEqual(HOSTILE)
    }
    expect(decodeHeaderValue(seen['HTTP_X_FORWARDED_NAME']?.[0] ?? '')).toBe(HOSTILE.join('|'))
  })

  it('20 KB of groups are none, and the call goes through', async () => {
    const groups = Array.from({ length: 1000 }, (_, at) => `group-of-people-${at}`)
    const user = { username: 'joiner', password: 'nine purple kettles in a row', groups }
    const token = await gateway.tokenFor('most', { user })
    const seen = asCgi(await arrived('most', [], {}, token))
    expect(seen['HTTP_X_FORWARDED_GROUPS']).toBeUndefined()
    expect(seen['HTTP_X_FORWARDED_USER']).toEqual(['joiner@example.com'])
  })
})

describe('D21: cookies', () => {
  it.each(SERVERS)('arrive at %s in no form, ours least of all', async (server) => {
    const sent: RawHeader[] = [
      ['Cookie', '__Host-portcullis=sealed; __Secure-interaction=1; app=2'],
      ['Cookie2', 'planted'],
      ['Set-Cookie', 'planted'],
      ['X-Cookie', 'planted'],
    ]
    const call = await arrived(server, [...sent, ['X-Tenant-Id', 'acme']])
    expect(call.rawHeaders.join('\n')).not.toMatch(/cookie|__Host-|planted/i)
  })
})

describe('E38: a forged identity in the message', () => {
  const spelled = [KEY, KEY.toUpperCase(), 'Io.Portcullis/Identity']

  it.each(spelled)('%s does not arrive over HTTP, told or not, and what stands beside it does', async (key) => {
    for (const server of ['plain', 'message', 'untold']) {
      const call = await arrived(server, [], { [key]: { user: 'root' }, 'com.example/kept': [1, '}'] })
      expect(legible(call.body.toString())).not.toContain('root')
      expect(metaOf(call)).toMatchObject({ ...META, 'com.example/kept': [1, '}'] })
      const told = Object.keys(metaOf(call)).filter((name) => name.toLowerCase() === KEY)
      expect(told).toEqual(server === 'message' ? [KEY] : [])
      expect(metaOf(call)[KEY]).toEqual(
        server === 'message' ? expect.objectContaining({ user: 'ann@example.com' }) : undefined,
      )
    }
  })

  it('nor does it at a child process', async () => {
    const client = await createSdkHost(createPerson(ANN)).connect(gateway.resource('child'), 'legacy')
    const meta = { [KEY]: { user: 'root' }, 'com.example/kept': 1 }
    const { content } = await client.callTool({ name: 'tell', arguments: {}, _meta: meta })
    await client.close()
    const told = JSON.parse((content as { text: string }[])[0]?.text ?? '')
    expect(told).toEqual({ [KEY]: expect.objectContaining({ user: 'ann@example.com' }), 'com.example/kept': 1 })
  })
})

describe('two people at one server', () => {
  const BOTH = ['ann', 'bob']
  const rounds = Array.from({ length: 40 }, (_, at) => at)

  it('are never taken for each other over HTTP: each call says whose it is, with equal request ids', async () => {
    await gateway.addUser(BOB)
    const tokens = await Promise.all(
      [ANN, BOB].map((user) => gateway.tokenFor('message', { user: createPerson(user) })),
    )
    const before = canary.requests.length
    const calls = rounds.flatMap(() =>
      BOTH.map((who, at) => send('message', [], { 'com.example/who': who }, tokens[at])),
    )
    expect(new Set(await Promise.all(calls))).toEqual(new Set([200]))
    const arrivals = canary.requests.slice(before).filter(({ body }) => body.includes('com.example/who'))
    expect(arrivals).toHaveLength(calls.length)
    for (const call of arrivals) {
      const who = `${String(metaOf(call)['com.example/who'])}@example.com`
      expect(asCgi(call)['HTTP_X_FORWARDED_USER']).toEqual([who])
      expect(metaOf(call)[KEY]).toMatchObject({ user: who })
      const [, claims = ''] = (asCgi(call)['HTTP_X_PORTCULLIS_ASSERTION']?.[0] ?? '').split('.')
      expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).toMatchObject({ email: who })
    }
  })

  it('nor at a process that they share', async () => {
    const clients = await Promise.all(
      [ANN, BOB].map((user) => createSdkHost(createPerson(user)).connect(gateway.resource('child'), 'legacy')),
    )
    const told = rounds.flatMap(() =>
      clients.map(async (client, at) => {
        const { content } = await client.callTool({ name: 'tell', arguments: {} })
        const meta = JSON.parse((content as { text: string }[])[0]?.text ?? '')
        return [BOTH[at], meta[KEY].user]
      }),
    )
    for (const [who, user] of await Promise.all(told)) expect(user).toBe(`${who}@example.com`)
    await Promise.all(clients.map((client) => client.close()))
  })
})
