// What is had with the tokens of a sign-in: kept, renewed, exchanged, shown as an identity assertion.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  authorizationOf,
  callerOf,
  credentialNeeds,
  memoryVault,
  openWith,
  type TestNeeds,
} from '../../../test/support/credential-needs.ts'
import { bearer, startTokenServer, type TokenServer, unsigned } from '../../../test/support/token-server.ts'
import { tokenEndpoint } from '../authorization-server/token-endpoint.ts'
import type { Given } from '../upstream.ts'
import { type SignIns, signInTokens } from './sign-in-tokens.ts'

let [provider, upstream]: TokenServer[] = []
const ID_JAG = 'urn:ietf:params:oauth:token-type:id-jag'
const NOW = 1_800_000_000_000
const HOUR = 3_600_000
beforeAll(async () => {
  provider = await startTokenServer()
  upstream = await startTokenServer()
})
afterAll(() => Promise.all([provider?.close(), upstream?.close()]))

const idToken = (life: number, name = 'ann') => unsigned({ sub: name, exp: (NOW + life) / 1000 })
const kept = (life: number, own: object = {}) => ({
  provider: 'corp',
  accessToken: 'access-of-ann',
  idToken: idToken(life),
  refreshToken: 'refresh-of-ann',
  endsAt: NOW + life,
  ...own,
})

interface Started {
  readonly needs: TestNeeds
  readonly signIns: SignIns
}
function start(vault = memoryVault()): Started {
  const base = credentialNeeds({ vault })
  const endpoint = tokenEndpoint(
    { clientId: 'gate', clientSecret: 'secret', tokenUrl: provider?.tokenUrl },
    { ...base, onFailure: base.onFailure },
  )
  const signIns = signInTokens({ vault, clock: base.clock, endpoints: new Map([['corp', endpoint]]) })
  const needs = { ...base, signIns, providerOf: () => ['corp', endpoint] as const }
  return { needs, signIns }
}

beforeEach(() => {
  for (const server of [provider, upstream]) if (server) server.asked.length = 0
  if (provider)
    provider.answer = () => bearer('access-renewed', { id_token: idToken(10 * HOUR), refresh_token: 'refresh-renewed' })
  if (upstream) upstream.answer = () => bearer()
})
const ANN = callerOf('ann', { method: 'access_token', token: 'ours' })

describe('tokens of a sign-in', () => {
  it('are used as they are while they are good', async () => {
    const { signIns } = start()
    await signIns.keep('ann', kept(HOUR))
    expect(await signIns.tokenOf('ann', undefined, 'access_token')).toBe('access-of-ann')
    expect(await signIns.tokenOf('ann', 'corp', 'id_token')).toBe(idToken(HOUR))
    expect(provider?.asked).toEqual([])
  })

  it('are renewed ahead of their end, once however many ask, and kept before they are used', async () => {
    const { signIns, needs } = start()
    await signIns.keep('ann', kept(30_000))
    const all = await Promise.all(Array.from({ length: 20 }, () => signIns.tokenOf('ann', 'corp', 'access_token')))
    expect(new Set(all)).toEqual(new Set(['access-renewed']))
    expect(provider?.asked.map(({ form }) => form)).toEqual([
      { grant_type: 'refresh_token', refresh_token: 'refresh-of-ann' },
    ])
    expect(JSON.parse(needs.vault.places.get('ann/sign-in/tokens')?.toString() ?? '')).toMatchObject({
      refreshToken: 'refresh-renewed',
      accessToken: 'access-renewed',
    })
    expect(await signIns.tokenOf('ann', 'corp', 'id_token')).toBe(idToken(10 * HOUR))
    expect(provider?.asked).toHaveLength(1)
  })

  it.each([
    ['says no life', { expires_in: undefined }],
    ['says none to come', { expires_in: 0 }],
    ['says a short one', { expires_in: 60 }],
  ])('are used where their renewal %s', async (_what, said) => {
    const { signIns } = start()
    await signIns.keep('ann', kept(30_000))
    if (provider) provider.answer = () => bearer('access-renewed', said)
    expect(await signIns.tokenOf('ann', 'corp', 'access_token')).toBe('access-renewed')
    // Renewed with it, and ended all the same: an ID token that did not come anew.
    await signIns.keep('ann', kept(0))
    await expect(signIns.tokenOf('ann', 'corp', 'id_token')).rejects.toMatchObject({ step: 'sign_in_ended' })
  })

  it('of a sign-in that came meanwhile win over a renewal', async () => {
    const { signIns } = start()
    await signIns.keep('ann', kept(0))
    const newer = kept(HOUR, { accessToken: 'access-newer' })
    if (provider)
      provider.answer = () => {
        void signIns.keep('ann', newer)
        return { status: 400, body: { error: 'invalid_grant' } }
      }
    expect(await signIns.tokenOf('ann', 'corp', 'access_token')).toBe('access-newer')
  })

  it.each([
    ['never kept', undefined, 'corp', 'sign_in_ended'],
    ['of another provider', kept(HOUR), 'other', 'sign_in_ended'],
    ['ended, without a way to renew them', kept(0, { refreshToken: undefined }), 'corp', 'sign_in_ended'],
  ])('%s ask for another sign-in', async (_what, tokens, from, step) => {
    const { signIns } = start()
    if (tokens) await signIns.keep('ann', tokens)
    await expect(signIns.tokenOf('ann', from, 'access_token')).rejects.toMatchObject({ step })
  })

  it('are gone once they are forgotten', async () => {
    const { signIns } = start()
    await signIns.keep('ann', kept(HOUR))
    await signIns.forget('ann')
    await expect(signIns.tokenOf('ann', undefined, 'access_token')).rejects.toMatchObject({ step: 'sign_in_ended' })
  })

  it('are exchanged where the server’s credential is had with them', async () => {
    const { needs, signIns } = start()
    await signIns.keep('ann', kept(HOUR))
    if (upstream) upstream.answer = () => bearer(unsigned({ aud: 'notes' }))
    const credential = await openWith(needs, {
      type: 'token-exchange',
      subject: 'sign-in',
      subjectTokenType: 'id_token',
      tokenUrl: upstream?.tokenUrl,
      clientId: 'gate',
      clientSecret: 'secret',
    })
    expect(authorizationOf(await credential.given(ANN))).toMatch(/^Bearer /)
    expect(upstream?.asked[0]?.form['subject_token']).toBe(idToken(HOUR))
    await expect(credential.given(callerOf('bob'))).rejects.toMatchObject({ step: 'sign_in_ended' })
  })

  it('of one provider are not shown to another', async () => {
    const { needs, signIns } = start()
    await signIns.keep('ann', kept(HOUR))
    const config = {
      ...{ type: 'on-behalf-of', subject: 'sign-in', clientId: 'gate', clientSecret: 'secret' },
      ...{ issuer: 'https://id.example', tokenUrl: upstream?.tokenUrl },
    }
    const at = (id: string) => openWith({ ...needs, providerAt: () => id }, config)
    await expect((await at('other')).given(ANN)).rejects.toThrow('they signed in at corp, not at other')
    expect(upstream?.asked).toEqual([])
    expect(authorizationOf(await (await at('corp')).given(ANN))).toMatch(/^Bearer /)
  })
})

