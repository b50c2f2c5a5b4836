// Asking a token endpoint: RFC 6749 §4.4, §5; RFC 8693 §2; RFC 7523 §2.1. What it says goes to the log without any secret it may repeat.
import type { Clock } from '../../protocol/clock.ts'
import { parseRecord } from '../../protocol/json.ts'
import { lifeOf } from '../../protocol/token-life.ts'
import { CredentialFailed } from '../credential.ts'
import { type ClientConfig, clientProof, type ProveClient } from './client-proof.ts'
import { type Fetches, fetchWith, shown } from './fetch.ts'
import { type FindTokenPlace, tokenPlaces } from './token-place.ts'

export interface TokenAnswer {
  readonly accessToken: string
  readonly issuedTokenType: string | undefined
  /** Milliseconds since the epoch; `undefined`: it does not say. */
  readonly endsAt: number | undefined
  readonly refreshToken: string | undefined
  readonly idToken: string | undefined
}

/** Parameters, and those left out. */
export type TokenForm = Readonly<Record<string, string | undefined>>

export interface TokenEndpoint {
  /** Rejects with CredentialFailed. */
  ask(form: TokenForm): Promise<TokenAnswer>
}

export interface TokenNeeds {
  readonly fetches: Fetches
  readonly clock: Clock
  /** What was asked for ahead of time, or again, and did not come. */
  onFailure(error: unknown): void
}

export function tokenEndpoint(
  config: ClientConfig & { readonly issuer?: string | undefined; readonly tokenUrl?: string | undefined },
  needs: TokenNeeds,
): TokenEndpoint {
  const find: FindTokenPlace = tokenPlaces(config, needs)
  const prove: ProveClient = clientProof(config, needs.clock)
  return {
    async ask(form) {
      const place = await find()
      const proof = await prove(place)
      const given = Object.entries({ ...form, ...proof.form }).filter((entry): entry is [string, string] => !!entry[1])
      const answer = await fetchWith(place.fetch, place.tokenUrl, 'The token endpoint', {
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...proof.headers },
        body: new URLSearchParams(given).toString(),
      })
      const said = parseRecord(answer.body.toString()) ?? {}
      if (answer.status !== 200) throw refusal(place.tokenUrl, answer.status, said, secretsOf(given, config))
      return read(said, place.tokenUrl, needs.clock())
    },
  }
}

const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/

/** RFC 8693 §2.2.1: `N_A` is no bearer token but one to be shown to another server, which some say of both. */
const TYPES = new Set(['bearer', 'n_a'])

function read(said: Record<string, unknown>, tokenUrl: string, now: number): TokenAnswer {
  const { access_token: token, token_type: type, expires_in: seconds } = said
  const bad = (what: string) => new CredentialFailed('bad_answer', `The token endpoint ${shown(tokenUrl)} ${what}.`)
  // RFC 6750 §2.1: anything else would not fit in a header.
  if (typeof token !== 'string' || !TOKEN.test(token)) throw bad('answers without an access token')
  if (typeof type !== 'string' || !TYPES.has(type.toLowerCase())) throw bad('answers a token that is no bearer token')
  const life = lifeOf(seconds)
  return {
    accessToken: token,
    issuedTokenType: textOf(said['issued_token_type']),
    endsAt: life === undefined ? undefined : now + life * 1000,
    refreshToken: textOf(said['refresh_token']),
    idToken: textOf(said['id_token']),
  }
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)

/** RFC 6749 §5.2. Some servers repeat what they were sent: nothing of it, and nothing that looks like a token, is told on. */
function refusal(
  tokenUrl: string,
  status: number,
  said: Record<string, unknown>,
  secrets: readonly string[],
): CredentialFailed {
  const { error, error_description: description } = said
  const code = typeof error === 'string' && /^[a-z_]{1,64}$/.test(error) ? error : `${status}`
  const words = typeof description === 'string' ? `: ${quoted(description, secrets)}` : ''
  return new CredentialFailed('refused', `The token endpoint ${shown(tokenUrl)} refuses (${code})${words}`, {
    passing: status === 429 || status >= 500,
  })
}

const SHOWN_FIELDS = new Set(['grant_type', 'client_id', 'scope', 'audience', 'resource', 'requested_token_type'])

function secretsOf(sent: readonly (readonly [string, string])[], { clientSecret }: ClientConfig): string[] {
  const secrets = sent.flatMap(([name, value]) => (SHOWN_FIELDS.has(name) ? [] : [value]))
  return clientSecret === undefined ? secrets : [...secrets, clientSecret]
}

function quoted(description: string, secrets: readonly string[]): string {
  return secrets
    .reduce((text, secret) => text.replaceAll(secret, '***'), description)
    .replace(/[A-Za-z0-9_.~+/=-]{24,}/g, '***')
    .replace(/[^\x20-\x7e]/g, ' ')
    .slice(0, 300)
}
