// A person's own account at a server behind the gate: connected once, used for their calls alone, renewed before it ends, given back.
import { generateKeyPairSync } from 'node:crypto'
import { jwtVerify } from 'jose'
import { afterEach, describe, expect, it } from 'vitest'
import { ConnectionNeeded } from '../../src/upstreams/credential.ts'
import { type Connecting, openConnecting } from '../support/connecting.ts'
import { startGateway } from '../support/gateway.ts'
import { type AuthServerOptions, type GuardedUpstream, startGuardedUpstream } from '../support/upstream-auth.ts'

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

type Settings = Record<string, unknown>

async function guarded(options: AuthServerOptions = {}, settings: Settings = {}) {
  const upstream = await startGuardedUpstream(options)
  closing.push(upstream.close)
  const gate = await openConnecting({
    servers: [{ id: 'github', url: upstream.url, credentials: { type: 'oauth', ...settings } }],
  })
  closing.push(gate.close)
  return { upstream, gate }
}

async function gatewayWith(credentials: { type: 'oauth' | 'none' }) {
  const gateway = await startGateway({ servers: [{ id: 'github', url: 'http://127.0.0.1:9/mcp', credentials }] })
  closing.push(gateway.close)
  return gateway
}

const needed = async (work: Promise<unknown>): Promise<string> => {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(ConnectionNeeded)
  return (error as ConnectionNeeded).reason
}

const asked = ({ asked: all }: GuardedUpstream, path: string) => all.filter((one) => one.path === path)
const reasonsOf = async (gate: Connecting) => (await gate.acts()).map(({ act, reason }) => `${act} ${reason}`)

describe('connecting an account', () => {
  it('finds the authorization server from the 401, registers, and calls as the person', async () => {
    const { upstream, gate } = await guarded({ expiresIn: 3600 })
    expect(await needed(gate.call('ann', 'github'))).toBe('not_connected')
    const connection = await gate.connect('ann', 'github')
    expect(connection).toMatchObject({ server: 'github', state: 'connected', issuer: upstream.issuer })
    expect(await gate.call('ann', 'github')).toBe('ann@there')
    expect(await needed(gate.call('bob', 'github'))).toBe('not_connected')
    await gate.connect('bob', 'github')
    expect(await gate.call('bob', 'github')).toBe('bob@there')
    expect(upstream.registrations()).toBe(1)
    expect(await gate.ground.connections.list('ann')).toMatchObject([{ server: 'github', state: 'connected' }])
    expect(await reasonsOf(gate)).toEqual(['connection_made connected', 'connection_made connected'])
  })

  it('sends PKCE, resource and state, and the same resource for the code', async () => {
    const { upstream, gate } = await guarded()
    await gate.connect('ann', 'github')
    const [authorize] = asked(upstream, '/authorize')
    expect(authorize?.query.get('resource')).toBe(upstream.url)
    expect(authorize?.query.get('code_challenge_method')).toBe('S256')
    const [token] = asked(upstream, '/token')
    expect(token?.form.get('resource')).toBe(upstream.url)
    const [registration] = asked(upstream, '/register')
    expect(authorize?.query.get('redirect_uri')).toMatch(
      /^http:\/\/127\.0\.0\.1:4444\/connections\/callback\/github\/[\w-]{43}$/,
    )
    expect(JSON.parse(registration?.body ?? '{}')).toMatchObject({
      redirect_uris: [authorize?.query.get('redirect_uri')],
      grant_types: ['authorization_code', 'refresh_token'],
      application_type: 'native',
    })
  })

  it('does not look at an ID token', async () => {
    const answer = { access_token: 'at', token_type: 'bearer', id_token: 'not.a.token' }
    const { gate } = await guarded({ tokenEndpoint: () => ({ status: 200, body: answer }) })
    await expect(gate.connect('ann', 'github')).resolves.toMatchObject({ state: 'connected' })
    const unsound = await guarded({ tokenEndpoint: () => ({ status: 200, body: { ...answer, access_token: 7 } }) })
    await expect(unsound.gate.connect('ann', 'github')).rejects.toMatchObject({ name: 'ConnectionRefused' })
  })

  it('is taken once, and by nobody else', async () => {
    const { gate } = await guarded()
    const { url } = await gate.ground.connections.begin('ann', 'github')
    const response = await fetch(url, { redirect: 'manual' })
    const answer = new URL(response.headers.get('location') ?? '')
    const { finish } = gate.ground.connections
    await expect(finish('bob', answer)).rejects.toMatchObject({ reason: 'connection_of_another' })
    // What the other one tried took nothing away.
    await expect(finish('ann', answer)).resolves.toMatchObject({ state: 'connected' })
    await expect(finish('ann', answer)).rejects.toMatchObject({ reason: 'authorization_unknown' })
  })

  it('is forgotten after ten minutes', async () => {
    const { gate } = await guarded()
    const late = { back: () => gate.clock.advance('11m') }
    await expect(gate.connect('ann', 'github', late)).rejects.toMatchObject({ reason: 'authorization_unknown' })
    await expect(gate.connect('ann', 'github')).resolves.toMatchObject({ state: 'connected' })
  })

  it('says so when the person does not allow it', async () => {
    const { gate } = await guarded()
    const back = (answer: URLSearchParams) => {
      answer.delete('code')
      answer.set('error', 'access_denied')
    }
    await expect(gate.connect('ann', 'github', { back })).rejects.toMatchObject({ reason: 'access_denied' })
    expect(await reasonsOf(gate)).toEqual(['connection_refused access_denied'])
  })
})

