// Rows C9–C11, C13 and C14 of the attack catalogue: a genuine credential in another's place, at another's address, upstream, in
// another spelling, or looking like another's. RFC 8725 §3, RFC 8707 §2, MCP 2026-07-28 (Authorization: no token passthrough).
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { CallEvent } from '../../src/audit/event.ts'
import { mintSetupLink } from '../../src/oauth/interaction/setup.ts'
import type { CanaryRequest } from '../support/canary.ts'
import { registerClient, type TestClient } from '../support/client.ts'
import { type Forge, forgeFrom } from '../support/forge.ts'
import { BOB } from '../support/gateway.ts'
import {
  codeFor,
  expectRefused,
  type Mirror,
  type OAuthRange,
  send,
  startMirror,
  startOAuthRange,
  tokensOf,
} from '../support/oauth-range.ts'
import type { Person } from '../support/person.ts'
import {
  attackTable,
  expectNoSecret,
  expectRecorded,
  expectServed,
  type Range,
  type Shot,
  shoot,
  toolCall,
} from '../support/range.ts'
import type { RawAnswer } from '../support/raw.ts'

let range: OAuthRange & Range
let forge: Forge
let client: TestClient
let person: Person

beforeAll(async () => {
  const started = await startOAuthRange()
  range = { ...started, token: await started.gateway.tokenFor('canary') }
  forge = await forgeFrom(range.gateway, range.token)
  client = await registerClient(range.gateway)
  person = await range.gateway.person()
})
afterAll(() => range?.close())

const metadataOf = (path: string): string =>
  `resource_metadata="${range.gateway.url}/.well-known/oauth-protected-resource${path}"`

/** RFC 6750 §3.1 and RFC 9728 §5.1; recorded, nothing upstream, the token in no line. */
async function expectInvalid(token: string, reason: string, shot: Shot = {}): Promise<RawAnswer> {
  const before = range.canary.requests.length
  const answer = await shoot(range, { ...shot, bend: { ...shot.bend, Authorization: `Bearer ${token}` } })
  expect({ status: answer.status, body: answer.body.toString() }).toMatchObject({ status: 401 })
  expect(answer.header('www-authenticate')).toContain('error="invalid_token"')
  expect(answer.header('www-authenticate')).toContain(metadataOf(shot.target ?? '/servers/canary/mcp'))
  expect(range.canary.requests.length).toBe(before)
  await expectRecorded(range, answer, reason)
  expectNoSecret(range, token)
  return answer
}

// ---- C9: each credential is good in one place.

const KINDS = [
  'access token',
  'ID token',
  'refresh token',
  'authorization code',
  'registration token',
  'client secret',
  'session cookie',
  'MCP session id',
  'setup ticket',
] as const
type Kind = (typeof KINDS)[number]
/** Nothing here takes an ID token. */
type Place = Exclude<Kind, 'ID token'>
const places = KINDS.filter((kind): kind is Place => kind !== 'ID token')

let held: Record<Kind, string>
let secretClient: TestClient
let mirror: Mirror
let cookieSignature: string

const GOOD = 'https://good.example/cb'
const asked = { scope: 'openid mcp:tools offline_access' }

beforeAll(async () => {
  mirror = await startMirror()
  secretClient = await registerClient(range.gateway, {
    redirectUris: [GOOD],
    metadata: { token_endpoint_auth_method: 'client_secret_post' },
  })
  const answer = await redeem(await codeFor(range, client, asked))
  const { accessToken, refreshToken = '' } = tokensOf(range, answer)
  code = await codeFor(range, client, asked)
  const cookies = await mirror.cookies(person, '/oauth/authorize')
  const cookie = (name: string) => new RegExp(`(?:^|; )${name}=([^;]+)`).exec(cookies)?.[1] ?? ''
  cookieSignature = cookie('portcullis_session\\.sig')
  const opened = await shoot(range, { wire: 'legacy', body: INITIALIZE })
  const { gateway } = range
  const link = await mintSetupLink({
    tickets: gateway.store.ephemeral.tickets,
    serverUrl: gateway.url,
    now: gateway.clock.now(),
  })
  held = {
    'access token': accessToken,
    'ID token': String(answer.body['id_token']),
    'refresh token': refreshToken,
    'authorization code': code.code,
    'registration token': String(client.registration['registration_access_token']),
    'client secret': String(secretClient.registration['client_secret']),
    'session cookie': cookie('portcullis_session'),
    'MCP session id': opened.header('mcp-session-id') ?? '',
    'setup ticket': new URL(link).searchParams.get('ticket') ?? '',
  }
  for (const secret of Object.values(held)) {
    expect(secret).toMatch(/^.{16,}$/)
    range.secrets.add(secret)
  }
})
afterAll(() => mirror?.close())

