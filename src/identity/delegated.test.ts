import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type AuthServer, startAuthServer } from '../../test/support/auth-server.ts'
import { identity as section } from '../config/identity.ts'
import { delegatedProvider, subjectOf } from './delegated.ts'
import { KINDS, keptOf, mappingOf } from './kinds.ts'
import { FederationError } from './provider.ts'

const CALLBACK = 'https://gate.example/oauth/callback'
const ANN = { sub: 'a-1', email: 'Ann@corp.example', email_verified: true, name: 'Ann', groups: ['data'] }

let server: AuthServer
beforeAll(async () => {
  server = await startAuthServer(ANN)
})
beforeEach(() => {
  server.claims = ANN
  server.broken.clear()
  server.answer = undefined
  server.asked.length = 0
})
afterAll(() => server?.close())

function providerAt(url: string, more: object = {}) {
  const { providers } = section.parse({
    providers: [{ type: 'delegated', id: 'mesh', url, provider: 'azure', ...more }],
  })
  const [provider] = providers
  if (provider?.type !== 'delegated') throw new TypeError('not parsed')
  const identity = { mapping: {}, claims: ['department', 'org.unit'] }
  const kept = keptOf(provider.mapping, identity)
  return delegatedProvider({ provider, mapping: mappingOf(provider, {}), kept, proof: KINDS.delegated.proof, fetch })
}

/** To the server and back; answers the profile, or how it failed. */
async function signIn(more: object = {}, bend: (answer: URL) => void = () => undefined) {
  const provider = providerAt(server.url, more)
  const { url, secrets } = await provider.start(CALLBACK)
  const { headers } = await fetch(url, { redirect: 'manual' })
  const answer = new URL(headers.get('location') ?? 'none:')
  bend(answer)
  return provider.finish(answer, secrets).catch((error: unknown) => {
    if (error instanceof FederationError) return `${error.failure} ${error.reason}`
    throw error
  })
}

describe('leaving for the server', () => {
  it('names our callback, a fresh state and the provider', async () => {
    const provider = providerAt(`${server.url}/`)
    const [one, two] = [await provider.start(CALLBACK), await provider.start(CALLBACK)]
    const { origin, pathname, searchParams } = new URL(one.url)
    expect([origin, pathname]).toEqual([server.url, '/login'])
    expect(Object.fromEntries(searchParams)).toEqual({
      gateway_uri: CALLBACK,
      state: one.secrets.state,
      provider: 'azure',
      redirect_uri: `${server.url}/callback`,
    })
    expect(one.secrets.state).toMatch(/^[\w-]{43}$/)
    expect(two.secrets.state).not.toBe(one.secrets.state)
  })

  it.each([
    [{}, '/callback/mesh'],
    [{ callback: '/oauth/callback' }, '/oauth/callback'],
  ])('with %j its callback is %s', (more, path) => {
    expect(providerAt(server.url, more).callback).toBe(path)
  })
})

