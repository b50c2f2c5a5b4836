// GitHub: what becomes of its answers, played by a server on loopback.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { githubProvider } from './github.ts'
import type { FederationError, IdentityProvider } from './provider.ts'

const EMAILS = [
  { email: 'old@example.com', primary: false, verified: true },
  { email: 'Ann@Example.com', primary: true, verified: true },
]
const NORMAL: Record<string, unknown> = {
  '/login/oauth/access_token': { access_token: 'gho_x', token_type: 'bearer' },
  '/user': { id: 42, login: 'ann', name: 'Ann' },
  '/user/emails': EMAILS,
  '/user/orgs': [{ login: 'Acme' }],
  '/user/teams': [{ slug: 'core', organization: { login: 'Acme' } }],
}

let answers = NORMAL
const seen: { path: string; body: string; authorization: string | undefined }[] = []
const server = createServer(async (req, res) => {
  const path = new URL(req.url ?? '', 'http://x').pathname
  seen.push({ path, body: Buffer.concat(await req.toArray()).toString(), authorization: req.headers.authorization })
  const answer = answers[path]
  res.writeHead(typeof answer === 'number' ? answer : 200, { 'content-type': 'application/json' })
  res.end(JSON.stringify(answer))
})

let provider: IdentityProvider
let base = ''
beforeAll(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const scopes = ['read:user', 'user:email', 'read:org']
  provider = githubProvider(
    {
      id: 'github',
      type: 'github',
      issuer: base,
      api: base,
      clientId: 'c',
      clientSecret: 's',
      scopes,
    },
    fetch,
  )
})
afterAll(() => server.close())
beforeEach(() => {
  answers = NORMAL
  seen.length = 0
})

const CALLBACK = 'https://gate.example/callback/github'

async function signIn(change: (parameters: URLSearchParams) => void = () => undefined) {
  const { url, secrets } = await provider.start(CALLBACK)
  const answer = new URL(CALLBACK)
  answer.searchParams.set('code', 'abc')
  answer.searchParams.set('state', new URL(url).searchParams.get('state') ?? '')
  change(answer.searchParams)
  return provider.finish(answer, secrets)
}
const refusal = (run: Promise<unknown>) =>
  run.then(
    () => 'signed in',
    (error: FederationError) => `${error.failure} ${error.reason}`,
  )

describe('GitHub', () => {
  it('is the numeric id, the verified primary address, organisations and teams', async () => {
    expect(await signIn()).toEqual({
      provider: 'github',
      issuer: base,
      subject: '42',
      email: 'ann@example.com',
      name: 'Ann',
      groups: ['acme', 'acme/core'],
      roles: [],
      teams: [],
    })
  })

  it('is asked with PKCE, and its token only goes to its own API', async () => {
    await signIn()
    const exchange = new URLSearchParams(seen[0]?.body)
    expect(exchange.get('code_verifier')).toMatch(/^[\w-]{43}$/)
    expect(exchange.get('redirect_uri')).toBe(CALLBACK)
    expect(seen.slice(1).every(({ authorization }) => authorization === 'Bearer gho_x')).toBe(true)
  })

  it.each([
    ['unverified', [{ email: 'ann@example.com', primary: true, verified: false }]],
    ['verified only in words', [{ email: 'ann@example.com', primary: true, verified: 'true' }]],
    ['not the primary one', [{ email: 'ann@example.com', primary: false, verified: true }]],
    ['none', []],
  ])('has no address when it is %s', async (_, emails) => {
    answers = { ...NORMAL, '/user/emails': emails }
    expect((await signIn()).email).toBeUndefined()
  })

  it.each([
    ['another state', (one: URLSearchParams) => one.set('state', 'x'), 'refused state_mismatch'],
    ['two states', (one: URLSearchParams) => one.append('state', 'x'), 'refused state_mismatch'],
    ['another issuer', (one: URLSearchParams) => one.set('iss', 'https://evil.example'), 'refused iss_mismatch'],
    ['no code', (one: URLSearchParams) => one.delete('code'), 'refused idp_error'],
    ['an error beside the code', (one: URLSearchParams) => one.set('error', 'x'), 'refused idp_error'],
    [
      'a person who said no',
      (one: URLSearchParams) => one.set('error', 'access_denied'),
      'cancelled idp_access_denied',
    ],
  ])('is refused with %s before the code is sent anywhere', async (_, change, expected) => {
    expect(await refusal(signIn(change))).toBe(expected)
    expect(seen).toEqual([])
  })

  it('may name itself as the issuer', async () => {
    expect(await refusal(signIn((one) => one.set('iss', `${base}/login/oauth`)))).toBe('signed in')
  })

  it.each([
    ['no token', { '/login/oauth/access_token': { error: 'bad_verification_code' } }, 'refused idp_answer_refused'],
    ['an id in words', { '/user': { id: '42' } }, 'refused claim_malformed'],
    [
      'teams without a name',
      { '/user/teams': [{ slug: 'a b', organization: { login: 'Acme' } }] },
      'refused claim_malformed',
    ],
    ['groups it will not show', { '/user/teams': 403 }, 'refused idp_answer_refused'],
    [
      'groups without end',
      { '/user/orgs': Array.from({ length: 100 }, () => ({ login: 'a' })) },
      'refused claim_malformed',
    ],
    ['an outage', { '/user': 502 }, 'unreachable idp_answer_refused'],
  ])('is refused with %s', async (_, over, expected) => {
    answers = { ...NORMAL, ...over }
    expect(await refusal(signIn())).toBe(expected)
  })
})
