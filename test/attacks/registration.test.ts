// Rows B1–B4 of the attack catalogue: dynamic client registration (RFC 7591) is open to strangers, and so is what they try with it.
// B1 in small numbers: the quotas are settings, the clock is in hand.

import { createServer, type Server } from 'node:net'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Answer, register, registerClient, type TestClient } from '../support/client.ts'
import { callTool } from '../support/mcp.ts'
import {
  answerOf,
  expectLocalPage,
  expectNoSecret,
  expectRefused,
  expectServed,
  type OAuthRange,
  SCOPE,
  send,
  startOAuthRange,
} from '../support/oauth-range.ts'
import { attackTable } from '../support/range.ts'
import { freePort } from '../support/upstream.ts'

const REDIRECT = 'https://good.example/cb'
const METADATA = { client_name: 'Stranger', redirect_uris: [REDIRECT], token_endpoint_auth_method: 'none' }

async function jsonOf(response: Response): Promise<Answer> {
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: text === '' ? {} : JSON.parse(text) }
}

/** The text as it stands, as if from this address behind a proxy. */
async function post(range: OAuthRange, body: string, from?: string, path = '/oauth/register'): Promise<Answer> {
  const headers = { 'content-type': 'application/json', ...(from !== undefined && { 'x-forwarded-for': from }) }
  return jsonOf(await fetch(range.gateway.url + path, { method: 'POST', headers, body }))
}

// ---- B1: floods.

const QUOTA = { perAddress: 3, total: 8, clients: 50 }
const PROXY = { trustedProxies: ['127.0.0.1/32'] }
const GOOD = JSON.stringify(METADATA)

interface Flood {
  readonly id: string
  /** Where the requests come from, one after the other; `{n}` counts. */
  readonly from: string
  readonly body?: string
  readonly path?: string
  /** Counted as one sender up to here, and refused from here on. */
  readonly reason: string
  readonly most: number
  /** Still welcome; none where the sum is used up. */
  readonly neighbour?: string
}

const SENDER = { reason: 'registration_quota', most: QUOTA.perAddress }
const FLOODS: readonly Flood[] = [
  { id: 'one address', from: '203.0.113.7', neighbour: '203.0.113.8', ...SENDER },
  { id: 'one IPv6 network', from: '2001:db8:1:1::{n}', neighbour: '2001:db8:1:2::1', ...SENDER },
  { id: 'one IPv6 network, hosts far apart', from: '2001:db8:1:1:{n}::1', neighbour: '2001:db8:1:2::1', ...SENDER },
  { id: 'one IPv4 address, mapped', from: '::ffff:203.0.113.7', neighbour: '203.0.113.8', ...SENDER },
  { id: 'a forged beginning of the chain', from: '198.51.100.{n}, 203.0.113.7', neighbour: '203.0.113.8', ...SENDER },
  { id: 'what is no metadata', from: '203.0.113.7', body: '{', neighbour: '203.0.113.8', ...SENDER },
  {
    id: 'what is refused anyhow',
    from: '203.0.113.7',
    body: '{"redirect_uris":["javascript:1"]}',
    neighbour: '203.0.113.8',
    ...SENDER,
  },
  {
    id: 'the other address of the endpoint',
    from: '203.0.113.7',
    path: '/register',
    neighbour: '203.0.113.8',
    ...SENDER,
  },
  { id: 'many addresses', from: '203.0.113.{n}', reason: 'registration_quota_total', most: QUOTA.total },
  { id: 'many IPv6 networks', from: '2001:db8:{n}::1', reason: 'registration_quota_total', most: QUOTA.total },
]

