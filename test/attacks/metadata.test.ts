// Rows C28, C29 and C32 of the attack catalogue: public documents say what the configuration says, whatever the request claims, each at
// one address, and nothing that is ours alone. RFC 8414 §3.3, RFC 9728 §3.3, RFC 7517 §4.
import { createLocalJWKSet, type JSONWebKeySet, type JWK, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { rotateSigningKey } from '../../src/tokens/keyring.ts'
import { registerClient, type TestClient } from '../support/client.ts'
import { callTool } from '../support/mcp.ts'
import {
  EVIL,
  expectNoSecret,
  expectServed,
  GOOD,
  type OAuthRange,
  SCOPE,
  startOAuthRange,
} from '../support/oauth-range.ts'
import { attackTable } from '../support/range.ts'
import { converse, type RawAnswer, type RawHeader, rawRequest } from '../support/raw.ts'

/** Reached directly; and as if every peer were a trusted proxy, whose word about the caller's address counts. */
let direct: OAuthRange
let proxied: OAuthRange
let client: TestClient

beforeAll(async () => {
  direct = await startOAuthRange()
  proxied = await startOAuthRange({ server: { trustedProxies: ['127.0.0.1/32'] } })
  client = await registerClient(direct.gateway, { redirectUris: [GOOD] })
  await proxied.gateway.store.durable.clients.save({
    id: client.id,
    metadata: { ...(await direct.gateway.store.durable.clients.find(client.id))?.metadata },
    createdAt: Date.now(),
  })
})
afterAll(async () => {
  await direct?.close()
  await proxied?.close()
})

interface Target {
  readonly id: string
  readonly method?: string
  readonly path: string
  readonly body?: string
  readonly status: number
}

async function ask(
  range: OAuthRange,
  { method = 'GET', path, body = '' }: Target,
  headers: readonly RawHeader[],
): Promise<RawAnswer> {
  const usual: RawHeader[] = [
    ['Host', `127.0.0.1:${range.gateway.port}`],
    ['Connection', 'close'],
    ['Accept', 'application/json, text/event-stream'],
    ['Content-Type', path.startsWith('/oauth/token') ? 'application/x-www-form-urlencoded' : 'application/json'],
  ]
  const named = new Set(headers.map(([name]) => name.toLowerCase()))
  const sent = [...usual.filter(([name]) => !named.has(name.toLowerCase())), ...headers]
  if (method === 'POST') sent.push(['Content-Length', String(Buffer.byteLength(body))])
  const { answers } = await converse(range.gateway.port, rawRequest({ method, target: path, headers: sent, body }), [
    method,
  ])
  expect(answers).toHaveLength(1)
  return answers[0] as RawAnswer
}

// ---- C28: names from the request.

const authorize = (bend: Record<string, string> = {}): string =>
  `/oauth/authorize?${new URLSearchParams({
    response_type: 'code',
    client_id: client.id,
    redirect_uri: GOOD,
    code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
    code_challenge_method: 'S256',
    scope: SCOPE,
    state: 'state',
    ...bend,
  })}`

const targets = (range: OAuthRange): readonly Target[] => [
  { id: 'authorization server metadata', path: '/.well-known/oauth-authorization-server', status: 200 },
  { id: 'OpenID metadata', path: '/.well-known/openid-configuration', status: 200 },
  { id: 'protected resource metadata', path: '/.well-known/oauth-protected-resource/servers/canary/mcp', status: 200 },
  { id: 'keys', path: '/.well-known/jwks.json', status: 200 },
  { id: 'challenge', method: 'POST', path: '/servers/canary/mcp', body: '{}', status: 401 },
  { id: 'interaction', path: authorize({ resource: range.resource }), status: 303 },
  { id: 'error sent to the client', path: authorize({ resource: EVIL.replace('evil', 'other') }), status: 303 },
  { id: 'error page', path: authorize({ client_id: 'nobody' }), status: 400 },
  {
    id: 'registration',
    method: 'POST',
    path: '/oauth/register',
    body: JSON.stringify({ redirect_uris: [GOOD] }),
    status: 201,
  },
  {
    id: 'token error',
    method: 'POST',
    path: '/oauth/token',
    body: `grant_type=refresh_token&refresh_token=x&client_id=${client.id}`,
    status: 400,
  },
  { id: 'start page', path: '/', status: 200 },
  { id: 'sign-out page', path: '/logout', status: 200 },
  { id: 'nothing', path: '/nowhere', status: 404 },
]

/** Every origin that an answer names, and what its cookies are bound to. */
function namesOf({ headers, body }: RawAnswer): readonly string[] {
  const text = [...headers.map(([name, value]) => `${name}: ${value}`), body.toString()].join('\n')
  const decoded = text.replaceAll('%3A', ':').replaceAll('%2F', '/')
  const origins = [...decoded.matchAll(/[a-z][a-z0-9+.-]*:\/\/[^/\s"'<>?#,;&]*/gi)].map(([origin]) => origin)
  const cookies = headers
    .filter(([name]) => name === 'set-cookie')
    .map(([, value]) => value.replace(/=[^;]*/, '').replace(/expires=[^;]*/i, ''))
  return [
    ...new Set([
      ...origins,
      ...cookies.map((cookie) => cookie.replace(/\/interaction\/[\w-]+|\/authorize\/[\w-]+/, '/UID')),
    ]),
  ].sort()
}

const EVIL_HOST = 'evil.example'
const CLAIMS: readonly { id: string; headers: readonly RawHeader[]; foreign?: boolean }[] = [
  { id: 'Host', headers: [['Host', EVIL_HOST]], foreign: true },
  { id: 'Host with our port', headers: [['Host', `${EVIL_HOST}:4444`]], foreign: true },
  { id: 'Host below ours', headers: [['Host', `127.0.0.1.${EVIL_HOST}`]], foreign: true },
  { id: 'Host by another name of the machine', headers: [['Host', 'localhost']] },
  { id: 'Host with another port', headers: [['Host', '127.0.0.1:1']] },
  { id: 'Host as another address', headers: [['Host', '[::1]:1']] },
  ...[
    'X-Forwarded-Host',
    'X-Forwarded-Server',
    'X-Host',
    'X-Original-Host',
    'X-HTTP-Host-Override',
    'X_Forwarded_Host',
    'X.Forwarded.Host',
  ].map((name) => ({ id: name, headers: [[name, EVIL_HOST]] as const })),
  { id: 'X-Forwarded-Host with ours first', headers: [['X-Forwarded-Host', `127.0.0.1, ${EVIL_HOST}`]] },
  {
    id: 'X-Forwarded-Host twice',
    headers: [
      ['X-Forwarded-Host', '127.0.0.1'],
      ['X-Forwarded-Host', EVIL_HOST],
    ],
  },
  { id: 'Forwarded', headers: [['Forwarded', `for=1.2.3.4;host=${EVIL_HOST};proto=https`]] },
  ...['X-Forwarded-Proto', 'X-Forwarded-Protocol', 'X-Forwarded-Scheme', 'X-Url-Scheme'].map((name) => ({
    id: name,
    headers: [[name, 'https']] as const,
  })),
  {
    id: 'X-Forwarded-Ssl',
    headers: [
      ['X-Forwarded-Ssl', 'on'],
      ['Front-End-Https', 'on'],
    ],
  },
  { id: 'X-Forwarded-Port', headers: [['X-Forwarded-Port', '8443']] },
  { id: 'X-Forwarded-Prefix', headers: [['X-Forwarded-Prefix', `//${EVIL_HOST}`]] },
  {
    id: 'X-Script-Name',
    headers: [
      ['X-Script-Name', `/${EVIL_HOST}`],
      ['X-Forwarded-Path', `/${EVIL_HOST}`],
    ],
  },
  {
    id: 'X-Original-URL',
    headers: [
      ['X-Original-URL', `/${EVIL_HOST}`],
      ['X-Rewrite-URL', `https://${EVIL_HOST}/`],
    ],
  },
  {
    id: 'X-Forwarded-Uri',
    headers: [
      ['X-Forwarded-Uri', `https://${EVIL_HOST}/`],
      ['X-Forwarded-Method', 'GET'],
    ],
  },
  { id: 'Referer', headers: [['Referer', `https://${EVIL_HOST}/`]] },
  {
    id: 'all that proxies know',
    headers: [
      ['X-Forwarded-For', '1.2.3.4'],
      ['X-Forwarded-Host', EVIL_HOST],
      ['X-Forwarded-Proto', 'https'],
      ['X-Forwarded-Port', '443'],
      ['Forwarded', `host=${EVIL_HOST}`],
      ['X-Real-IP', '1.2.3.4'],
    ],
  },
]

attackTable('C28: a name from the request:', CLAIMS, async ({ headers, foreign = false }) => {
  for (const range of [direct, proxied])
    for (const target of targets(range)) {
      const usual = await ask(range, target, [])
      expect({ target: target.id, status: usual.status }).toEqual({ target: target.id, status: target.status })
      const answer = await ask(range, target, headers)
      // With its dot: keys, cookies and what forms carry are random, and spell any word some day.
      expect([...answer.headers, answer.body.toString()].join('\n')).not.toContain('evil.')
      // DNS rebinding: a page that calls us by its own name is not answered at all (a proxy may pass on any).
      if (foreign && range === direct) {
        expect({ target: target.id, status: answer.status }).toEqual({ target: target.id, status: 403 })
        const id = answer.header('x-request-id') ?? ''
        expect(range.gateway.log.find((line) => line.includes(id))).toContain('"reason":"foreign_host"')
      } else {
        expect({ target: target.id, status: answer.status }).toEqual({ target: target.id, status: target.status })
        expect({ target: target.id, names: namesOf(answer) }).toEqual({ target: target.id, names: namesOf(usual) })
      }
    }
})

describe('C28: the names', () => {
  it('are the configured ones, and were looked at above', async () => {
    const url = direct.gateway.url
    for (const target of targets(direct).slice(0, 7))
      if (target.id !== 'keys')
        expect({ id: target.id, names: namesOf(await ask(direct, target, [])) }).toMatchObject({
          id: target.id,
          names: expect.arrayContaining([url]),
        })
    const challenge = { id: 'challenge', method: 'POST', path: '/servers/canary/mcp', body: '{}', status: 401 }
    expect((await ask(direct, challenge, [])).header('www-authenticate')).toContain(
      `resource_metadata="${url}/.well-known/oauth-protected-resource/servers/canary/mcp"`,
    )
  })

  it('hold for a journey under a false name: code, issuer, token, call', async () => {
    const { gateway, resource } = proxied
    const some = await registerClient(gateway, { redirectUris: [GOOD] })
    const person = await gateway.person()
    const headers = { 'x-forwarded-host': EVIL_HOST, 'x-forwarded-proto': 'https' }
    const first = await person.request(some.authorize({ resource, scope: SCOPE }).url, { headers })
    expect(first.headers.get('location')).toMatch(new RegExp(`^${gateway.url}/interaction/`))
    expect(first.headers.getSetCookie().join()).not.toMatch(/secure|domain=|__host-/i)
    // The client's own check of `iss` is in `signIn`.
    const { accessToken } = await some.signIn(person, { resource, scope: SCOPE })
    expect(JSON.parse(Buffer.from(accessToken.split('.')[1] ?? '', 'base64url').toString())).toMatchObject({
      iss: gateway.url,
      aud: resource,
    })
    await expectServed(proxied, accessToken)
  })
})

// ---- C29: one document, one address.

const PRM = '/.well-known/oauth-protected-resource'
const SPELLINGS: readonly { id: string; status?: number }[] = [
  ...[
    '/servers/canary/mcp/',
    '/servers/canary/mcp/x',
    '/servers/canary/mcp/mcp',
    '/servers/canary',
    '/servers/canary/',
    '/servers',
  ],
  ...[
    '/servers/CANARY/mcp',
    '/servers/canary/MCP',
    '/SERVERS/canary/mcp',
    '/servers/canary/mcp;x',
    '/servers/canary;x/mcp',
    '/servers/canary/mcp.json',
  ],
  ...['/servers/canary2/mcp', '/servers/canar/mcp', '/servers/*/mcp', '/mcp/', '/servers/unknown/mcp'],
  ...[
    '/servers/%63anary/mcp',
    '/servers/canary/mcp%20',
    '/servers/canary/mcp%09',
    '/servers/canary/mcp.',
    '/servers/canary/mcp:',
    '/servers/canary/mcp@',
  ],
  ...[
    '/servers/__proto__/mcp',
    '/servers/constructor/mcp',
    '/servers/canary,other/mcp',
    '/servers/canary+other/mcp',
    '/',
  ],
].map((id) => ({ id, status: 404 }))
const AMBIGUOUS: typeof SPELLINGS = [
  ...[
    '/servers//mcp',
    '//servers/canary/mcp',
    '/servers//canary/mcp',
    '/servers/canary//mcp',
    '/servers/./canary/mcp',
    '/servers/x/../canary/mcp',
    '/servers/canary/mcp/.',
  ],
  ...[
    '/servers/canary/mcp/..',
    '/servers/canary%2Fmcp',
    '/servers/canary%2fmcp',
    '/servers%2Fcanary/mcp',
    '/servers/canary/mcp%2F',
    '/servers/canary/mcp%2Fx',
  ],
  ...[
    '/servers/canary/mcp%00',
    '/servers/canary/mcp%252F',
    '/servers/canary%5Cmcp',
    '/servers/canary\\mcp',
    '/servers/%2e/canary/mcp',
    '/servers/canary/mcp#x',
  ],
  ...['/servers/canary/mcp\xa0', '/servers/canary/m\tcp'],
].map((id) => ({ id, status: 400 }))

attackTable('C29: another spelling of a resource', [...SPELLINGS, ...AMBIGUOUS], async ({ id, status }) => {
  // Its document …
  const document = await ask(direct, { id, path: PRM + id, status: 404 }, [])
  expect(document.status).toBe(status)
  expect(document.body.toString()).not.toMatch(/"resource"|authorization_servers/)
  // … and itself, also with a token that is good for the one meant.
  const before = direct.canary.requests.length
  const token = await tokenOnce()
  for (const headers of [[], [['Authorization', `Bearer ${token}`]]] satisfies RawHeader[][]) {
    const answer = await ask(direct, { id, method: 'POST', path: id || '/x', body: '{}', status: 404 }, headers)
    expect([400, 404, 405]).toContain(answer.status)
    expect(answer.header('www-authenticate')).toBeUndefined()
  }
  expect(direct.canary.requests.length).toBe(before)
})

let kept: Promise<string> | undefined
const tokenOnce = () => {
  kept ??= direct.gateway.tokenFor('canary')
  return kept
}

const documentAt = async (range: OAuthRange, path: string) => {
  const answer = await ask(range, { id: path, path, status: 200 }, [])
  return {
    status: answer.status,
    resource: answer.status === 200 ? JSON.parse(answer.body.toString()).resource : undefined,
  }
}

describe('C29: the one address', () => {
  it('has the document of exactly that resource, a query changes nothing', async () => {
    for (const id of ['canary', 'other'])
      for (const query of [
        '',
        '?',
        '?resource=https://evil.example/mcp',
        `?resource=${direct.gateway.resource('other')}`,
      ])
        expect(await documentAt(direct, `${PRM}/servers/${id}/mcp${query}`)).toEqual({
          status: 200,
          resource: direct.gateway.resource(id),
        })
    await expectServed(direct, await tokenOnce())
  })

  it('is also the root where there is one server; where there are several, that is the address of all', async () => {
    const single = await startOAuthRange({ servers: [{ id: 'only', url: direct.canary.url }] })
    expect(await documentAt(single, PRM)).toEqual({ status: 200, resource: single.gateway.resource('only') })
    expect(await documentAt(direct, PRM)).toEqual({ status: 200, resource: direct.gateway.resource('*') })
    await single.close()
  })

  it.each([
    '/servers/canary/mcp/.well-known/oauth-protected-resource',
    '/servers/canary/.well-known/oauth-protected-resource',
    '/.well-known/oauth-authorization-server/servers/canary/mcp',
    '/.well-known/openid-configuration/servers/canary/mcp',
    '/servers/canary/mcp/.well-known/openid-configuration',
    '/.well-known/oauth-authorization-server/',
    '/.well-known/OAUTH-AUTHORIZATION-SERVER',
    '/.well-known/oauth-authorization-server/evil',
  ])('%s is nothing', async (path) => {
    expect((await documentAt(direct, path)).status).toBe(404)
  })
})

// ---- C32: keys, the public half.

const PUBLIC_MEMBERS = ['kty', 'crv', 'x', 'y', 'kid', 'alg', 'use']

const privateKeys = async ({ gateway }: OAuthRange): Promise<JWK[]> =>
  (await gateway.store.durable.keys.list('signing')).map(({ material }) => JSON.parse(material) as JWK)

async function expectOnlyPublic(range: OAuthRange): Promise<JSONWebKeySet> {
  const answer = await ask(range, { id: 'keys', path: '/.well-known/jwks.json', status: 200 }, [])
  const set = JSON.parse(answer.body.toString()) as JSONWebKeySet
  expect(Object.keys(set)).toEqual(['keys'])
  expect(set.keys.length).toBeGreaterThan(0)
  for (const key of set.keys) {
    expect(PUBLIC_MEMBERS).toEqual(expect.arrayContaining(Object.keys(key)))
    expect(key).toMatchObject({ kty: 'EC', crv: 'P-256', alg: 'ES256', use: 'sig' })
  }
  expect(set.keys.map(({ kid }) => kid).sort()).toEqual((await privateKeys(range)).map(({ kid }) => kid).sort())
  return set
}

describe('C32: signing keys', () => {
  it('are published with the members of public keys, by name, and those prove our tokens', async () => {
    const keys = createLocalJWKSet(await expectOnlyPublic(direct))
    const { protectedHeader } = await jwtVerify(await tokenOnce(), keys, {
      issuer: direct.gateway.url,
      audience: direct.resource,
    })
    expect(protectedHeader).toMatchObject({ alg: 'ES256', typ: 'at+jwt' })
  })

  it('are so after a rotation too, the old one beside the new one', async () => {
    const range = await startOAuthRange({ oauth: { signingKeyRotation: '30d' } })
    const before = await expectOnlyPublic(range)
    const { keys } = range.gateway.store.durable
    await rotateSigningKey(keys, { now: range.gateway.clock.now(), longestToken: 600_000 })
    await range.gateway.restart()
    const after = await expectOnlyPublic(range)
    expect(after.keys.map(({ kid }) => kid)).toEqual(expect.arrayContaining(before.keys.map(({ kid }) => kid)))
    expect(after.keys).toHaveLength(2)
    await expectServed(range, await range.gateway.tokenFor('canary'))
    await range.close()
  })

  it('leave nothing of their private half in any answer, log or record', async () => {
    const all = [
      ...targets(direct),
      { id: 'health', path: '/health', status: 200 },
      { id: 'ready', path: '/ready', status: 200 },
      { id: 'metrics', path: '/metrics', status: 200 },
    ]
    const answers = await Promise.all(all.map((target) => ask(direct, target, [])))
    const said = [
      ...answers.map(({ headers, body }) => `${headers.join('\n')}\n${body}`),
      ...direct.gateway.log,
      JSON.stringify(await direct.gateway.audit()),
    ].join('\n')
    const uses = ['signing', 'cookie', 'seal', 'refresh'] as const
    const records = (await Promise.all(uses.map((use) => direct.gateway.store.durable.keys.list(use)))).flat()
    expect(records.length).toBeGreaterThanOrEqual(uses.length)
    for (const { use, material } of records) {
      const secret = use === 'signing' ? String((JSON.parse(material) as JWK).d) : material
      expect(secret.length).toBeGreaterThan(40)
      expect({ use, said: said.includes(secret) }).toEqual({ use, said: false })
    }
    // The look was worth it: the public half is there.
    expect(said).toContain(String((await privateKeys(direct))[0]?.x))
  })

  it.each([
    '/jwks',
    '/oauth/jwks',
    '/jwks.json',
    '/.well-known/jwks',
    '/.well-known/jwks.json/',
    '/.well-known/JWKS.json',
    '/oauth/keys',
    '/.well-known/keys',
  ])('%s is nothing', async (path) => {
    expect((await ask(direct, { id: path, path, status: 404 }, [])).status).toBe(404)
  })
})

it('nothing of all this was a way in', async () => {
  const { status } = await callTool(direct.resource, undefined, 'read_note')
  expect(status).toBe(401)
  await expectServed(direct, await tokenOnce())
  await expectNoSecret(direct)
})
