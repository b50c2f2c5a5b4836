// Sign-in left to a server that keeps the company's identity provider for many gateways (the authentication proxy of Solace): it takes
// the browser at `/login`, answers a one-time code, and tells over the back channel who came. Its tokens are read from once and dropped.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { DelegatedProviderConfig } from '../config/identity.ts'
import { type Claims, claimAt } from '../protocol/claims.ts'
import { USER_ID_CLAIMS, type UserIdClaim } from '../protocol/user-id-claims.ts'
import { ClaimError, type EmailProof, type Profile, profileOf, verifiedEmail } from './claims.ts'
import { type KeptPaths, keepClaims } from './kept-claims.ts'
import { checkGroupsAreThere, type mappingOf } from './kinds.ts'
import { FederationError, type FederationSecrets, type Fetch, type IdentityProvider } from './provider.ts'

/** As that protocol has it; the server may itself be waiting for a provider. */
const TIMEOUT_MS = 10_000
const LONGEST = 256
/** What such servers write where they know nobody. */
const NOBODY = new Set(['', 'unknown', 'null', 'none'])

interface Needs {
  readonly provider: DelegatedProviderConfig
  readonly mapping: ReturnType<typeof mappingOf>
  readonly kept: KeptPaths
  readonly proof: EmailProof
  readonly fetch: Fetch
}

export function delegatedProvider({ provider, mapping, kept, proof, fetch }: Needs): IdentityProvider {
  const base = provider.url.replace(/\/+$/, '')

  async function finish(answer: URL, secrets: FederationSecrets): Promise<Profile> {
    const code = checkAnswer(answer, secrets, base)
    const exchange = { code, gateway_uri: `${answer.origin}${answer.pathname}` }
    const token = claimAt(
      await ask(fetch, `${base}/gateway-oauth/exchange?${query(exchange)}`, { method: 'POST' }),
      'access_token',
    )
    if (typeof token !== 'string' || token === '') throw new FederationError('faulty', 'delegate_token_missing')
    const claims = await ask(fetch, `${base}/user_info?${query({ provider: provider.provider })}`, {
      headers: { authorization: `Bearer ${token}` },
    })
    checkGroupsAreThere(claims, mapping.groups)
    const subject = subjectOf(claims, proof, provider.userIdClaim)
    if (subject === undefined) throw new FederationError('faulty', 'delegate_names_nobody')
    const profile = profileOf([claims], { provider: provider.id, issuer: base, subject, mapping, proof })
    return { ...profile, claims: keepClaims([claims], kept) }
  }

  return {
    id: provider.id,
    title: provider.title ?? provider.provider,
    origin: new URL(base).origin,
    leadsOn: true,
    callback: provider.callback ?? `/callback/${provider.id}`,
    async start(redirectUri) {
      // Neither nonce nor PKCE exist there; one shape for every provider's secrets.
      const secrets = { state: random(), nonce: random(), verifier: random() }
      const asked = {
        gateway_uri: redirectUri,
        state: secrets.state,
        provider: provider.provider,
        // Its own callback at the identity provider, which older ones want to be told.
        redirect_uri: `${base}/callback`,
      }
      return { url: `${base}/login?${query(asked)}`, secrets }
    },
    finish: (answer, secrets) =>
      finish(answer, secrets).catch((cause: unknown) => {
        if (cause instanceof ClaimError) throw new FederationError('faulty', cause.reason, { cause })
        throw cause
      }),
  }
}

const random = () => randomBytes(32).toString('base64url')
const query = (parameters: Record<string, string>) => new URLSearchParams(parameters).toString()

/** RFC 6749 §4.1.2, RFC 9207 §2.4: nothing of the answer is used before `state` and, where it is sent, `iss` are right. */
function checkAnswer({ searchParams }: URL, { state }: FederationSecrets, base: string): string {
  const one = (name: string) =>
    searchParams.getAll(name).length > 1 ? undefined : (searchParams.get(name) ?? undefined)
  if (!isSame(one('state') ?? '', state)) throw new FederationError('refused', 'state_mismatch')
  if (searchParams.has('iss') && one('iss') !== base) throw new FederationError('refused', 'iss_mismatch')
  if (one('error') === 'access_denied') throw new FederationError('cancelled', 'idp_access_denied')
  const code = one('code')
  if (searchParams.has('error') || !code)
    throw new FederationError('refused', 'idp_error', { said: one('error_description') ?? one('error') })
  return code
}

const digest = (text: string) => createHash('sha256').update(text).digest()
const isSame = (one: string, other: string) => timingSafeEqual(digest(one), digest(other))

/** Not there at all is one thing (503), there and refusing or talking nonsense another (502). */
async function ask(fetch: Fetch, url: string, init: RequestInit): Promise<Claims> {
  const answer = await fetch(url, {
    ...init,
    redirect: 'manual',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).catch((cause: unknown) => {
    throw new FederationError('unreachable', 'delegate_unreachable', { cause })
  })
  const body: unknown = await answer.json().catch(() => undefined)
  if (answer.status !== 200 || typeof body !== 'object' || body === null || Array.isArray(body))
    throw new FederationError('faulty', 'delegate_answer_refused')
  return Object.fromEntries(Object.entries(body))
}

/** The first claim that names a person. Which one it was belongs to the account: the `sub` of one may be the `username` of another. */
export function subjectOf(claims: Claims, proof: EmailProof, only?: UserIdClaim): string | undefined {
  for (const name of only === undefined ? USER_ID_CLAIMS : [only]) {
    const value = name === 'email' ? verifiedEmail(claims, proof) : claims[name]
    if (typeof value !== 'string' || value.length > LONGEST || NOBODY.has(value.trim().toLowerCase())) continue
    return name === 'sub' ? value : `${name}:${value}`
  }
  return undefined
}
