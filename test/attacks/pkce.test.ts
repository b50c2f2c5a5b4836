// PKCE left out, weakened or guessed, security catalogue A2: RFC 7636, OAuth 2.1 §4.1.1, RFC 9700 §2.1.1. A refusal at the token
// endpoint spends nothing: the right verifier still redeems the code.
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { registerClient, type TestClient } from '../support/client.ts'
import {
  answerOf,
  codeFor,
  expectLocalPage,
  expectRefused,
  expectServed,
  GOOD,
  type OAuthRange,
  postPairs,
  SCOPE,
  send,
  startOAuthRange,
  targetOf,
  tokensOf,
} from '../support/oauth-range.ts'
import { attackTable } from '../support/range.ts'

let range: OAuthRange
let client: TestClient
let confidential: TestClient

beforeAll(async () => {
  range = await startOAuthRange()
  client = await registerClient(range.gateway, { redirectUris: [GOOD] })
  confidential = await registerClient(range.gateway, {
    redirectUris: [GOOD],
    metadata: { token_endpoint_auth_method: 'client_secret_post' },
  })
  range.secrets.add(String(confidential.registration['client_secret']))
})
afterAll(async () => {
  await range?.close()
})

const s256 = (verifier: string) => createHash('sha256').update(verifier).digest('base64url')

const REQUESTS = [
  { id: 'no challenge', bend: { code_challenge: undefined, code_challenge_method: undefined } },
  { id: 'no challenge, a method', bend: { code_challenge: undefined } },
  { id: 'an empty challenge', bend: { code_challenge: '' } },
  { id: 'plain', bend: { code_challenge_method: 'plain' } },
  { id: 'no method, which means plain', bend: { code_challenge_method: undefined } },
  { id: 'an empty method', bend: { code_challenge_method: '' } },
  { id: 'method in another case', bend: { code_challenge_method: 's256' } },
  { id: 'unknown method', bend: { code_challenge_method: 'S512' } },
  { id: 'no method at all', bend: { code_challenge_method: 'none' } },
  { id: 'a challenge of 42 characters', bend: { code_challenge: 'a'.repeat(42) } },
  { id: 'a challenge of 129 characters', bend: { code_challenge: 'a'.repeat(129) } },
  { id: 'a challenge with a space', bend: { code_challenge: `${'a'.repeat(42)} ` } },
  { id: 'a challenge with padding', bend: { code_challenge: `${'a'.repeat(43)}=` } },
] as const

const CLIENTS = [
  { kind: 'public', of: () => client },
  { kind: 'confidential', of: () => confidential },
]

describe.each(CLIENTS)('a $kind client', ({ kind, of }) => {
  attackTable(`A2: the authorization request of a ${kind} client`, REQUESTS, async ({ bend }) => {
    const { url } = of().authorize({ resource: range.resource, scope: SCOPE, ...bend })
    const { location } = await expectRefused(range, 'invalid_request', () => send(url))
    expect(targetOf(location)).toBe(GOOD)
    expect(answerOf(location).get('error')).toBe('invalid_request')
    expect(answerOf(location).has('code')).toBe(false)
    const twin = await send(of().authorize({ resource: range.resource, scope: SCOPE }).url)
    expect(twin.location).toContain('/interaction/')
  })

  it('that sends two challenges is told here, not at its address', async () => {
    const { url } = of().authorize({ resource: range.resource, scope: SCOPE })
    const twice = `${url}&code_challenge=${'a'.repeat(43)}`
    expectLocalPage(await expectRefused(range, 'invalid_request', () => send(twice)))
  })
})

interface Guess {
  readonly id: string
  /** Parameters in place of the right `code_verifier`. */
  readonly guess: (verifier: string) => readonly (readonly [string, string])[]
  readonly error?: string
}

const GUESSES: readonly Guess[] = [
  { id: 'absent', guess: () => [] },
  { id: 'empty', guess: () => [['code_verifier', '']] },
  {
    id: 'one character less',
    guess: (verifier) => [['code_verifier', verifier.slice(0, -1)]],
    error: 'invalid_request',
  },
  { id: 'one character more', guess: (verifier) => [['code_verifier', `${verifier}a`]] },
  {
    id: '129 characters',
    guess: (verifier) => [['code_verifier', verifier.padEnd(129, 'a')]],
    error: 'invalid_request',
  },
  { id: 'of another request', guess: () => [['code_verifier', 'a'.repeat(43)]] },
  { id: 'the challenge itself', guess: (verifier) => [['code_verifier', s256(verifier)]] },
  { id: 'in another case', guess: (verifier) => [['code_verifier', swapCase(verifier)]] },
  { id: 'with a newline', guess: (verifier) => [['code_verifier', `${verifier}\n`]], error: 'invalid_request' },
  { id: 'with a space in front', guess: (verifier) => [['code_verifier', ` ${verifier}`]], error: 'invalid_request' },
  { id: 'with NUL', guess: (verifier) => [['code_verifier', `${verifier}\0`]], error: 'invalid_request' },
  { id: 'with padding', guess: (verifier) => [['code_verifier', `${verifier}=`]], error: 'invalid_request' },
  { id: 'under another name', guess: (verifier) => [['codeVerifier', verifier]] },
  { id: 'as a list', guess: (verifier) => [['code_verifier[]', verifier]], error: 'invalid_request' },
  {
    id: 'twice, both right',
    guess: (verifier) => [
      ['code_verifier', verifier],
      ['code_verifier', verifier],
    ],
    error: 'invalid_request',
  },
  {
    id: 'twice, the second one wrong',
    guess: (verifier) => [
      ['code_verifier', verifier],
      ['code_verifier', 'a'.repeat(43)],
    ],
    error: 'invalid_request',
  },
]

