// GitHub as an identity provider: OAuth apps, not OpenID Connect. The account is its numeric id (a login can be given to someone else),
// the e-mail the verified primary one, groups are organisations (`org`) and their teams (`org/team`).
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { GithubProviderConfig } from '../config/identity.ts'
import { type Claims, claimAt } from '../protocol/claims.ts'
import { parseEmail } from '../protocol/email.ts'
import { ClaimError, displayName, type Profile } from './claims.ts'
import {
  FederationError,
  type FederationSecrets,
  type Fetch,
  type IdentityProvider,
  PROVIDER_TIMEOUT_MS,
} from './provider.ts'

const PAGE = 100
const MOST_PAGES = 10
const random = () => randomBytes(32).toString('base64url')

export function githubProvider(provider: GithubProviderConfig, fetch: Fetch): IdentityProvider {
  const issuer = provider.issuer.replace(/\/$/, '')

  async function finish(answer: URL, secrets: FederationSecrets): Promise<Profile> {
    const code = checkAnswer(answer, secrets, issuer)
    const token = await exchange(fetch, provider, issuer, {
      code,
      redirect_uri: `${answer.origin}${answer.pathname}`,
      code_verifier: secrets.verifier,
    })
    const ask = (path: string) => getJson(fetch, `${provider.api.replace(/\/$/, '')}${path}`, token)
    const user = checkObject(await ask('/user'))
    const id = claimAt(user, 'id')
    if (typeof id !== 'number' || !Number.isSafeInteger(id)) throw new ClaimError('id')
    const inOrganisations = provider.scopes.includes('read:org')
    return {
      provider: provider.id,
      issuer,
      subject: String(id),
      email: primaryEmail(await all(ask, '/user/emails')),
      name: displayName(claimAt(user, 'name')) ?? displayName(claimAt(user, 'login')),
      groups: inOrganisations ? groupsOf(await all(ask, '/user/orgs'), await all(ask, '/user/teams')) : [],
      roles: [],
      teams: [],
    }
  }

  return {
    id: provider.id,
    title: provider.title ?? 'GitHub',
    origin: new URL(issuer).origin,
    callback: provider.callback ?? `/callback/${provider.id}`,
    async start(redirectUri) {
      // No ID token, so no nonce is sent; one is made all the same because every provider's secrets have one shape.
      const secrets = { state: random(), nonce: random(), verifier: random() }
      const url = new URL(`${issuer}/login/oauth/authorize`)
      url.search = new URLSearchParams({
        response_type: 'code',
        client_id: provider.clientId,
        redirect_uri: redirectUri,
        scope: provider.scopes.join(' '),
        state: secrets.state,
        code_challenge: createHash('sha256').update(secrets.verifier).digest('base64url'),
        code_challenge_method: 'S256',
      }).toString()
      return { url: url.href, secrets }
    },
    finish: (answer, secrets) =>
      finish(answer, secrets).catch((cause: unknown) => {
        if (cause instanceof FederationError) throw cause
        if (cause instanceof ClaimError) throw new FederationError('refused', cause.reason, { cause })
        throw new FederationError('unreachable', 'idp_unreachable', { cause })
      }),
  }
}

/** RFC 6749 §4.1.2, RFC 9207 §2.4: nothing of the answer is used before `state` and, where GitHub sends it, `iss` are right. */
function checkAnswer({ searchParams }: URL, { state }: FederationSecrets, issuer: string): string {
  const one = (name: string) =>
    searchParams.getAll(name).length > 1 ? undefined : (searchParams.get(name) ?? undefined)
  if (!isSame(one('state') ?? '', state)) throw new FederationError('refused', 'state_mismatch')
  const iss = searchParams.getAll('iss')
  if (iss.length > 1 || (iss[0] !== undefined && ![issuer, `${issuer}/login/oauth`].includes(iss[0])))
    throw new FederationError('refused', 'iss_mismatch')
  if (one('error') === 'access_denied') throw new FederationError('cancelled', 'idp_access_denied')
  const code = one('code')
  if (searchParams.has('error') || !code)
    throw new FederationError('refused', 'idp_error', { said: one('error_description') ?? one('error') })
  return code
}

const digest = (text: string) => createHash('sha256').update(text).digest()
const isSame = (one: string, other: string) => timingSafeEqual(digest(one), digest(other))

async function exchange(
  fetch: Fetch,
  provider: GithubProviderConfig,
  issuer: string,
  grant: Record<string, string>,
): Promise<string> {
  const answer = checkObject(
    await readJson(fetch, `${issuer}/login/oauth/access_token`, {
      method: 'POST',
      headers: { accept: 'application/json' },
      body: new URLSearchParams({ ...grant, client_id: provider.clientId, client_secret: provider.clientSecret }),
    }),
  )
  // GitHub refuses with 200 and an `error` member.
  const token = claimAt(answer, 'access_token')
  if (typeof token !== 'string' || token === '') throw new FederationError('refused', 'idp_answer_refused')
  return token
}

const getJson = (fetch: Fetch, url: string, token: string) =>
  readJson(fetch, url, { headers: { accept: 'application/vnd.github+json', authorization: `Bearer ${token}` } })

async function readJson(fetch: Fetch, url: string, init: RequestInit): Promise<unknown> {
  const answer = await fetch(url, { ...init, redirect: 'error', signal: AbortSignal.timeout(PROVIDER_TIMEOUT_MS) })
  if (!answer.ok) throw new FederationError(answer.status >= 500 ? 'unreachable' : 'refused', 'idp_answer_refused')
  return answer.json()
}

/** A list cut short could hide the group that a deny rule names: too long is refused. */
async function all(ask: (path: string) => Promise<unknown>, path: string): Promise<Claims[]> {
  const found: Claims[] = []
  for (let page = 1; page <= MOST_PAGES; page++) {
    const part = await ask(`${path}?per_page=${PAGE}&page=${page}`)
    if (!Array.isArray(part)) throw new ClaimError(path)
    found.push(...part.map(checkObject))
    if (part.length < PAGE) return found
  }
  throw new ClaimError(path)
}

function checkObject(value: unknown): Claims {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new ClaimError('answer')
  return Object.fromEntries(Object.entries(value))
}

function primaryEmail(addresses: readonly Claims[]): string | undefined {
  const primary = addresses.find((entry) => entry['primary'] === true && entry['verified'] === true)
  return parseEmail(primary?.['email'])
}

const SLUG = /^[A-Za-z0-9._-]{1,100}$/

/** GitHub's names are case-insensitive; ours are compared as they are, so they are folded here. */
function groupsOf(organisations: readonly Claims[], teams: readonly Claims[]): string[] {
  const slug = (value: unknown, path: string) => {
    if (typeof value !== 'string' || !SLUG.test(value)) throw new ClaimError(path)
    return value.toLowerCase()
  }
  return [
    ...organisations.map((entry) => slug(claimAt(entry, 'login'), 'login')),
    ...teams.map(
      (entry) =>
        `${slug(claimAt(entry, 'organization.login'), 'organization')}/${slug(claimAt(entry, 'slug'), 'slug')}`,
    ),
  ]
}