describe('the last use', () => {
  it('is known to some minutes, and written no oftener', async () => {
    const { gate } = await guarded()
    const usedAt = async () => (await gate.ground.connections.list('ann'))[0]?.usedAt
    await gate.connect('ann', 'github')
    expect(await usedAt()).toBeUndefined()
    await gate.call('ann', 'github')
    const first = (await usedAt()) ?? 0
    expect(Math.abs(gate.clock.now() - first)).toBeLessThan(60_000)
    gate.clock.advance('4m')
    await gate.call('ann', 'github')
    expect(await usedAt()).toBe(first)
    gate.clock.advance('2m')
    await gate.call('ann', 'github')
    expect(await usedAt()).toBeGreaterThan(first)
  })
})

describe('which client the gate is', () => {
  it('the configured one first, with its secret', async () => {
    const settings = { clientId: 'ours', clientSecret: 'a secret of ours' }
    const { upstream, gate } = await guarded({}, settings)
    await gate.connect('ann', 'github')
    expect(upstream.registrations()).toBe(0)
    const [token] = asked(upstream, '/token')
    expect(token?.headers['authorization']).toBe(`Basic ${btoa('ours:a+secret+of+ours')}`)
    expect(token?.form.get('redirect_uri')).toBe('http://127.0.0.1:4444/connections/callback/github')
  })

  it('with a key of its own, and one that is none stops the start', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    const { upstream, gate } = await guarded({}, { clientId: 'ours', privateKey: key })
    await gate.connect('ann', 'github')
    const [token] = asked(upstream, '/token')
    const { payload } = await jwtVerify(token?.form.get('client_assertion') ?? '', publicKey)
    expect(payload).toMatchObject({ iss: 'ours', sub: 'ours', aud: upstream.issuer })
    const broken = { type: 'oauth' as const, clientId: 'ours', privateKey: 'no key' }
    await expect(
      openConnecting({ servers: [{ id: 'github', url: upstream.url, credentials: broken }] }),
    ).rejects.toThrow(/servers\.github\.credentials: privateKey is no private key/)
  })

  it('a metadata document of ours where that is taken', async () => {
    const upstream = await startGuardedUpstream({
      metadata: (document) => ({ ...document, client_id_metadata_document_supported: true }),
    })
    closing.push(upstream.close)
    const gate = await openConnecting({
      servers: [{ id: 'github', url: upstream.url, credentials: { type: 'oauth' } }],
      server: { url: 'https://mcp.example.com' },
    })
    closing.push(gate.close)
    await gate.connect('ann', 'github')
    expect(upstream.registrations()).toBe(0)
    const [authorize] = asked(upstream, '/authorize')
    expect(authorize?.query.get('client_id')).toBe('https://mcp.example.com/.well-known/oauth-client')
    expect(authorize?.query.get('redirect_uri')).toBe('https://mcp.example.com/connections/callback')
    const [token] = asked(upstream, '/token')
    expect(token?.form.get('client_id')).toBe('https://mcp.example.com/.well-known/oauth-client')
    expect(token?.headers['authorization']).toBeUndefined()
  })

  it('and publishes that document, where it is anybody’s client', async () => {
    const [client, none] = [await gatewayWith({ type: 'oauth' }), await gatewayWith({ type: 'none' })]
    const response = await fetch(`${client.url}/.well-known/oauth-client`)
    expect(response.headers.get('content-type')).toContain('application/json')
    expect(await response.json()).toMatchObject({
      client_id: `${client.url}/.well-known/oauth-client`,
      client_name: 'Portcullis',
      redirect_uris: [`${client.url}/connections/callback`],
      grant_types: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_method: 'none',
    })
    expect((await fetch(`${none.url}/.well-known/oauth-client`)).status).toBe(404)
  })

  it('registered anew where it is registered with the one address that all servers had once, whose accounts stay', async () => {
    const { upstream, gate } = await guarded({ expiresIn: 600 })
    const { upstreamClients } = gate.store.durable
    await gate.connect('bob', 'github')
    const [registered] = asked(upstream, '/authorize')
    const about = { server: 'github', issuer: upstream.issuer }
    const now = await upstreamClients.findById('github', upstream.issuer, registered?.query.get('client_id') ?? '')
    const former = { ...about, redirectUri: 'http://127.0.0.1:4444/connections/callback', authMethod: 'none' }
    if (now === undefined) throw new TypeError('The gate is registered.')
    await upstreamClients.forget(now)
    await upstreamClients.keep({ ...now, ...former }, undefined)
    expect(await gate.connect('ann', 'github')).toMatchObject({ state: 'connected' })
    expect(upstream.registrations()).toBe(2)
    gate.clock.advance('10m')
    expect([await gate.call('ann', 'github'), await gate.call('bob', 'github')]).toEqual(['ann@there', 'bob@there'])
    expect(upstream.refreshes()).toBe(2)
  })

  it('registered anew where the authorization server has forgotten it', async () => {
    const { upstream, gate } = await guarded({ expiresIn: 600 })
    await gate.connect('ann', 'github')
    upstream.options.tokenEndpoint = () => ({ status: 401, body: { error: 'invalid_client' } })
    gate.clock.advance('10m')
    expect(await needed(gate.call('ann', 'github'))).toBe('needs_reauth')
    delete upstream.options.tokenEndpoint
    await gate.connect('ann', 'github')
    expect(await gate.call('ann', 'github')).toBe('ann@there')
    expect(upstream.registrations()).toBe(2)
    const secrets = await gate.ground.vault.list('portcullis')
    expect(secrets.filter(({ upstream: place }) => place === ':client:github')).toHaveLength(1)
    expect(await reasonsOf(gate)).toContain('connection_lapsed client_gone')
  })
})

