// Where an authorization server gives us tokens, and how it wants to know us: as written, else as it publishes (RFC 8414 §3).
import type { Clock } from '../../protocol/clock.ts'
import { parseRecord } from '../../protocol/json.ts'
import { CredentialFailed } from '../credential.ts'
import { held } from '../held.ts'
import { type Fetch, type Fetches, fetchWith, shown } from './fetch.ts'
import { metadataPlaces } from './metadata-places.ts'

export interface TokenPlace {
  readonly tokenUrl: string
  readonly fetch: Fetch
  /** Audience of what we sign to prove ourselves: the issuer where it is known, else the endpoint. */
  readonly audience: string
  /** `token_endpoint_auth_methods_supported`; `undefined`: it does not say. */
  readonly methods: readonly string[] | undefined
}

interface Needs {
  readonly fetches: Fetches
  readonly clock: Clock
  onFailure(error: unknown): void
}

const FRESH = 60 * 60_000
/** While it does not answer, the old document is as good as any. */
const LAST = 24 * FRESH

export type FindTokenPlace = () => TokenPlace | Promise<TokenPlace>

export function tokenPlaces(
  { issuer, tokenUrl }: { readonly issuer?: string | undefined; readonly tokenUrl?: string | undefined },
  { fetches, clock, onFailure }: Needs,
): FindTokenPlace {
  if (tokenUrl !== undefined) {
    const place = { tokenUrl, fetch: fetches.configured, audience: issuer ?? tokenUrl, methods: undefined }
    return () => place
  }
  if (issuer === undefined) throw new TypeError('neither an issuer nor a token endpoint')
  const place = held<TokenPlace>({ clock, onFailure })
  return () =>
    place.get(async () => {
      const value = placeOf(await discover(issuer, fetches.configured), issuer, fetches)
      const now = clock()
      return { value, renewAt: now + FRESH, endsAt: now + LAST }
    })
}

async function discover(issuer: string, fetch: Fetch): Promise<Record<string, unknown>> {
  let status = 0
  for (const address of metadataPlaces(new URL(issuer))) {
    const answer = await fetchWith(fetch, address, 'The metadata')
    status = answer.status
    if (status === 200) return checkIssuer(answer.body, issuer, address)
    if (status >= 500) break
  }
  throw new CredentialFailed('discovery', `${shown(issuer)} publishes no metadata (${status}).`, {
    passing: status >= 500,
  })
}

/** RFC 8414 §3.3: the same letters, or the document is another's. */
function checkIssuer(document: Buffer, issuer: string, address: string): Record<string, unknown> {
  const metadata = parseRecord(document.toString())
  if (metadata === undefined) throw new CredentialFailed('discovery', `${shown(address)} is no JSON object.`)
  if (metadata['issuer'] === issuer) return metadata
  throw new CredentialFailed('issuer_mismatch', `${shown(address)} is of another issuer than ${issuer}.`)
}

function placeOf(metadata: Record<string, unknown>, issuer: string, { configured, named }: Fetches): TokenPlace {
  const { token_endpoint: tokenUrl, token_endpoint_auth_methods_supported: methods } = metadata
  const at = typeof tokenUrl === 'string' ? URL.parse(tokenUrl) : null
  if (typeof tokenUrl !== 'string' || at === null)
    throw new CredentialFailed('discovery', `The metadata of ${issuer} names no token endpoint.`)
  const own = new URL(issuer)
  // The issuer's host was written by the administrator; another one that it names is a stranger's word.
  const isOwn = at.hostname === own.hostname && (at.protocol === 'https:' || own.protocol === 'http:')
  return {
    tokenUrl,
    fetch: isOwn ? configured : named,
    audience: issuer,
    methods: Array.isArray(methods) ? methods.filter((method) => typeof method === 'string') : undefined,
  }
}