let code: { code: string; verifier: string }
const redeem = (grant: { code: string; verifier: string }) => client.exchange(grant.code, grant.verifier)

const INITIALIZE =
  '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}'

interface Outcome {
  readonly status: number
  readonly error: string | undefined
}

/** Where a credential is shown, and what the wrong one is told. */
const PLACES: Readonly<Record<Place, { show(value: string): Promise<Outcome>; refusal: Outcome; reason?: string }>> = {
  'access token': {
    async show(value) {
      const answer = await shoot(range, { bend: { Authorization: `Bearer ${value}` } })
      return { status: answer.status, error: /error="(\w+)"/.exec(answer.header('www-authenticate') ?? '')?.[1] }
    },
    refusal: { status: 401, error: 'invalid_token' },
  },
  'refresh token': {
    show: async (value) => outcomeOf(await client.refresh(value)),
    refusal: { status: 400, error: 'invalid_grant' },
    reason: 'invalid_grant',
  },
  'authorization code': {
    show: async (value) => outcomeOf(await client.exchange(value, code.verifier)),
    refusal: { status: 400, error: 'invalid_grant' },
    reason: 'invalid_grant',
  },
  'registration token': {
    async show(value) {
      const headers = { authorization: `Bearer ${value}` }
      const response = await fetch(String(client.registration['registration_client_uri']), { headers })
      return outcomeOf({ status: response.status, body: (await response.json()) as Record<string, unknown> })
    },
    refusal: { status: 401, error: 'invalid_token' },
    reason: 'invalid_token',
  },
  'client secret': {
    show: async (value) => outcomeOf(await secretClient.refresh('none', { client_secret: value })),
    refusal: { status: 401, error: 'invalid_client' },
    reason: 'invalid_client',
  },
  'session cookie': {
    async show(value) {
      const cookie = `portcullis_session=${value}; portcullis_session.sig=${cookieSignature}`
      const seen = await send(`${range.gateway.url}/logout`, { headers: { cookie } })
      return { status: seen.status, error: seen.html.includes('<form') ? undefined : 'nobody' }
    },
    refusal: { status: 200, error: 'nobody' },
  },
  'MCP session id': {
    async show(value) {
      const answer = await shoot(range, { wire: 'legacy', bend: { 'Mcp-Session-Id': value } })
      return { status: answer.status, error: answer.status === 200 ? undefined : 'session' }
    },
    refusal: { status: 404, error: 'session' },
  },
  'setup ticket': {
    async show(value) {
      const seen = await send(`${range.gateway.url}/setup?ticket=${encodeURIComponent(value)}`)
      return { status: seen.status, error: seen.status === 200 ? undefined : 'ticket' }
    },
    refusal: { status: 400, error: 'ticket' },
  },
}

const outcomeOf = ({ status, body }: { status: number; body: Record<string, unknown> }): Outcome => ({
  status,
  error: typeof body['error'] === 'string' ? body['error'] : undefined,
})

const CONFUSIONS = places.flatMap((place) =>
  KINDS.filter((kind) => kind !== place).map((kind) => ({ id: `${kind} as ${place}`, kind, place })),
)
attackTable('C9: token-type confusion', CONFUSIONS, async ({ kind, place }) => {
  const { show, refusal, reason } = PLACES[place]
  const before = range.canary.requests.length
  const attack = () => show(held[kind])
  expect(reason === undefined ? await attack() : await expectRefused(range, reason, attack)).toEqual(refusal)
  expect(range.canary.requests.length).toBe(before)
  expectNoSecret(range, held[kind])
})

describe('C9: in its own place, after all of that', () => {
  it.each(places)('a %s is good', async (kind) => {
    const { status, error } = await PLACES[kind].show(held[kind])
    // The secret proves the client, and then there is no such refresh token.
    const good = kind === 'client secret' ? { status: 400, error: 'invalid_grant' } : { status: 200, error: undefined }
    expect({ status, error }).toEqual(good)
  })
})

// ---- C10: for exactly one resource, in exactly one spelling.