describe('scopes', () => {
  it('are those that the challenge names, what is configured, else what the document names', async () => {
    const named = (document: Record<string, unknown>) => ({ ...document, scopes_supported: ['published'] })
    const { upstream, gate } = await guarded({ resource: named })
    await gate.connect('ann', 'github')
    const configured = await guarded({ resource: named }, { scopes: ['configured'] })
    await configured.gate.connect('ann', 'github')
    expect(asked(upstream, '/authorize')[0]?.query.get('scope')).toBe('published')
    expect(asked(configured.upstream, '/authorize')[0]?.query.get('scope')).toBe('configured')
  })

  it('grow where a call lacks one, and nobody is asked twice for the same', async () => {
    const { upstream, gate } = await guarded({ scopes: ['read'] }, { scopes: ['read'] })
    await gate.connect('ann', 'github')
    expect(await gate.call('ann', 'github')).toBe('ann@there')
    upstream.options.scopes = ['write']
    expect(await needed(gate.call('ann', 'github'))).toBe('more_scopes')
    await gate.connect('ann', 'github')
    expect(asked(upstream, '/authorize')[1]?.query.get('scope')).toBe('read write')
    expect(await gate.call('ann', 'github')).toBe('ann@there')
    // Given less than it asked for, it does not ask for ever.
    upstream.options.scopes = ['read', 'write', 'more']
    expect(await needed(gate.call('ann', 'github'))).toBe('more_scopes')
    upstream.options.tokenEndpoint = () => ({
      status: 200,
      body: { access_token: 'x', token_type: 'Bearer', scope: '' },
    })
    await gate.connect('ann', 'github')
    delete upstream.options.tokenEndpoint
    expect(await gate.renew('ann', 'github', INSUFFICIENT)).toBeUndefined()
  })

  it('include offline access where the server knows it', async () => {
    const { upstream, gate } = await guarded({
      metadata: (document) => ({ ...document, scopes_supported: ['offline_access', 'read'] }),
    })
    await gate.connect('ann', 'github')
    const query = asked(upstream, '/authorize')[0]?.query
    expect([query?.get('scope'), query?.get('prompt')]).toEqual(['offline_access', 'consent'])
  })
})