const swapCase = (text: string) =>
  [...text].map((letter) => (letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase())).join('')

attackTable('A2: a verifier', GUESSES, async ({ guess, error = 'invalid_grant' }) => {
  const { code, verifier } = await codeFor(range, client)
  const rest: readonly (readonly [string, string])[] = [
    ['grant_type', 'authorization_code'],
    ['client_id', client.id],
    ['redirect_uri', GOOD],
    ['code', code],
  ]
  const answer = await expectRefused(range, error, () =>
    postPairs(client.metadata.token_endpoint, [...rest, ...guess(verifier)]),
  )
  expect(answer).toMatchObject({ status: 400, body: { error } })
  tokensOf(range, await client.exchange(code, verifier))
})

/** Honest hashes of verifiers that are too short, too long or of other letters (RFC 7636 §4.1). */
const FORMS = [
  { id: '42 characters', verifier: 'a'.repeat(42) },
  { id: '129 characters', verifier: 'a'.repeat(129) },
  { id: 'empty', verifier: '' },
  { id: 'other letters', verifier: `${'a'.repeat(42)}\u00e4` },
  { id: 'a space', verifier: `${'a'.repeat(21)} ${'a'.repeat(21)}` },
] as const

attackTable('A2: a verifier that is none, with its own challenge', FORMS, async ({ verifier }) => {
  // Sent without a value counts as omitted (RFC 6749 §3.2); anything else of a wrong form is the request's fault.
  const error = verifier === '' ? 'invalid_grant' : 'invalid_request'
  const { code } = await codeFor(range, client, { code_challenge: s256(verifier) })
  const answer = await expectRefused(range, error, () => client.exchange(code, verifier))
  expect(answer).toMatchObject({ status: 400, body: { error } })
})

describe('A2: the positive twins', () => {
  it.each([43, 64, 128])('a verifier of %i characters is one', async (length) => {
    const verifier = `${'aZ09-._~'.repeat(16)}`.slice(0, length)
    const { code } = await codeFor(range, client, { code_challenge: s256(verifier) })
    await expectServed(range, tokensOf(range, await client.exchange(code, verifier)).accessToken)
  })

  it('a confidential client needs its secret and the verifier', async () => {
    const secret = String(confidential.registration['client_secret'])
    const { code, verifier } = await codeFor(range, confidential)
    const bare = await expectRefused(range, 'invalid_client', () => confidential.exchange(code, verifier))
    expect(bare).toMatchObject({ status: 401, body: { error: 'invalid_client' } })
    const guessed = await expectRefused(range, 'invalid_grant', () =>
      confidential.exchange(code, 'a'.repeat(43), { client_secret: secret }),
    )
    expect(guessed).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
    const answer = await confidential.exchange(code, verifier, { client_secret: secret })
    await expectServed(range, tokensOf(range, answer).accessToken)
  })
})

describe('A2: a code that was stored without a challenge', () => {
  it('is not redeemed by any verifier', async () => {
    const { code, verifier } = await codeFor(range, client)
    await forgetChallenge(code)
    const answer = await expectRefused(range, 'invalid_grant', () => client.exchange(code, verifier))
    expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
  })

  /** No request leads there; a damaged or older row might. */
  async function forgetChallenge(code: string): Promise<void> {
    const { artifacts } = range.gateway.store.ephemeral
    const idHash = createHash('sha256').update(code).digest('base64url')
    const stored = await artifacts.find('AuthorizationCode', idHash, range.gateway.clock.now())
    if (!stored) throw new TypeError('The code is not where it is expected.')
    const { codeChallenge, codeChallengeMethod, ...payload } = stored.payload
    expect([typeof codeChallenge, codeChallengeMethod]).toEqual(['string', 'S256'])
    const { kind, uid, family, expiresAt } = stored
    await artifacts.save({ kind, idHash, uid, family, payload, expiresAt })
  }
})