const AUDIENCES: readonly { id: string; aud: (own: string, origin: string) => unknown; reason?: string }[] = [
  { id: 'another server', aud: (_own, origin) => `${origin}/servers/other/mcp` },
  { id: 'a server that begins alike', aud: (_own, origin) => `${origin}/servers/canary2/mcp` },
  { id: 'the aggregate', aud: (_own, origin) => `${origin}/mcp` },
  { id: 'the issuer', aud: (_own, origin) => origin },
  { id: 'the root', aud: (_own, origin) => `${origin}/` },
  { id: 'a prefix', aud: (_own, origin) => `${origin}/servers/canary` },
  { id: 'something below', aud: (own) => `${own}/more` },
  { id: 'a slash at the end', aud: (own) => `${own}/` },
  { id: 'a query', aud: (own) => `${own}?x` },
  { id: 'a fragment', aud: (own) => `${own}#x` },
  { id: 'upper-case scheme', aud: (own) => own.replace('http:', 'HTTP:') },
  { id: 'upper-case path', aud: (own) => own.replace('canary', 'Canary') },
  { id: 'encoded letter', aud: (own) => own.replace('canary', '%63anary') },
  { id: 'dot segment', aud: (own) => own.replace('/servers', '/x/../servers') },
  { id: 'double slash', aud: (own) => own.replace('/servers', '//servers') },
  { id: 'https', aud: (own) => own.replace('http:', 'https:') },
  { id: 'another port', aud: (_own, origin) => `${origin.replace(/\d+$/, '1')}/servers/canary/mcp` },
  { id: 'no port', aud: (own) => own.replace(/:\d+/, '') },
  { id: 'a port with a zero', aud: (own) => own.replace(/:(\d+)/, ':0$1') },
  { id: 'the host by name', aud: (own) => own.replace('127.0.0.1', 'localhost') },
  { id: 'root dot', aud: (own) => own.replace('127.0.0.1', '127.0.0.1.') },
  { id: 'userinfo', aud: (own) => own.replace('//', '//user@') },
  { id: 'a foreign server', aud: () => 'https://evil.example/mcp' },
  { id: 'a space before', aud: (own) => ` ${own}` },
  { id: 'two in one text', aud: (own, origin) => `${own} ${origin}/servers/other/mcp` },
  { id: 'missing', aud: () => undefined, reason: 'claim_type' },
  { id: 'null', aud: () => null, reason: 'claim_type' },
  { id: 'empty', aud: () => '', reason: 'claim_type' },
  { id: 'a number', aud: () => 1, reason: 'claim_type' },
  { id: 'an object', aud: (own) => ({ 0: own }), reason: 'claim_type' },
  { id: 'an empty list', aud: () => [], reason: 'claim_type' },
  { id: 'a list with a foreign one', aud: (own) => [own, 'https://evil.example/mcp'], reason: 'claim_type' },
  { id: 'a list that begins with a foreign one', aud: (own) => ['https://evil.example', own], reason: 'claim_type' },
  { id: 'a list in a list', aud: (own) => [[own]], reason: 'claim_type' },
]

attackTable('C10: a token of our own making for', AUDIENCES, async ({ aud, reason = 'audience_mismatch' }) => {
  const { resource, gateway } = range
  await expectInvalid(forge.token({ claims: { aud: aud(resource, gateway.url) } }), reason)
  await expectServed({ ...range, token: forge.token() })
})

describe('C10: a genuine token', () => {
  it('of one server is refused at the other, which says whose token it wants, and is good at its own', async () => {
    const other = await range.gateway.tokenFor('other')
    await expectInvalid(range.token, 'audience_mismatch', { target: '/servers/other/mcp' })
    await expectInvalid(other, 'audience_mismatch')
    await expectServed(range)
    await expectServed({ ...range, token: other }, { target: '/servers/other/mcp' })
  })

  const NOWHERE = [
    '/servers/canary2/mcp',
    '/servers/CANARY/mcp',
    '/servers/canary/mcp/',
    '/servers/canary/mcp/x',
    '/mcp',
    '/',
  ]
  it.each(NOWHERE)('opens nothing at %s', async (target) => {
    const before = range.canary.requests.length
    const answer = await shoot(range, { target })
    // 401: all servers as one are there, for tokens of their own.
    expect(target === '/mcp' ? [401] : [404, 405]).toContain(answer.status)
    expect(range.canary.requests.length).toBe(before)
  })
})

// ---- C11: what the caller is trusted with stays here.