attackTable('B1: a flood from', FLOODS, async ({ from, body = GOOD, path, reason, most, neighbour }) => {
  const range = await startOAuthRange({ oauth: { registration: QUOTA }, server: PROXY })
  try {
    const shoot = (n: number) => post(range, body, from.replace('{n}', String(n)), path)
    for (let n = 1; n <= most; n++) expect((await shoot(n)).status).not.toBe(429)
    for (let n = most + 1; n <= most + 4; n++) {
      const refused = await expectRefused(range, reason, () => shoot(n))
      expect(refused).toMatchObject({ status: 429, body: { error: 'temporarily_unavailable' } })
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
      expect(Number(refused.headers.get('retry-after'))).toBeLessThanOrEqual(3600)
    }
    expect(await range.gateway.store.durable.clients.count()).toBeLessThanOrEqual(most)
    // The same sender is no worse than others elsewhere, and after its hour here too.
    if (neighbour !== undefined) expect((await post(range, GOOD, neighbour)).status).toBe(201)
    range.gateway.clock.advance('61m')
    expect((await post(range, GOOD, from.replace('{n}', '1'))).status).toBe(201)
  } finally {
    await range.close()
  }
})

describe('B1: what a flood leaves behind', () => {
  it('an address that nobody vouches for is not believed', async () => {
    const range = await startOAuthRange({ oauth: { registration: QUOTA } })
    for (let n = 1; n <= QUOTA.perAddress; n++) expect((await post(range, GOOD, `203.0.113.${n}`)).status).toBe(201)
    await expectRefused(range, 'registration_quota', () => post(range, GOOD, '203.0.113.99'))
    await range.close()
  })

  it('never more clients than the cap; those never used make room after a day, those in use stay', async () => {
    const range = await startOAuthRange({ oauth: { registration: { perAddress: 100, total: 100, clients: 3 } } })
    const { gateway } = range
    const used = await registerClient(gateway)
    const { accessToken } = await gateway.signIn('canary', { client: used })
    const unused = [await registerClient(gateway), await registerClient(gateway)]
    await expectRefused(range, 'registration_cap', () => register(gateway.url, METADATA))
    await expectServed(range, accessToken)
    expect(await gateway.store.durable.clients.count()).toBe(3)

    gateway.clock.advance('24h')
    gateway.clock.advance('1s')
    for (const { id } of unused) {
      const { url } = used.authorize({ client_id: id, resource: range.resource, scope: SCOPE })
      expectLocalPage(await expectRefused(range, 'invalid_client', () => send(url)))
    }
    expect((await register(gateway.url, METADATA)).status).toBe(201)
    expect(await gateway.store.durable.clients.count()).toBe(2)
    await expectServed(range, await gateway.tokenFor('canary', { client: used }))
    await range.close()
  })

  it('no row that its window does not take along', async () => {
    const range = await startOAuthRange({ oauth: { registration: QUOTA }, server: PROXY, store: 'file' })
    const { gateway } = range
    const file = gateway.config.store.url.replace(/^sqlite:/, '')
    const before = countRows(file)
    for (let n = 1; n <= 60; n++) await post(range, GOOD, `198.51.100.${n}`)
    // One client each, until the sum is used up; beyond it one counter each and nothing else.
    expect(await gateway.store.durable.clients.count()).toBe(QUOTA.total)
    gateway.clock.advance('25h')
    await gateway.store.ephemeral.sweep(gateway.clock.now())
    await gateway.store.durable.clients.removeNeverUsed(
      gateway.clock.now() - gateway.config.oauth.registration.neverUsedTtl,
    )
    await gateway.store.ephemeral.sweep(gateway.clock.now())
    // A registration token lives as long as its client: gone with it.
    expect(countRows(file)).toBeLessThanOrEqual(before)
    await range.close()
  })
})

function countRows(file: string): number {
  const database = new DatabaseSync(file, { readOnly: true })
  const tables = database
    .prepare("select name from sqlite_master where type = 'table' and name not like 'sqlite_%'")
    .all()
  const rows = tables.map(({ name }) =>
    Number(database.prepare(`select count(*) as rows from "${name}"`).get()?.['rows']),
  )
  database.close()
  return rows.reduce((sum, count) => sum + count, 0)
}

