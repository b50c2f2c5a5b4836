// Attacks on the gate as an OAuth client of the servers behind it: B2, B18, B19, C11, E28, E29 of the catalogue, and the mix-ups of RFC 9207.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { ConnectionNeeded } from '../../src/upstreams/credential.ts'
import { type Connecting, openConnecting } from '../support/connecting.ts'
import { type AuthServerOptions, type GuardedUpstream, startGuardedUpstream } from '../support/upstream-auth.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

const OUTSIDE = 'mcp.portcullis.invalid'
/** Where a connection gets there, and an address of no machine, as one on the internet is to us (RFC 5737): the name as a whole is outside. */
const MEANS = ['127.0.0.1', '203.0.113.1']

interface Place {
  /** The server's name is not known to be of this machine: it is as one on the internet. */
  readonly outside?: boolean
  readonly settings?: Record<string, unknown>
}

async function guarded(options: AuthServerOptions = {}, { outside = false, settings = {} }: Place = {}) {
  const upstream = await startGuardedUpstream(options)
  closing.push(upstream.close)
  const url = outside ? upstream.url.replace('127.0.0.1', OUTSIDE) : upstream.url
  const gate = await openConnecting({
    servers: [{ id: 'github', url, credentials: { type: 'oauth', ...settings } }],
    ...(outside && { resolve: async () => MEANS }),
  })
  closing.push(gate.close)
  return { upstream, gate }
}