const MARK = 'do-not-pass-this-on'
const CREDENTIALS = [
  ...['Cookie', 'Proxy-Authorization', 'DPoP', 'X-Auth-Token', 'X-Access-Token', 'X-Forwarded-Access-Token'],
  ...['X-Upstream-Authorization', 'X-Amz-Security-Token', 'X-Csrf-Token', 'Authorization2', 'X_Api_Key', 'X.Api.Key'],
  ...['X-Forwarded-User', 'X-Forwarded-Email', 'X-Portcullis-Assertion', 'Client-Cert', 'X-Forwarded-Client-Cert'],
].map((name) => ({ id: name, bend: { [name]: `Basic ${MARK}` } }))

/** Nothing of the caller's token, whole or in part, and nothing of the mark. */
function expectNothingPassed(requests: readonly CanaryRequest[]): void {
  for (const { url, rawHeaders, body } of requests) {
    const seen = [url, ...rawHeaders, body.toString()].join('\n')
    for (const secret of [range.token, ...range.token.split('.'), MARK]) expect(seen.includes(secret)).toBe(false)
    expect(rawHeaders.map((name) => name.toLowerCase())).not.toContain('authorization')
  }
}

attackTable('C11: a credential beside the token', CREDENTIALS, async ({ bend }) => {
  const before = range.canary.requests.length
  for (const wire of ['modern', 'legacy'] as const) await expectServed(range, { wire, bend })
  expectNothingPassed(range.canary.requests.slice(before))
  expectNoSecret(range, MARK)
})

describe('C11: the token', () => {
  it('stays here in every request of a session: handshake, notification, call, stream, end', async () => {
    const before = range.canary.requests.length
    const opened = await shoot(range, { wire: 'legacy', body: INITIALIZE })
    const session = { 'Mcp-Session-Id': opened.header('mcp-session-id') ?? '' }
    const notification = '{"jsonrpc":"2.0","method":"notifications/initialized"}'
    expect((await shoot(range, { wire: 'legacy', bend: session, body: notification })).status).toBe(202)
    expect((await shoot(range, { wire: 'legacy', bend: session })).status).toBe(200)
    await shoot(range, { wire: 'legacy', method: 'GET', bend: { ...session, Accept: 'text/event-stream' } })
    await shoot(range, { wire: 'legacy', method: 'DELETE', bend: session })
    const passed = range.canary.requests.slice(before)
    expect(passed.map(({ method }) => method)).toEqual(['POST', 'POST', 'POST', 'GET', 'DELETE'])
    expectNothingPassed(passed)
    // Not even the session id is the one that the caller knows.
    expect(passed.flatMap(({ rawHeaders }) => rawHeaders)).not.toContain(session['Mcp-Session-Id'])
  })

  it.each([
    { name: 'X-API-Key', status: 400, reason: 'two_credentials' },
    { name: 'x-api-key', status: 400, reason: 'two_credentials' },
  ])('beside $name is one credential too many', async ({ name, status, reason }) => {
    const before = range.canary.requests.length
    const answer = await shoot(range, { bend: { [name]: MARK } })
    expect(answer.status).toBe(status)
    expect(range.canary.requests.length).toBe(before)
    await expectRecorded(range, answer, reason)
    expectNoSecret(range, MARK)
  })
})

// ---- C13: another string that a lax decoder reads as the same token.

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
/** A segment whose last character has other unused bits; the same bytes to most decoders. */
const withOtherBits = (segment: string, by: number): string =>
  segment.slice(0, -1) +
  (BASE64URL[(BASE64URL.indexOf(segment.slice(-1)) & ~15) | ((15 & BASE64URL.indexOf(segment.slice(-1))) ^ by)] ?? '')
const inSegment = (token: string, at: number, change: (segment: string) => string): string =>
  token
    .split('.')
    .map((segment, index) => (index === at ? change(segment) : segment))
    .join('.')