// ---- The others share one gate. Development, so that loopback would be fetched from if anything were.

let range: OAuthRange
let bait: Server
let visits = 0
let open: number
let closed: number

beforeAll(async () => {
  bait = createServer((socket) => {
    visits++
    socket.destroy()
  })
  await new Promise<void>((resolve) => bait.listen(0, '127.0.0.1', resolve))
  const address = bait.address()
  open = typeof address === 'object' && address ? address.port : 0
  closed = await freePort()
  range = await startOAuthRange({ server: { development: true } })
})
afterAll(async () => {
  await range?.close()
  bait?.close()
})

// ---- B2: addresses in the metadata.

const ADDRESSES = [
  ...['jwks_uri', 'logo_uri', 'client_uri', 'policy_uri', 'tos_uri', 'sector_identifier_uri', 'initiate_login_uri'],
  ...['backchannel_logout_uri', 'frontchannel_logout_uri', 'backchannel_client_notification_endpoint'],
].map((name) => ({ id: name, of: (url: string): Record<string, unknown> => ({ [name]: url }) }))

const FETCHED: readonly { id: string; of: (url: string) => Record<string, unknown>; refused?: boolean }[] = [
  ...ADDRESSES,
  { id: 'request_uris', of: (url) => ({ request_uris: [url], require_signed_request_object: true }) },
  { id: 'post_logout_redirect_uris', of: (url) => ({ post_logout_redirect_uris: [url] }) },
  {
    id: 'sector_identifier_uri of a pairwise client',
    of: (url) => ({ sector_identifier_uri: url, subject_type: 'pairwise' }),
  },
  {
    id: 'jwks_uri of a confidential client',
    of: (url) => ({ jwks_uri: url, token_endpoint_auth_method: 'private_key_jwt' }),
    refused: true,
  },
  {
    id: 'jwks_uri of a client that encrypts',
    of: (url) => ({ jwks_uri: url, id_token_encrypted_response_alg: 'RSA-OAEP' }),
  },
  { id: 'logo_uri in several languages', of: (url) => ({ 'logo_uri#de': url, 'logo_uri#fr': url }) },
  {
    id: 'software_statement',
    of: (url) => ({ software_statement: `${encode({ alg: 'ES256', jku: url })}.${encode({ iss: url })}.AAAA` }),
  },
  {
    id: 'a document as the redirect URI',
    of: (url) => ({ redirect_uris: [REDIRECT, url.replace('https:', 'http:')] }),
  },
]
const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Everything that a client of this registration can set off; what was said of it, without what differs by chance. */
async function useRegistration(of: (url: string) => Record<string, unknown>, port: number): Promise<string> {
  const said: string[] = []
  for (const scheme of ['http', 'https']) {
    const url = `${scheme}://127.0.0.1:${port}/bait`
    const { status, body } = await register(range.gateway.url, { ...METADATA, ...of(url) })
    said.push(`${status} ${body['error'] ?? ''} ${body['error_description'] ?? ''}`)
    if (status !== 201) continue
    const id = String(body['client_id'])
    const client = await registerClient(range.gateway, { redirectUris: [REDIRECT] })
    const request = client.authorize({ client_id: id, redirect_uri: REDIRECT, resource: range.resource, scope: SCOPE })
    const page = await (await range.gateway.person()).open(request.url)
    expect(page.status).toBe(200)
    expect(page.html).not.toContain(`:${port}/bait`)
    for (const name of ['request_uri', 'request'])
      said.push(answerOf((await send(`${request.url}&${name}=${encodeURIComponent(url)}`)).location).get('error') ?? '')
    const answer = await client.exchange('none', request.verifier, { client_id: id })
    said.push(`${answer.status} ${JSON.stringify(answer.body)}`)
  }
  return said.join('\n').replaceAll(String(port), 'PORT')
}