describe('coming back', () => {
  it('reads the person with the token that the code was exchanged for', async () => {
    expect(await signIn()).toEqual({
      provider: 'mesh',
      issuer: server.url,
      subject: 'a-1',
      email: 'ann@corp.example',
      name: 'Ann',
      groups: ['data'],
      roles: [],
      teams: [],
    })
    expect(server.asked.slice(1).map((line) => line.replace(/code=\w+/, 'code=…'))).toEqual([
      `POST /gateway-oauth/exchange?code=…&gateway_uri=${encodeURIComponent(CALLBACK)}`,
      'GET /user_info?provider=azure',
    ])
  })

  it('keeps the claims that are listed', async () => {
    server.claims = { ...ANN, department: 'ops', org: { unit: 'north', other: 1 } }
    expect(await signIn()).toMatchObject({ claims: { department: 'ops', org: { unit: 'north' } } })
    server.claims = { ...ANN, department: 'ops\u0000' }
    expect(await signIn()).toBe('faulty claim_malformed')
  })

  it.each<[string, (answer: URL) => void, string]>([
    ['another state', ({ searchParams }) => searchParams.set('state', 'x'), 'refused state_mismatch'],
    ['two states', ({ searchParams }) => searchParams.append('state', 'x'), 'refused state_mismatch'],
    ['two codes', ({ searchParams }) => searchParams.append('code', 'x'), 'refused idp_error'],
    ['no code', ({ searchParams }) => searchParams.delete('code'), 'refused idp_error'],
    [
      'the name of another server',
      ({ searchParams }) => searchParams.set('iss', 'https://evil.example'),
      'refused iss_mismatch',
    ],
    ['an error beside the code', ({ searchParams }) => searchParams.set('error', 'server_error'), 'refused idp_error'],
    [
      'a refusal by the person',
      ({ searchParams }) => searchParams.set('error', 'access_denied'),
      'cancelled idp_access_denied',
    ],
  ])('with %s nothing is sent anywhere', async (_what, bend, failure) => {
    expect(await signIn({}, bend)).toBe(failure)
    expect(server.asked).toHaveLength(1)
  })

  it('with the name of this server goes on', async () => {
    const outcome = await signIn({}, ({ searchParams }) => searchParams.set('iss', server.url))
    expect(outcome).toMatchObject({ subject: 'a-1' })
  })

  it('a made-up code is refused there', async () => {
    expect(await signIn({}, ({ searchParams }) => searchParams.set('code', 'made-up'))).toBe(
      'faulty delegate_answer_refused',
    )
  })

  it.each([
    ['/gateway-oauth/exchange', 400, '{"detail":"no"}', 'faulty delegate_answer_refused'],
    ['/gateway-oauth/exchange', 500, '{}', 'faulty delegate_answer_refused'],
    ['/gateway-oauth/exchange', 200, '{"refresh_token":"x"}', 'faulty delegate_token_missing'],
    ['/gateway-oauth/exchange', 200, '{"access_token":""}', 'faulty delegate_token_missing'],
    ['/gateway-oauth/exchange', 200, '<html>', 'faulty delegate_answer_refused'],
    ['/gateway-oauth/exchange', 302, '{"access_token":"x"}', 'faulty delegate_answer_refused'],
    ['/user_info', 401, '{}', 'faulty delegate_answer_refused'],
    ['/user_info', 200, '["a"]', 'faulty delegate_answer_refused'],
    ['/user_info', 200, '{"groups":["data"]}', 'faulty delegate_names_nobody'],
    ['/user_info', 200, '{"sub":"a","groups":[{}]}', 'faulty claim_malformed'],
    ['/user_info', 200, '{"sub":"a","_claim_names":{"groups":"src1"}}', 'refused groups_overage'],
  ])('when %s answers %d %s: %s', async (address, status, body, failure) => {
    server.broken.set(address, { status, body })
    expect(await signIn()).toBe(failure)
  })

  it('when nobody is there, it is unreachable', async () => {
    const gone = await startAuthServer(ANN)
    const provider = providerAt(gone.url)
    const { secrets } = await provider.start(CALLBACK)
    await gone.close()
    const answer = new URL(`${CALLBACK}?code=x&state=${secrets.state}`)
    await expect(provider.finish(answer, secrets)).rejects.toMatchObject({ failure: 'unreachable' })
  })

  it('an address that is not verified does not count', async () => {
    server.claims = { ...ANN, email_verified: false }
    expect(await signIn()).toMatchObject({ subject: 'a-1', email: undefined })
  })
})

describe('who somebody is', () => {
  const { proof } = KINDS.delegated
  const ALL = {
    sub: 's',
    username: 'u',
    oid: 'o',
    preferred_username: 'p',
    upn: 'n',
    unique_name: 'q',
    email: 'e@corp.example',
    email_verified: true,
    user_id: 'i',
  }

  it('is the first claim of the documented order', () => {
    const order = ['sub', 'username', 'oid', 'preferred_username', 'upn', 'unique_name', 'email', 'user_id']
    const left: Record<string, unknown> = { ...ALL }
    const found = order.map((name) => {
      const subject = subjectOf(left, proof)
      delete left[name]
      return subject
    })
    expect(found).toEqual([
      's',
      'username:u',
      'oid:o',
      'preferred_username:p',
      'upn:n',
      'unique_name:q',
      'email:e@corp.example',
      'user_id:i',
    ])
    expect(subjectOf(left, proof)).toBeUndefined()
  })

  it.each(['unknown', 'Unknown', 'null', 'NONE', '', '   ', ' unknown ', 7, null, true, ['s'], 'x'.repeat(300)])(
    'is not %j',
    (value) => {
      expect(subjectOf({ sub: value, username: 'ann' }, proof)).toBe('username:ann')
      expect(subjectOf({ sub: value }, proof)).toBeUndefined()
    },
  )

  it('is never what many share or what people choose', () => {
    expect(subjectOf({ client_id: 'gate', azp: 'gate', name: 'Ann' }, proof)).toBeUndefined()
  })

  it('is an address only when it is verified', () => {
    expect(subjectOf({ email: 'ann@corp.example', email_verified: true }, proof)).toBe('email:ann@corp.example')
    expect(subjectOf({ email: 'ann@corp.example' }, proof)).toBeUndefined()
    expect(subjectOf({ email: 'ann@corp.example', email_verified: false, user_id: 'i' }, proof)).toBe('user_id:i')
  })

  it('is the claim that was chosen, or nobody', () => {
    expect(subjectOf(ALL, proof, 'upn')).toBe('upn:n')
    expect(subjectOf({ sub: 's' }, proof, 'upn')).toBeUndefined()
  })
})