const INSUFFICIENT = { status: 403, challenge: 'Bearer error="insufficient_scope", scope="read write more"' }

describe('renewing', () => {
  it('happens ahead of the end, once for all calls that wait, and keeps the rotated token', async () => {
    const { upstream, gate } = await guarded({ expiresIn: 600 })
    await gate.connect('ann', 'github')
    for (const round of [1, 2, 3]) {
      gate.clock.advance('550s')
      const calls = await Promise.all(Array.from({ length: 50 }, () => gate.call('ann', 'github')))
      expect(new Set(calls)).toEqual(new Set(['ann@there']))
      expect([upstream.refreshes(), upstream.reuses()]).toEqual([round, 0])
    }
    expect(asked(upstream, '/token').at(-1)?.form.get('resource')).toBe(upstream.url)
  })

  it('does not happen at every call where tokens are short-lived', async () => {
    const { upstream, gate } = await guarded({ expiresIn: 30 })
    await gate.connect('ann', 'github')
    for (let call = 0; call < 5; call++) await gate.call('ann', 'github')
    expect(upstream.refreshes()).toBe(0)
  })

  it('uses the old token while the server cannot be asked, and waits before it asks again', async () => {
    const { upstream, gate } = await guarded({ expiresIn: 600 })
    await gate.connect('ann', 'github')
    upstream.options.tokenEndpoint = () => ({ status: 503, body: {} })
    gate.clock.advance('550s')
    expect(await gate.call('ann', 'github')).toBe('ann@there')
    expect(await gate.call('ann', 'github')).toBe('ann@there')
    expect(asked(upstream, '/token')).toHaveLength(2)
    gate.clock.advance('1m')
    await expect(gate.call('ann', 'github')).rejects.toMatchObject({ reason: 'credential_failed' })
    await expect(gate.call('ann', 'github')).rejects.toMatchObject({ step: 'refresh_postponed' })
    expect(asked(upstream, '/token')).toHaveLength(3)
    delete upstream.options.tokenEndpoint
    gate.clock.advance('1m')
    expect(await gate.call('ann', 'github')).toBe('ann@there')
  })

  it('holds nobody up who has a living token, and uses the new one once it is there', async () => {
    const { upstream, gate } = await guarded({ expiresIn: 600 })
    await gate.connect('ann', 'github')
    const before = await gate.authorizationOf('ann', 'github')
    const { promise: slow, resolve: answer } = Promise.withResolvers<void>()
    upstream.options.onRefresh = () => slow
    gate.clock.advance('550s')
    expect(await gate.authorizationOf('ann', 'github')).toBe(before)
    answer()
    await expect.poll(() => gate.authorizationOf('ann', 'github')).not.toBe(before)
    expect([upstream.refreshes(), upstream.reuses()]).toEqual([1, 0])
  })

  it('asks the person where the refresh token is not taken any more, and nobody else after that', async () => {
    const { upstream, gate } = await guarded({ expiresIn: 600 })
    await gate.connect('ann', 'github')
    upstream.revokeAll()
    gate.clock.advance('10m')
    expect(await needed(gate.call('ann', 'github'))).toBe('needs_reauth')
    const before = asked(upstream, '/token').length
    expect(await needed(gate.call('ann', 'github'))).toBe('needs_reauth')
    expect(asked(upstream, '/token')).toHaveLength(before)
    expect(await gate.ground.connections.list('ann')).toMatchObject([{ state: 'needs_reauth' }])
    expect(await reasonsOf(gate)).toContain('connection_lapsed refresh_refused')
    await gate.connect('ann', 'github')
    expect(await gate.call('ann', 'github')).toBe('ann@there')
  })

  it('tries once when the server refuses a living token, then asks the person', async () => {
    const { upstream, gate } = await guarded({ expiresIn: 600 })
    await gate.connect('ann', 'github')
    upstream.expireAccessTokens()
    expect(await gate.call('ann', 'github')).toBe('ann@there')
    expect(upstream.refreshes()).toBe(1)
    upstream.expireAccessTokens()
    expect(await needed(gate.call('ann', 'github'))).toBe('needs_reauth')
    expect(upstream.refreshes()).toBe(1)
    expect(await reasonsOf(gate)).toContain('connection_lapsed upstream_token_refused')
  })

  it('goes where the authorization server has its token endpoint by then', async () => {
    const { upstream, gate } = await guarded({ expiresIn: 3600 })
    await gate.connect('ann', 'github')
    upstream.options.metadata = (document) => ({ ...document, token_endpoint: `${upstream.issuer}/moved/token` })
    gate.clock.advance('1h')
    await gate.call('ann', 'github').catch(() => undefined)
    expect(asked(upstream, '/moved/token')).toHaveLength(1)
    // Metadata of another one counts for nothing.
    upstream.options.metadata = (document) => ({ ...document, issuer: 'https://evil.example' })
    gate.clock.advance('1h')
    expect(await gate.call('ann', 'github')).toBe('ann@there')
  })

  it('asks the person where a token without a refresh token has ended', async () => {
    const { gate } = await guarded({ expiresIn: 600, noRefresh: true })
    await gate.connect('ann', 'github')
    gate.clock.advance('590s')
    expect(await gate.call('ann', 'github')).toBe('ann@there')
    gate.clock.advance('10s')
    expect(await needed(gate.call('ann', 'github'))).toBe('needs_reauth')
  })
})