attackTable('B2: nothing is fetched for', FETCHED, async ({ of, refused = false }) => {
  const [listening, deaf] = [await useRegistration(of, open), await useRegistration(of, closed)]
  // Who listens there is not to be read off the answer.
  expect(listening).toBe(deaf)
  expect(listening.startsWith(refused ? '400' : '201')).toBe(true)
  expect(visits).toBe(0)
})

describe('B2: the bait', () => {
  it('would have been noticed', async () => {
    await expect(fetch(`http://127.0.0.1:${open}/`)).rejects.toThrow()
    expect(visits).toBe(1)
    visits = 0
  })
})

// ---- B3: a registration belongs to whoever holds its token.

const uriOf = ({ registration }: TestClient) => String(registration['registration_client_uri'])
const tokenOf = ({ registration }: TestClient) => String(registration['registration_access_token'])

async function manage(method: string, uri: string, token: string | undefined, body?: object): Promise<Answer> {
  const headers = {
    ...(token !== undefined && { authorization: token }),
    ...(body !== undefined && { 'content-type': 'application/json' }),
  }
  return jsonOf(await fetch(uri, { method, headers, body: body === undefined ? null : JSON.stringify(body) }))
}

interface Credentials {
  readonly mine: TestClient
  readonly victim: TestClient
  readonly accessToken: string
}

const WRONG: readonly { id: string; authorization: (held: Credentials) => string | undefined; status?: number }[] = [
  { id: 'none', authorization: () => undefined },
  { id: 'that of another client', authorization: ({ mine }) => `Bearer ${tokenOf(mine)}` },
  { id: 'an access token', authorization: ({ accessToken }) => `Bearer ${accessToken}` },
  { id: 'its client_id', authorization: ({ victim }) => `Bearer ${victim.id}` },
  {
    id: 'its client_id as Basic',
    authorization: ({ victim }) => `Basic ${Buffer.from(`${victim.id}:`).toString('base64')}`,
    status: 400,
  },
  { id: 'its own, one letter short', authorization: ({ victim }) => `Bearer ${tokenOf(victim).slice(0, -1)}` },
  { id: 'its own in upper case', authorization: ({ victim }) => `Bearer ${tokenOf(victim).toUpperCase()}` },
  { id: 'random', authorization: () => `Bearer ${'r'.repeat(43)}` },
  { id: 'a wildcard', authorization: () => 'Bearer *' },
]

attackTable('B3: managing a registration with', WRONG, async ({ authorization, status = 401 }) => {
  const mine = await registerClient(range.gateway)
  const victim = await registerClient(range.gateway)
  const { accessToken } = await range.gateway.signIn('canary', { client: mine })
  for (const secret of [tokenOf(mine), tokenOf(victim), accessToken]) range.secrets.add(secret)
  const credential = authorization({ mine, victim, accessToken })
  const evil = { client_id: victim.id, ...METADATA, redirect_uris: ['https://evil.example/cb'] }
  const reason = status === 400 ? 'invalid_request' : 'invalid_token'
  for (const [method, body] of [['GET'], ['PUT', evil], ['DELETE']] as const) {
    const refused = await expectRefused(range, reason, () => manage(method, uriOf(victim), credential, body))
    expect(refused).toMatchObject({ status, body: { error: reason } })
    expect(JSON.stringify(refused.body)).not.toContain('good.example')
  }
  const untouched = await manage('GET', uriOf(victim), `Bearer ${tokenOf(victim)}`)
  expect(untouched).toMatchObject({ status: 200, body: { client_id: victim.id, redirect_uris: [victim.redirectUri] } })
})