const SPELLINGS: readonly { id: string; spell: (token: string) => string; reason?: string }[] = [
  ...[1, 2, 4, 8, 15].map((by) => ({
    id: `unused bits of the signature, ${by}`,
    spell: (token: string) => inSegment(token, 2, (segment) => withOtherBits(segment, by)),
  })),
  { id: 'padding', spell: (token) => `${token}==` },
  { id: 'one padding character', spell: (token) => `${token}=` },
  { id: 'padding of the payload', spell: (token) => inSegment(token, 1, (segment) => `${segment}=`) },
  {
    id: 'an embedded space',
    spell: (token) => inSegment(token, 1, (segment) => `${segment.slice(0, 9)} ${segment.slice(9)}`),
  },
  { id: 'a space before the signature', spell: (token) => inSegment(token, 2, (segment) => ` ${segment}`) },
  {
    id: 'an embedded tab',
    spell: (token) => inSegment(token, 2, (segment) => `${segment.slice(0, 9)}\t${segment.slice(9)}`),
  },
  { id: 'no-break space', spell: (token) => inSegment(token, 2, (segment) => `${segment}\xa0x`) },
  { id: 'one character more', spell: (token) => `${token}A`, reason: 'bad_token' },
  { id: 'four characters more', spell: (token) => `${token}AAAA`, reason: 'bad_token' },
  { id: 'a dot at the end', spell: (token) => `${token}.` },
  { id: 'a dot before', spell: (token) => `.${token}` },
  { id: 'a fourth segment', spell: (token) => `${token}.AAAA` },
  { id: 'an asterisk', spell: (token) => inSegment(token, 2, (segment) => `${segment}*`) },
  { id: 'percent-encoded dots', spell: (token) => token.replaceAll('.', '%2E') },
  { id: 'quotes', spell: (token) => `"${token}"` },
  { id: 'twice', spell: (token) => `${token},${token}` },
  { id: 'with a comma', spell: (token) => `${token},` },
  { id: 'two spaces before it', spell: (token) => ` ${token}` },
]

describe('C13: malleable strings', () => {
  it('another alphabet is another string', async () => {
    // Until both special letters of the alphabet are in one signature.
    let token = forge.token()
    while (!/-[^.]*_[^.]*$|_[^.]*-[^.]*$/.test(token)) token = forge.token()
    await expectServed({ ...range, token })
    await expectInvalid(
      inSegment(token, 2, (segment) => segment.replaceAll('-', '+').replaceAll('_', '/')),
      'malformed',
    )
  })

  attackTable(
    'C13: neither while it lives nor after it was revoked',
    SPELLINGS,
    async ({ spell, reason = 'malformed' }) => {
      const { accessToken: token } = await range.gateway.signIn('canary', { client })
      range.secrets.add(token)
      expect(spell(token)).not.toBe(token)
      await expectInvalid(spell(token), reason)
      await expectServed({ ...range, token })
      await expectInvalid(spell(token), reason)
      expect((await client.revoke(token)).status).toBe(200)
      await expectInvalid(token, 'revoked')
      await expectInvalid(spell(token), reason)
    },
  )
})

// ---- C14: a cache that knows a token by its beginning.

describe('C14: cache keys', () => {
  const LENGTHS = [16, 17, 20, 32, 50, 64, 100, 128, 200, 256]

  it.each([...LENGTHS, -86, -85, -43, -20, -10, -2, -1])(
    'the first %i characters of a token that is in the cache',
    async (count) => {
      await expectServed(range)
      const length = count < 0 ? range.token.length + count : count
      expect(length).toBeLessThan(range.token.length)
      const junk = [...range.token.slice(length)]
        .map((letter) => (letter === '.' ? '.' : letter === 'A' ? 'Q' : 'A'))
        .join('')
      expect(junk).toHaveLength(range.token.length - length)
      const answer = await shoot(range, { bend: { Authorization: `Bearer ${range.token.slice(0, length)}${junk}` } })
      expect(answer.status).toBe(401)
      const before = range.canary.requests.length
      const cut = await shoot(range, { bend: { Authorization: `Bearer ${range.token.slice(0, length)}` } })
      expect(cut.status).toBe(401)
      expect(range.canary.requests.length).toBe(before)
    },
  )

  it('two people with the same key, header and beginning of the claims are two people', async () => {
    const bob = await range.gateway.signIn('canary', { user: BOB })
    const mine = JSON.parse(Buffer.from(bob.accessToken.split('.')[1] ?? '', 'base64url').toString())
    const { sub, ...rest } = forge.claims
    const tokenOf = (subject: unknown) => forge.token({ claimsText: JSON.stringify({ ...rest, sub: subject }) })
    const [ofAnn, ofBob] = [tokenOf(sub), tokenOf(mine.sub)]
    expect(ofAnn.slice(0, 400)).toBe(ofBob.slice(0, 400))
    for (const [token, subject] of [
      [ofAnn, sub],
      [ofBob, mine.sub],
      [ofBob, mine.sub],
      [ofAnn, sub],
    ] as const) {
      const answer = await expectServed({ ...range, token })
      const id = answer.header('x-request-id')
      const events = await range.gateway.audit((all) => all.some((event) => event.id === id))
      expect(events.find((event): event is CallEvent => event.id === id)).toMatchObject({ subject, decision: 'allow' })
    }
  })
})

// The matrix's last word: the one that it began with.
it('the token of all these attacks still opens its own server', async () => {
  await expectServed(range, { body: toolCall('modern') })
})