/** Counts whoever comes, and answers everything with something that could be taken for good. */
async function startCanary() {
  const hits: string[] = []
  const server = createServer((request, response) => {
    hits.push(`${request.method} ${request.url}`)
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => server.close())
  return { hits, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

const reasonOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'nothing was refused',
    (error: { reason?: string }) => error.reason ?? String(error),
  )

const acts = async (gate: Connecting) => (await gate.acts()).map(({ act, reason }) => `${act} ${reason}`)
const asked = ({ asked: all }: GuardedUpstream, host: 'as' | 'mcp') => all.filter((one) => one.host === host)

describe('B18: the server names another authorization server than the account was connected at', () => {
  it('sends it nothing: the person is asked, and the record says so', async () => {
    const { upstream, gate } = await guarded({ expiresIn: 600 })
    const evil = await startGuardedUpstream()
    closing.push(evil.close)
    await gate.connect('ann', 'github')
    upstream.options.resource = (document) => ({ ...document, authorization_servers: [evil.issuer] })
    upstream.expireAccessTokens()
    const before = asked(upstream, 'as').length
    await expect(gate.call('ann', 'github')).rejects.toBeInstanceOf(ConnectionNeeded)
    await expect(gate.call('ann', 'github')).rejects.toMatchObject({ reason: 'needs_reauth' })
    expect(evil.asked).toEqual([])
    expect(asked(upstream, 'as')).toHaveLength(before)
    expect(await acts(gate)).toContain('connection_lapsed issuer_changed')
  })

  it('goes on with the one it knows where nothing of it changed', async () => {
    const { upstream, gate } = await guarded({ expiresIn: 600 })
    await gate.connect('ann', 'github')
    upstream.expireAccessTokens()
    expect(await gate.call('ann', 'github')).toBe('ann@there')
  })

  it('renews at the one it knows, whatever the server says by then', async () => {
    const { upstream, gate } = await guarded({ expiresIn: 600 })
    const evil = await startGuardedUpstream()
    closing.push(evil.close)
    await gate.connect('ann', 'github')
    upstream.options.resource = (document) => ({ ...document, authorization_servers: [evil.issuer] })
    gate.clock.advance('10m')
    expect(await gate.call('ann', 'github')).toBe('ann@there')
    expect(evil.asked).toEqual([])
  })

  it('takes nothing of the old one along when the person connects at the new one', async () => {
    const { upstream, gate } = await guarded({ scopes: ['read'] }, { settings: { scopes: ['read'] } })
    const other = await startGuardedUpstream()
    closing.push(other.close)
    await gate.connect('ann', 'github')
    const secrets = [...clientsAt(upstream), ...tokensAt(upstream)]
    expect(secrets).toHaveLength(3)
    upstream.options.resource = (document) => ({ ...document, authorization_servers: [other.issuer] })
    expect(await gate.connect('ann', 'github')).toMatchObject({ issuer: other.issuer })
    expect(other.registrations()).toBe(1)
    const sent = JSON.stringify(other.asked.map(({ headers, body, query }) => [headers, body, query.toString()]))
    for (const secret of secrets) expect(sent).not.toContain(secret)
  })
})

describe('B18: the server names another authorization server than the one that knows the configured client', () => {
  const configured = { clientId: 'ours-at-the-old-one', clientSecret: 'secret-of-ours' }

  it('sends it neither the client’s secret nor a person, and says so', async () => {
    const { upstream, gate } = await guarded({}, { settings: configured })
    const evil = await startGuardedUpstream()
    closing.push(evil.close)
    await gate.connect('ann', 'github')
    upstream.options.resource = (document) => ({ ...document, authorization_servers: [evil.issuer] })
    expect(await reasonOf(gate.connect('bob', 'github'))).toBe('client_of_another')
    expect(evil.asked.every(({ path }) => path.startsWith('/.well-known/'))).toBe(true)
    expect(await acts(gate)).toContain('connection_refused client_of_another')
    upstream.options.resource = (document) => document
    expect(await gate.connect('bob', 'github')).toMatchObject({ state: 'connected' })
  })

  it('goes by the issuer that the administrator writes', async () => {
    const other = await startGuardedUpstream()
    closing.push(other.close)
    const { gate } = await guarded({}, { settings: { ...configured, issuer: other.issuer } })
    expect(await gate.connect('ann', 'github')).toMatchObject({ issuer: other.issuer })
  })
})

describe('C8: how long a token lives, said so that nobody can read it', () => {
  it.each([0, -1, null, '', 'soon', true])(
    '%j: the connection is made, renewed once at a refusal, and kept',
    async (said) => {
      const { upstream, gate } = await guarded({ expiresIn: said as number })
      await gate.connect('ann', 'github')
      for (const _ of [1, 2, 3]) expect(await gate.call('ann', 'github')).toBe('ann@there')
      expect(upstream.refreshes()).toBe(0)
      upstream.expireAccessTokens()
      for (const _ of [1, 2, 3]) expect(await gate.call('ann', 'github')).toBe('ann@there')
      expect([upstream.refreshes(), upstream.reuses()]).toEqual([1, 0])
    },
  )

  it('is no reason to lose a rotated token', async () => {
    const { upstream, gate } = await guarded({ expiresIn: 600 })
    await gate.connect('ann', 'github')
    upstream.options.expiresIn = -1
    gate.clock.advance('11m')
    for (const _ of [1, 2, 3]) expect(await gate.call('ann', 'github')).toBe('ann@there')
    expect([upstream.refreshes(), upstream.reuses()]).toEqual([1, 0])
  })
})

describe('E27: a token answer', () => {
  const answering = (more: object) => () => ({
    status: 200,
    body: { access_token: 'abc', token_type: 'Bearer', ...more },
  })

  it.each([
    ['with a line break in the token', { access_token: 'abc\r\nX-Forwarded-User: root' }],
    ['with more than ASCII', { access_token: 'tök☃' }],
    ['with white space', { access_token: 'a b' }],
    ['longer than any head', { access_token: 'a'.repeat(100_000) }],
    ['with a refresh token without end', { refresh_token: 'a'.repeat(100_000) }],
    ['of a type that proves itself', { token_type: 'DPoP' }],
    ['without a token', { access_token: null }],
  ])('%s connects nothing, and is no failure of ours', async (_, more) => {
    const { gate } = await guarded({ tokenEndpoint: answering(more) })
    expect(await reasonOf(gate.connect('ann', 'github'))).toBe('token_endpoint_unreachable')
    expect(await gate.ground.connections.list('ann')).toEqual([])
  })

  it.each([
    ['that says null where there is nothing', { refresh_token: null, scope: null, expires_in: null }],
    ['with a token of all signs', { access_token: '7|aB:~!' }],
  ])('%s connects', async (_, more) => {
    const { gate } = await guarded({ tokenEndpoint: answering(more) })
    expect(await gate.connect('ann', 'github')).toMatchObject({ state: 'connected' })
    expect(await gate.authorizationOf('ann', 'github')).toMatch(/^Bearer (?:abc|7\|aB:~!)$/)
  })
})

/** What the authorization server got to know the gate by, and gave it. */
const clientsAt = (upstream: GuardedUpstream): string[] =>
  asked(upstream, 'as').flatMap(({ query }) => query.get('client_id') ?? [])
const tokensAt = (upstream: GuardedUpstream): string[] =>
  asked(upstream, 'as').flatMap(({ form }) => [form.get('code') ?? [], form.get('code_verifier') ?? []].flat())

describe('B19: metadata of another issuer', () => {
  it.each([
    ['another host', () => 'https://honest.example'],
    ['a slash at its end', (issuer: string) => `${issuer}/`],
    ['another case', (issuer: string) => issuer.replace('http', 'HTTP')],
    ['none', () => undefined],
  ])('%s: refused, and none of its endpoints is used', async (_, issuerOf) => {
    const { upstream, gate } = await guarded({
      metadata: (document) => ({ ...document, issuer: issuerOf(String(document['issuer'])) }),
    })
    expect(await reasonOf(gate.connect('ann', 'github'))).toBe('metadata_issuer_mismatch')
    expect(asked(upstream, 'as').every(({ path }) => path.startsWith('/.well-known/'))).toBe(true)
    expect(await acts(gate)).toEqual(['connection_refused metadata_issuer_mismatch'])
  })

  it.each([
    ['no PKCE', { code_challenge_methods_supported: undefined }, 'pkce_unsupported'],
    ['plain PKCE alone', { code_challenge_methods_supported: ['plain'] }, 'pkce_unsupported'],
    ['a page that is a program', { authorization_endpoint: 'javascript:alert(1)' }, 'authorization_endpoint_refused'],
    ['a page in clear', { authorization_endpoint: 'http://far.example/' }, 'authorization_endpoint_refused'],
    ['no token endpoint', { token_endpoint: 7 }, 'metadata_incomplete'],
  ])('%s: refused', async (_, change, reason) => {
    const { upstream, gate } = await guarded({ metadata: (document) => ({ ...document, ...change }) })
    expect(await reasonOf(gate.connect('ann', 'github'))).toBe(reason)
    expect(upstream.registrations()).toBe(0)
  })

  it.each([
    ['another origin', 'https://evil.example/mcp'],
    ['a path beside it', (url: string) => `${url}-other`],
    ['no address', 'urn:x'],
  ])('a resource document about %s: refused', async (_, resource) => {
    const { upstream, gate } = await guarded({
      resource: (document) => ({
        ...document,
        resource: typeof resource === 'string' ? resource : resource(String(document['resource'])),
      }),
    })
    expect(await reasonOf(gate.connect('ann', 'github'))).toBe('resource_mismatch')
    expect(asked(upstream, 'as')).toEqual([])
  })
})

describe('RFC 9207: the answer comes from another authorization server', () => {
  it.each([
    ['another issuer', 'https://evil.example'],
    ['the same with a slash', undefined],
    ['none', null],
  ])('%s: the code is not sent', async (_, iss) => {
    const { upstream, gate } = await guarded()
    upstream.options.iss = iss === undefined ? `${upstream.issuer}/` : iss
    expect(await reasonOf(gate.connect('ann', 'github'))).toBe('answer_issuer_mismatch')
    expect(asked(upstream, 'as').some(({ path }) => path === '/token')).toBe(false)
  })

  it('may be missing where it is not promised, and then still not be another’s', async () => {
    const without = (document: Record<string, unknown>) => ({
      ...document,
      authorization_response_iss_parameter_supported: undefined,
    })
    const { upstream, gate } = await guarded({ metadata: without, iss: null })
    await expect(gate.connect('ann', 'github')).resolves.toMatchObject({ state: 'connected' })
    upstream.options.iss = 'https://evil.example'
    expect(await reasonOf(gate.connect('ann', 'github'))).toBe('answer_issuer_mismatch')
  })

  it('a state of nobody, and two of them, begin nothing', async () => {
    const { upstream, gate } = await guarded()
    const { finish } = gate.ground.connections
    const back = (query: string) => new URL(`http://127.0.0.1:4444/connections/callback/github?${query}`)
    expect(await reasonOf(finish('ann', back('state=guessed&code=stolen')))).toBe('authorization_unknown')
    expect(await reasonOf(finish('ann', back('code=stolen')))).toBe('authorization_unknown')
    expect(upstream.asked).toEqual([])
  })
})

describe('E28, B2: the 401 of a server on the internet steers the gate to addresses inside the house', () => {
  it.each([
    ['the resource document', (canary: string) => ({ resourceMetadata: `${canary}/document` })],
    [
      'the resource document on a cloud’s metadata address',
      () => ({ resourceMetadata: 'http://169.254.169.254/latest' }),
    ],
    [
      'the authorization server',
      (canary: string) => ({
        resourceMetadata: null,
        resource: (one: object) => ({ ...one, authorization_servers: [canary] }),
      }),
    ],
  ])('%s: nobody is asked', async (_, optionsOf) => {
    const canary = await startCanary()
    const { upstream, gate } = await guarded(optionsOf(canary.url), { outside: true })
    upstream.options.resource = outsideResource(upstream, upstream.options.resource)
    expect(await reasonOf(gate.connect('ann', 'github'))).toBe('discovery_address')
    expect(canary.hits).toEqual([])
    expect(asked(upstream, 'as')).toEqual([])
    expect(await acts(gate)).toEqual(['connection_refused discovery_address'])
  })

  it.each(['registration_endpoint', 'token_endpoint', 'revocation_endpoint'])(
    'the %s of an authorization server that was written: nobody else is asked',
    async (endpoint) => {
      const canary = await startCanary()
      const { gate } = await guardedOutside({ metadata: (one) => ({ ...one, [endpoint]: `${canary.url}/there` }) })
      await gate.connect('ann', 'github').catch(() => undefined)
      await gate.ground.connections.disconnect('ann', 'github')
      expect(canary.hits).toEqual([])
    },
  )

  it('an issuer that the administrator wrote may be inside', async () => {
    const { gate } = await guardedOutside({})
    expect(await gate.connect('ann', 'github')).toMatchObject({ state: 'connected' })
    expect(await gate.call('ann', 'github')).toBe('ann@there')
  })

  it('a server inside the house may name one there, but never a cloud’s metadata address', async () => {
    const inside = await guarded()
    await expect(inside.gate.connect('ann', 'github')).resolves.toMatchObject({ state: 'connected' })
    const { gate } = await guarded({ resourceMetadata: 'http://169.254.169.254/latest' })
    expect(await reasonOf(gate.connect('ann', 'github'))).toBe('discovery_address')
  })

  it('by a name of its own: what that means is asked where the gate was told to ask, and no thread waits for it', async () => {
    const upstream = await startGuardedUpstream({ resourceMetadata: 'https://steered.example/document' })
    closing.push(upstream.close)
    const names: string[] = []
    const gate = await openConnecting({
      servers: [{ id: 'github', url: upstream.url.replace('127.0.0.1', OUTSIDE), credentials: { type: 'oauth' } }],
      async resolve(host) {
        names.push(host)
        return host === OUTSIDE ? MEANS : ['10.0.0.1']
      },
    })
    closing.push(gate.close)
    expect(await reasonOf(gate.connect('ann', 'github'))).toBe('discovery_address')
    expect(names).toContain('steered.example')
  })

  /** A server on the internet whose authorization server the administrator wrote. */
  async function guardedOutside(options: AuthServerOptions) {
    const upstream = await startGuardedUpstream(options)
    closing.push(upstream.close)
    upstream.options.resource = outsideResource(upstream)
    upstream.options.resourceMetadata = null
    const gate = await openConnecting({
      servers: [
        {
          id: 'github',
          url: upstream.url.replace('127.0.0.1', OUTSIDE),
          credentials: { type: 'oauth', issuer: upstream.issuer },
        },
      ],
      resolve: async () => MEANS,
    })
    closing.push(gate.close)
    return { upstream, gate }
  }

  const outsideResource =
    (upstream: GuardedUpstream, change: AuthServerOptions['resource'] = (document) => document) =>
    (document: Record<string, unknown>): Record<string, unknown> => ({
      ...change(document),
      resource: upstream.url.replace('127.0.0.1', OUTSIDE),
    })
})

describe('E29: a redirect carries nothing along', () => {
  it('of the token endpoint: the refresh token goes nowhere else', async () => {
    const canary = await startCanary()
    const { upstream, gate } = await guarded({
      expiresIn: 600,
      metadata: (document) => ({ ...document, token_endpoint: `${String(document['issuer'])}/token` }),
    })
    await gate.connect('ann', 'github')
    upstream.options.redirectTokens = canary.url
    gate.clock.advance('11m')
    await expect(gate.call('ann', 'github')).rejects.toMatchObject({ reason: 'credential_failed' })
    expect(canary.hits).toEqual([])
  })
})

describe('secrets', () => {
  it('are neither in the log nor in clear in the store', async () => {
    const { upstream, gate } = await guarded({ expiresIn: 600 })
    await gate.connect('ann', 'github')
    await gate.call('ann', 'github')
    gate.clock.advance('10m')
    await gate.call('ann', 'github')
    const held = await gate.ground.vault.get({ principal: 'ann', upstream: 'github', field: 'oauth_tokens' })
    const tokens = JSON.parse(held?.secret.toString() ?? '{}') as Record<string, string>
    const secrets = [tokens['accessToken'], tokens['refreshToken'], ...tokensAt(upstream)].map(String)
    expect(secrets.every((secret) => secret.length > 20)).toBe(true)
    const record = (await gate.store.records.newest(1000)).map(({ line }) => line).join('\n')
    const rows = JSON.stringify([
      await gate.store.durable.connections.find('ann', 'github'),
      await gate.store.durable.secrets.find({ principal: 'ann', upstream: 'github', field: 'oauth_tokens' }),
    ])
    for (const secret of secrets) expect(gate.log.join('\n') + record + rows).not.toContain(secret)
  })
})