const OTHERS = [
  { id: 'client_id of another client', change: (victim: TestClient) => ({ client_id: victim.id }) },
  { id: 'a client_id of its choice', change: () => ({ client_id: 'console' }) },
  { id: 'no client_id', change: () => ({ client_id: undefined }) },
  { id: 'a registration token', change: () => ({ registration_access_token: 'mine' }) },
  { id: 'a registration address', change: (victim: TestClient) => ({ registration_client_uri: uriOf(victim) }) },
  { id: 'a time of issue', change: () => ({ client_id_issued_at: 1 }) },
  { id: 'an end of the secret', change: () => ({ client_secret_expires_at: 1 }) },
  { id: 'a secret of its choice', change: () => ({ client_secret: 'a secret of my own choice' }) },
] as const

attackTable('B3: an update cannot set', OTHERS, async ({ change }) => {
  const mine = await registerClient(range.gateway)
  const victim = await registerClient(range.gateway)
  const update = { client_id: mine.id, ...METADATA, redirect_uris: ['https://evil.example/cb'], ...change(victim) }
  const refused = await expectRefused(range, 'invalid_request', () =>
    manage('PUT', uriOf(mine), `Bearer ${tokenOf(mine)}`, update),
  )
  expect(refused).toMatchObject({ status: 400, body: { error: 'invalid_request' } })
  for (const client of [mine, victim]) {
    const untouched = await manage('GET', uriOf(client), `Bearer ${tokenOf(client)}`)
    expect(untouched).toMatchObject({
      status: 200,
      body: { client_id: client.id, redirect_uris: [client.redirectUri] },
    })
  }
})

describe('B3: the owner', () => {
  it('updates, and what was replaced is replaced everywhere, the token too', async () => {
    const mine = await registerClient(range.gateway)
    const update = { client_id: mine.id, ...METADATA, redirect_uris: ['https://new.example/cb'] }
    const updated = await manage('PUT', uriOf(mine), `Bearer ${tokenOf(mine)}`, update)
    expect(updated).toMatchObject({
      status: 200,
      body: { client_id: mine.id, redirect_uris: ['https://new.example/cb'] },
    })
    const { url } = mine.authorize({ resource: range.resource, scope: SCOPE })
    expectLocalPage(await expectRefused(range, 'invalid_redirect_uri', () => send(url)))
    const next = String(updated.body['registration_access_token'] ?? tokenOf(mine))
    if (next !== tokenOf(mine))
      await expectRefused(range, 'invalid_token', () => manage('GET', uriOf(mine), `Bearer ${tokenOf(mine)}`))
    expect((await manage('GET', uriOf(mine), `Bearer ${next}`)).status).toBe(200)
  })

  it('deletes, and the tokens of the client are dead with it', async () => {
    const mine = await registerClient(range.gateway)
    const { accessToken, refreshToken = '' } = await range.gateway.signIn('canary', { client: mine })
    await expectServed(range, accessToken)
    expect((await manage('DELETE', uriOf(mine), `Bearer ${tokenOf(mine)}`)).status).toBe(204)
    await expectRefused(range, 'revoked', () => callTool(range.resource, accessToken, 'read_note'))
    await expectRefused(range, 'invalid_client', () => mine.refresh(refreshToken))
    await expectRefused(range, 'invalid_token', () => manage('GET', uriOf(mine), `Bearer ${tokenOf(mine)}`))
  })
})

// ---- B4: members that nobody may send.