describe('disconnecting', () => {
  it('gives both tokens back, forgets them here, and tells the record', async () => {
    const { upstream, gate } = await guarded()
    await gate.connect('ann', 'github')
    await gate.connect('bob', 'github')
    expect(await gate.ground.connections.disconnect('ann', 'github')).toBe(true)
    expect(asked(upstream, '/revoke').map(({ form }) => form.get('token_type_hint'))).toEqual([
      'refresh_token',
      'access_token',
    ])
    expect(await needed(gate.call('ann', 'github'))).toBe('not_connected')
    expect(await gate.ground.vault.list('ann')).toEqual([])
    expect(await gate.call('bob', 'github')).toBe('bob@there')
    expect(await gate.ground.connections.disconnect('ann', 'github')).toBe(false)
    expect(await reasonsOf(gate)).toContain('connection_ended disconnected')
  })

  it('forgets them here also where they cannot be given back', async () => {
    const { gate } = await guarded({
      metadata: ({ revocation_endpoint: _, ...document }) => document,
    })
    await gate.connect('ann', 'github')
    expect(await gate.ground.connections.disconnect('ann', 'github')).toBe(true)
    expect(await needed(gate.call('ann', 'github'))).toBe('not_connected')
    expect(await reasonsOf(gate)).toContain('connection_ended disconnected_here')
  })
})
