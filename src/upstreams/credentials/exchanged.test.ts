// The kinds that a person's token is exchanged for: token-exchange and on-behalf-of.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { authorizationOf, callerOf, credentialNeeds, openWith } from '../../../test/support/credential-needs.ts'
import { bearer, startTokenServer, type TokenServer, unsigned } from '../../../test/support/token-server.ts'
import type { AuthMethod } from '../../protocol/principal.ts'
import type { Given } from '../upstream.ts'

let server: TokenServer
let issued = 0
beforeAll(async () => {
  server = await startTokenServer()
})
afterAll(() => server.close())
beforeEach(() => {
  server.asked.length = 0
  server.answer = ({ form }) => bearer(unsigned({ aud: form['audience'], jti: ++issued }))
})

const ANN = callerOf('ann', { token: 'token-of-ann' })
const BOB = callerOf('bob', { token: 'token-of-bob' })
const REFUSED = { status: 401, challenge: undefined }
const exchange = (own: object = {}, needs = credentialNeeds()) =>
  openWith(needs, {
    type: 'token-exchange',
    tokenUrl: server.tokenUrl,
    clientId: 'mcp-gateway',
    clientSecret: 'secret',
    ...own,
  })

describe('RFC 8693 §2.1', () => {
  it('is asked with exactly the form of the sample of Kuadrant', async () => {
    await (await exchange({ audience: 'mcp-test/server1', scopes: ['openid'] })).given(ANN)
    expect(server.asked[0]?.headers.authorization).toBe(`Basic ${Buffer.from('mcp-gateway:secret').toString('base64')}`)
    expect(server.asked[0]?.form).toEqual({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: 'token-of-ann',
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      audience: 'mcp-test/server1',
      scope: 'openid',
    })
  })

  it('names the server where no audience is written, and the types that are', async () => {
    await (await exchange({ subjectTokenType: 'jwt', requestedTokenType: 'jwt', resource: 'https://r.example' })).given(
      ANN,
    )
    expect(server.asked[0]?.form).toMatchObject({
      audience: 'notes',
      resource: 'https://r.example',
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      requested_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    })
  })
})

describe('the new token', () => {
  it('is kept for each person and token, and never for another', async () => {
    const credential = await exchange()
    expect(credential.personal).toBe(true)
    const [ann, bob] = [await credential.given(ANN), await credential.given(BOB)]
    expect(authorizationOf(ann)).not.toBe(authorizationOf(bob))
    expect(credential.given(ANN)).toBe(ann)
    expect(credential.given(BOB)).toBe(bob)
    const later = await credential.given(callerOf('ann', { token: 'second-of-ann' }))
    const forged = await credential.given(callerOf('eve', { token: 'token-of-ann' }))
    expect(new Set([ann, bob, later, forged].map(authorizationOf)).size).toBe(4)
    expect(server.asked).toHaveLength(4)
  })

  it('is used for `cache` at most, and never past its end', async () => {
    const needs = credentialNeeds()
    const credential = await exchange({ cache: '5m' }, needs)
    await credential.given(ANN)
    needs.time.now += 299_000
    expect(credential.given(ANN)).not.toBeInstanceOf(Promise)
    await expect.poll(() => server.asked.length).toBe(2)
    server.answer = ({ form }) => bearer(unsigned({ aud: form['audience'] }), { expires_in: 10 })
    const short = await exchange({}, needs)
    await short.given(ANN)
    needs.time.now += 10_000
    const asked = server.asked.length
    await short.given(ANN)
    expect(server.asked).toHaveLength(asked + 1)
  })

  it('is had anew where the server refuses it', async () => {
    const credential = await exchange()
    const first = (await credential.given(ANN)) as Given
    const again = await credential.renewed?.(ANN, first, REFUSED)
    expect(authorizationOf(again)).not.toBe(authorizationOf(first))
    expect(await credential.given(ANN)).toBe(again)
  })

  it.each([
    ['another audience', unsigned({ aud: 'files' })],
    ['several, and not this one', unsigned({ aud: ['files', 'mail'] })],
    ['none', unsigned({})],
  ])('MUST name the audience: one with %s goes nowhere', async (_what, token) => {
    server.answer = () => bearer(token)
    await expect((await exchange()).given(ANN)).rejects.toMatchObject({ step: 'audience_mismatch' })
    expect(authorizationOf(await (await exchange({ checkAudience: false })).given(ANN))).toBe(`Bearer ${token}`)
  })

  it('that nobody can read goes nowhere unless that is wanted', async () => {
    server.answer = () => bearer('opaque')
    await expect((await exchange()).given(ANN)).rejects.toMatchObject({ step: 'opaque_token' })
    expect(authorizationOf(await (await exchange({ checkAudience: false })).given(ANN))).toBe('Bearer opaque')
  })

  it('may name several', async () => {
    server.answer = () => bearer(unsigned({ aud: ['files', 'notes'] }))
    expect(authorizationOf(await (await exchange()).given(ANN))).toBeDefined()
  })

  it('refused is a failure of this person alone, and tells nothing of tokens', async () => {
    server.answer = ({ form }) =>
      form['subject_token'] === 'token-of-bob'
        ? { status: 400, body: { error: 'invalid_request', error_description: `bad token-of-bob` } }
        : bearer(unsigned({ aud: 'notes' }))
    const credential = await exchange()
    const error = await Promise.resolve(credential.given(BOB)).catch((refused: Error) => refused)
    expect(error).toMatchObject({ reason: 'credential_failed', step: 'refused' })
    expect((error as Error).message).not.toContain('token-of-bob')
    expect(authorizationOf(await credential.given(ANN))).toBeDefined()
  })
})