const MEMBERS: readonly { id: string; text: string; name: string; refused?: boolean }[] = [
  ...['"client_id":"console"', '"client_secret":"a secret of my own choice"', '"client_secret_expires_at":1'],
  ...[
    '"client_id_issued_at":7',
    '"registration_access_token":"mine"',
    '"registration_client_uri":"https://evil.example"',
  ],
  ...[
    '"trusted":true',
    '"skip_consent":true',
    '"first_party":true',
    '"is_first_party":true',
    '"tenant":"other"',
    '"tenant_id":1',
  ],
  ...['"owner":"ann"', '"user_id":"ann"', '"roles":["admin"]', '"groups":["engineering"]', '"administrator":true'],
  ...['"scope":"admin openid"', '"scopes":["*"]', '"audience":["*"]', '"resource":"https://evil.example"'],
  ...['"usedAt":1', '"createdAt":9999999999999', '"metadata":{}', '"kind":"configured"', '"id":"console"'],
  ...[
    '"id_token_signed_response_alg":"none"',
    '"userinfo_signed_response_alg":"none"',
    '"request_object_signing_alg":"none"',
  ],
  ...[
    '"token_endpoint_auth_signing_alg":"none"',
    '"subject_type":"pairwise"',
    '"default_max_age":0',
    '"require_auth_time":true',
  ],
  ...[
    '"application_type":"web"',
    '"post_logout_redirect_uris":["https://evil.example"]',
    '"request_uris":["https://evil.example"]',
  ],
  ...[
    '"introspection_endpoint_auth_method":"none"',
    '"tls_client_auth_subject_dn":"CN=x"',
    '"dpop_bound_access_tokens":true',
  ],
  ...[
    '"__proto__":{"trusted":true,"skip_consent":true}',
    '"constructor":{"prototype":{"trusted":true}}',
    '"prototype":{"trusted":true}',
  ],
  ...['"toString":"x"', '"hasOwnProperty":"x"', '"then":"x"'],
].map((text) => ({ id: text, text, name: JSON.parse(`["${text.split('"')[1]}"]`)[0] }))

attackTable('B4: a registration with', MEMBERS, async ({ text, name }) => {
  const value = Object.getOwnPropertyDescriptor(JSON.parse(`{${text}}`), name)?.value
  const { status, body } = await post(range, `${GOOD.slice(0, -1)},${text}}`)
  expect(status).toBe(201)
  expect(body[name]).not.toEqual(value)
  const id = String(body['client_id'])
  const stored = await range.gateway.store.durable.clients.find(id)
  expect(stored?.usedAt).toBeUndefined()
  expect(JSON.stringify(stored)).not.toContain(text)
  // It is asked for like every other, and the page says that nobody vouches for it.
  const some = await registerClient(range.gateway)
  const { url } = some.authorize({ client_id: id, redirect_uri: REDIRECT, resource: range.resource, scope: SCOPE })
  const page = await (await range.gateway.person()).open(url)
  expect(page.html).toContain('It registered itself; nobody has checked its name.')
  expect(Object.keys(Object.getOwnPropertyDescriptors(Object.prototype))).not.toEqual(
    expect.arrayContaining([expect.stringMatching(/trusted|skip_consent/)]),
  )
})

const GRANTS = [
  'client_credentials',
  'password',
  'implicit',
  'urn:ietf:params:oauth:grant-type:device_code',
  'urn:ietf:params:oauth:grant-type:token-exchange',
  'urn:ietf:params:oauth:grant-type:jwt-bearer',
  'urn:openid:params:grant-type:ciba',
]

attackTable(
  'B4: a grant by registration',
  GRANTS.map((id) => ({ id })),
  async ({ id: grant }) => {
    const metadata = {
      ...METADATA,
      grant_types: ['authorization_code', 'refresh_token', grant],
      response_types: ['code', 'token', 'id_token'],
    }
    const { status, body } = await register(range.gateway.url, {
      ...metadata,
      token_endpoint_auth_method: 'client_secret_post',
    })
    expect(status).toBe(201)
    expect(body).toMatchObject({ grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'] })
    const { id: client_id, client_secret } = {
      id: String(body['client_id']),
      client_secret: String(body['client_secret']),
    }
    range.secrets.add(client_secret)
    const some = await registerClient(range.gateway)
    const refused = await expectRefused(range, 'unsupported_grant_type', () =>
      some.exchange('x', 'x', {
        grant_type: grant,
        client_id,
        client_secret,
        scope: 'mcp:tools',
        resource: range.resource,
      }),
    )
    expect(refused.body).not.toHaveProperty('access_token')
    await expectNoSecret(range)
  },
)
