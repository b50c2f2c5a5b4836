// What an issuer publishes of itself: where its keys are, where it answers questions about tokens. OpenID Connect Discovery §4, RFC 8414 §3.
import type { Log } from '../observe/log.ts'
import type { Claims } from '../protocol/claims.ts'
import type { Clock } from '../protocol/clock.ts'
import { DocumentError, type FetchDocument, type Fetches, fetchText } from './document.ts'
import { lasting } from './lasting.ts'

export interface Endpoint {
  readonly uri: string
  readonly fetch: FetchDocument
}

export interface IssuerMetadata {
  /** The address under that name, vetted. Throws DocumentError where it has none, Unavailable where the issuer does not answer. */
  endpoint(name: 'jwks_uri' | 'introspection_endpoint'): Promise<Endpoint>
}

interface Needs {
  /** As configured, letter by letter. */
  readonly issuer: string
  /** What the document must call itself: another text only for an authority of many tenants. */
  readonly calledItself: string
  readonly fetches: Fetches
  readonly clock: Clock
  readonly log: Log
}

/** Below that of the keys, whose fetch starts with this one. */
const PAUSE = 10_000
/** Short: an address that was wrong and is put right there should not stay wrong here. Keys are fetched far less often anyway. */
const FRESH = 60_000

export function issuerMetadata({ issuer, calledItself, fetches, clock, log }: Needs): IssuerMetadata {
  const held = lasting({
    fetch: async () => checkIssuer(await fetchMetadata(issuer, fetches.configured), calledItself),
    onFailure: (error) => log.warn({ issuer, error }, 'the metadata of an issuer cannot be had'),
    clock,
    pause: PAUSE,
    fresh: FRESH,
  })

  return {
    async endpoint(name) {
      const { [name]: uri } = await held.get()
      if (typeof uri !== 'string' || !URL.canParse(uri))
        throw new DocumentError('endpoint_missing', `The metadata of the issuer ${issuer} has no ${name}.`)
      return { uri, fetch: fetchOf(new URL(uri), new URL(issuer), fetches) }
    },
  }
}

/** The issuer's own host was written by the administrator; another one that it names is a stranger's word. */
function fetchOf(uri: URL, issuer: URL, { configured, named }: Fetches): FetchDocument {
  const own = uri.hostname === issuer.hostname && (uri.protocol === 'https:' || issuer.protocol === 'http:')
  return own ? configured : named
}

async function fetchMetadata(issuer: string, fetch: FetchDocument): Promise<Claims> {
  const { origin, pathname } = new URL(issuer)
  const path = pathname.replace(/\/+$/, '')
  const openid = `${origin}${path}/.well-known/openid-configuration`
  const oauth = `${origin}/.well-known/oauth-authorization-server${path}`
  const text = await fetchText(fetch, openid, 'The metadata').catch((error: unknown) => {
    // RFC 8414 §3: an authorization server that is no OpenID provider has its document elsewhere.
    if (error instanceof DocumentError && error.reason === 'status_404') return fetchText(fetch, oauth, 'The metadata')
    throw error
  })
  return parseMetadata(text, openid)
}

function parseMetadata(text: string, uri: string): Claims {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Claims
  } catch {
    // Told below.
  }
  throw new DocumentError('not_json', `The metadata ${uri} is no JSON object.`)
}

/** OpenID Connect Discovery §4.3, RFC 8414 §3.3: the same letters, or the document is another's. */
function checkIssuer(metadata: Claims, expected: string): Claims {
  const { issuer } = metadata
  if (issuer === expected) return metadata
  throw new DocumentError('issuer_mismatch', issuerAdvice(expected, issuer))
}

const withoutSlash = (text: string) => text.replace(/\/+$/, '')

/** What to write instead, for whoever wrote an issuer that nothing calls itself. */
export function issuerAdvice(written: string, real: unknown): string {
  const said = typeof real === 'string' ? JSON.stringify(real.slice(0, 300)) : 'nothing'
  const slash =
    typeof real === 'string' && withoutSlash(real) === withoutSlash(written)
      ? ` It has a trailing slash too ${written.length > real.length ? 'many' : 'few'}.`
      : ''
  return `auth.issuers: the issuer ${JSON.stringify(written)} calls itself ${said}.${slash} Write it letter by letter as it does.`
}