describe('the token that is exchanged', () => {
  it.each<AuthMethod>(['access_token', 'api_token', 'proxy', 'certificate', 'session', 'none'])(
    'is never one of a caller known by %s: it is for us alone',
    async (method) => {
      const credential = await exchange()
      await expect((async () => credential.given(callerOf('ann', { method, token: 'ours' })))()).rejects.toMatchObject({
        step: 'not_presented',
      })
      expect(server.asked).toHaveLength(0)
    },
  )

  it('of one issuer is not shown to another that is known here', async () => {
    const needs = credentialNeeds()
    const own = { issuer: 'https://id.example' }
    const credential = await exchange(own, needs)
    const ann = callerOf('ann', { token: 't', issuer: 'https://id.example' })
    const eve = callerOf('eve', { token: 't', issuer: 'https://other.example' })
    expect(authorizationOf(await credential.given(ann))).toBeDefined()
    expect(() => credential.given(eve)).toThrow('A token of https://other.example is not shown to https://id.example.')
    const named = await exchange({ issuer: 'https://sts.example' }, needs)
    expect(authorizationOf(await named.given(eve))).toBeDefined()
  })

  it.each([
    ['no field', callerOf('ann')],
    ['another scheme', callerOf('ann', { headers: ['Authorization', 'Basic YTpi'] })],
    ['two fields', callerOf('ann', { token: 'one', headers: ['authorization', 'Bearer two'] })],
    ['nobody', undefined],
  ])('is not there with %s', async (_what, caller) => {
    const credential = await exchange()
    await expect((async () => credential.given(caller))()).rejects.toMatchObject({ reason: 'credential_failed' })
    expect(server.asked).toHaveLength(0)
  })
})

describe('on behalf of (Entra)', () => {
  it('is asked with the words of its documentation', async () => {
    const credential = await openWith(credentialNeeds(), {
      type: 'on-behalf-of',
      tokenUrl: server.tokenUrl,
      clientId: 'gate',
      clientSecret: 'secret',
      scopes: ['api://notes/.default'],
    })
    expect(authorizationOf(await credential.given(ANN))).toMatch(/^Bearer /)
    expect(server.asked[0]?.form).toEqual({
      grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
      client_id: 'gate',
      client_secret: 'secret',
      assertion: 'token-of-ann',
      requested_token_use: 'on_behalf_of',
      scope: 'api://notes/.default',
    })
    expect(credential.given(ANN)).not.toBeInstanceOf(Promise)
    expect(await credential.given(BOB)).not.toBe(await credential.given(ANN))
  })

  it('needs a token of the provider, too', async () => {
    const credential = await openWith(credentialNeeds(), {
      type: 'on-behalf-of',
      tokenUrl: server.tokenUrl,
      clientId: 'gate',
      clientSecret: 'secret',
    })
    expect(() => credential.given(callerOf('ann', { method: 'access_token', token: 'ours' }))).toThrow(
      'only tokens of auth.issuers can',
    )
  })
})