describe('identity assertion (ID-JAG)', () => {
  const open = ({ needs }: Started) =>
    openWith(needs, {
      type: 'id-jag',
      issuer: 'https://as.notes.example',
      tokenUrl: upstream?.tokenUrl,
      clientId: 'gate-at-notes',
      clientSecret: 'other',
      scopes: ['notes.read'],
    })
  const givesAssertion = (more: object = {}) => {
    if (provider)
      provider.answer = () => bearer('assertion-of-ann', { token_type: 'N_A', issued_token_type: ID_JAG, ...more })
  }

  it('is had from the provider, and shown to the server of the upstream', async () => {
    const started = start()
    await started.signIns.keep('ann', kept(HOUR))
    givesAssertion()
    const credential = await open(started)
    expect(credential.personal).toBe(true)
    const given = await credential.given(ANN)
    expect(authorizationOf(given)).toMatch(/^Bearer token-/)
    expect(provider?.asked[0]?.form).toEqual({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      requested_token_type: ID_JAG,
      audience: 'https://as.notes.example',
      resource: 'https://notes.example/mcp',
      scope: 'notes.read',
      subject_token: idToken(HOUR),
      subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
    })
    expect(upstream?.asked[0]?.form).toEqual({
      grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
      assertion: 'assertion-of-ann',
      scope: 'notes.read',
    })
    expect(upstream?.asked[0]?.headers.authorization).toBe(
      `Basic ${Buffer.from('gate-at-notes:other').toString('base64')}`,
    )
    expect(credential.given(ANN)).toBe(given)
    const again = await credential.renewed?.(ANN, given as Given, { status: 401, challenge: undefined })
    expect(authorizationOf(again)).not.toBe(authorizationOf(given))
  })

  it('is never had with something else', async () => {
    const started = start()
    await started.signIns.keep('ann', kept(HOUR))
    givesAssertion({ issued_token_type: 'urn:ietf:params:oauth:token-type:access_token' })
    await expect((await open(started)).given(ANN)).rejects.toMatchObject({ step: 'bad_answer' })
    expect(upstream?.asked).toEqual([])
  })

  it('needs a sign-in, and a person', async () => {
    const credential = await open(start())
    await expect(credential.given(ANN)).rejects.toMatchObject({ step: 'sign_in_ended' })
    expect(() => credential.given(undefined)).toThrow('There is no person')
    expect(() => credential.given(callerOf('anonymous', { kind: 'anonymous' }))).toThrow('There is no person')
  })

  it('needs a provider, told at the start', async () => {
    await expect(open({ ...start(), needs: credentialNeeds() })).rejects.toThrow(
      'servers.notes.credentials: there is no OpenID provider in identity.providers.',
    )
  })
})
