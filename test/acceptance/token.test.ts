// Acceptance case 18: the token endpoint. What is wrong is 400 invalid_grant and spends nothing it should not; a code is used once,
// a refresh token rotates, and using either again ends the family.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Canary, startCanary } from '../support/canary.ts'
import {
  type Answer,
  type Authorization,
  type Parameters,
  parseTokens,
  pkce,
  registerClient,
  type TestClient,
} from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { listTools } from '../support/mcp.ts'

const REDIRECT = 'https://client.example/cb'
const SECOND = 'https://client.example/second'

let canary: Canary
let gateway: TestGateway
let client: TestClient
let other: TestClient
beforeAll(async () => {
  canary = await startCanary()
  gateway = await startGateway({ servers: [{ id: 'canary', url: canary.url }] })
  client = await registerClient(gateway, { redirectUris: [REDIRECT, SECOND] })
  other = await registerClient(gateway, { redirectUris: [REDIRECT] })
})
afterAll(async () => {
  await gateway?.close()
  await canary?.close()
})

interface Grant extends Authorization {
  readonly code: string
}
async function grant(): Promise<Grant> {
  const authorization = client.authorize({ resource: gateway.resource('canary'), scope: 'mcp:tools offline_access' })
  return { ...authorization, code: await client.codeFrom(await gateway.person(), authorization) }
}

const opens = async (token: string) => (await listTools(gateway.resource('canary'), token)).status
const refusal = ({ status, body }: Answer) => [status, body['error']]
const REFUSED = [400, 'invalid_grant']

function expectNoStore({ headers }: Answer): void {
  expect(headers.get('cache-control')).toBe('no-store')
  expect(headers.get('content-type')).toMatch(/^application\/json/)
}

describe('a code', () => {
  it('becomes tokens once, and no cache keeps them', async () => {
    const { code, verifier } = await grant()
    const answer = await client.exchange(code, verifier)
    expectNoStore(answer)
    expect(answer.body).toMatchObject({ token_type: 'Bearer', expires_in: 600, scope: 'mcp:tools' })
    expect(await opens(parseTokens(answer).accessToken)).toBe(200)
  })

  it.each<[string, (grant: Grant) => Parameters]>([
    ['a wrong verifier', () => ({ code_verifier: pkce().verifier })],
    ['another client', () => ({ client_id: other.id })],
    ['another redirect URI of the client', () => ({ redirect_uri: SECOND })],
    ['a redirect URI of nobody', () => ({ redirect_uri: 'https://evil.example/cb' })],
    ['another code', ({ code }) => ({ code: `${code.slice(0, -1)}${code.endsWith('A') ? 'B' : 'A'}` })],
  ])('with %s is invalid_grant, and the rightful client still gets its tokens', async (_what, bend) => {
    const given = await grant()
    const wrong = await client.exchange(given.code, given.verifier, bend(given))
    expect(refusal(wrong)).toEqual(REFUSED)
    expectNoStore(wrong)
    expect(wrong.body).not.toHaveProperty('access_token')
    expect((await client.exchange(given.code, given.verifier)).status).toBe(200)
  })

  it('without its verifier is refused', async () => {
    const { code, verifier } = await grant()
    const wrong = await client.exchange(code, verifier, { code_verifier: undefined })
    expect(wrong.status).toBe(400)
    expect(['invalid_grant', 'invalid_request']).toContain(wrong.body['error'])
    expect((await client.exchange(code, verifier)).status).toBe(200)
  })

  it('used again is invalid_grant and ends what it gave: access token, refresh token, all', async () => {
    const { code, verifier } = await grant()
    const tokens = parseTokens(await client.exchange(code, verifier))
    expect(await opens(tokens.accessToken)).toBe(200)
    expect(refusal(await client.exchange(code, verifier))).toEqual(REFUSED)
    expect(await opens(tokens.accessToken)).toBe(401)
    expect(refusal(await client.refresh(tokens.refreshToken ?? ''))).toEqual(REFUSED)
  })

  it('is good for 60 seconds', async () => {
    const [fresh, stale] = [await grant(), await grant()]
    gateway.clock.advance('50s')
    expect((await client.exchange(fresh.code, fresh.verifier)).status).toBe(200)
    gateway.clock.advance('11s')
    expect(refusal(await client.exchange(stale.code, stale.verifier))).toEqual(REFUSED)
  })
})

describe('a refresh token', () => {
  const signIn = async () => {
    const { code, verifier } = await grant()
    const tokens = parseTokens(await client.exchange(code, verifier))
    return { accessToken: tokens.accessToken, refreshToken: tokens.refreshToken ?? '' }
  }
  const refreshed = async (token: string) => {
    const answer = await client.refresh(token)
    expectNoStore(answer)
    const tokens = parseTokens(answer)
    return { accessToken: tokens.accessToken, refreshToken: tokens.refreshToken ?? '' }
  }

  it('rotates: every use gives another one, and the access token works', async () => {
    const first = await signIn()
    const second = await refreshed(first.refreshToken)
    const third = await refreshed(second.refreshToken)
    expect(new Set([first.refreshToken, second.refreshToken, third.refreshToken]).size).toBe(3)
    expect(await opens(third.accessToken)).toBe(200)
  })

  it('used again after its successor was used ends the family', async () => {
    const first = await signIn()
    const second = await refreshed(first.refreshToken)
    const third = await refreshed(second.refreshToken)
    expect(refusal(await client.refresh(first.refreshToken))).toEqual(REFUSED)
    expect(refusal(await client.refresh(third.refreshToken))).toEqual(REFUSED)
    expect(await opens(third.accessToken)).toBe(401)
  })

  it('whose answer was lost gives the same successor again, and the family lives', async () => {
    const first = await signIn()
    const second = await refreshed(first.refreshToken)
    const again = await refreshed(first.refreshToken)
    expect(again.refreshToken).toBe(second.refreshToken)
    expect(await opens((await refreshed(again.refreshToken)).accessToken)).toBe(200)
  })

  it('of another client is invalid_grant, and the rightful one goes on', async () => {
    const { refreshToken } = await signIn()
    expect(refusal(await client.refresh(refreshToken, { client_id: other.id }))).toEqual(REFUSED)
    expect(await opens((await refreshed(refreshToken)).accessToken)).toBe(200)
  })

  it('that nobody gave out is invalid_grant', async () => {
    const answer = await client.refresh('never-given-out')
    expect(refusal(answer)).toEqual(REFUSED)
    expectNoStore(answer)
  })
})

describe('everything else', () => {
  it('is refused in the standard’s words, uncacheable', async () => {
    const { code, verifier } = await grant()
    for (const [parameters, status, error] of [
      [{ grant_type: 'password' }, 400, 'unsupported_grant_type'],
      [{ grant_type: undefined }, 400, 'invalid_request'],
      [{ client_id: 'nobody' }, 401, 'invalid_client'],
      [{ resource: 'https://elsewhere.example/mcp' }, 400, 'invalid_target'],
    ] as const) {
      const answer = await client.exchange(code, verifier, parameters)
      expect(refusal(answer)).toEqual([status, error])
      expectNoStore(answer)
    }
    expect((await client.exchange(code, verifier)).status).toBe(200)
  })
})
