// Who is calling: the chain of ways to knock. What the caller shows decides, then what the connection vouches for, then nobody is there.
// A refused credential never falls through to a weaker one.
import { BearerError, RequestError } from '../protocol/errors.ts'
import { ANONYMOUS, type Principal } from '../protocol/principal.ts'
import type { Credentials, TokenWay, TransportWay, Wanted } from './way.ts'

export type Authenticate = (credentials: Credentials, wanted: Wanted) => Principal | Promise<Principal>

export interface Ways {
  /** Field that carries the bearer token, lower case. */
  readonly header: string
  /** Who a token proved before, which still holds: at once, and before anybody looks at its form. */
  recall(token: string, wanted: Wanted): Principal | Promise<Principal> | undefined
  /** The first that claims a token judges it, whatever the others would say. */
  readonly tokens: readonly TokenWay[]
  /** The one way whose tokens may come as `X-API-Key`. */
  readonly apiTokens: TokenWay | undefined
  readonly transports: readonly TransportWay[]
  readonly anonymous: boolean
  /** Why nobody spoke for a caller who showed nothing; for the record. */
  explainNobody(credentials: Credentials): string
}

const API_KEY_FIELD = 'x-api-key'
/** As nearly everybody writes it; others cost a look at each letter. */
const BEARER = 'Bearer '

export function authenticator(ways: Ways): Authenticate {
  const { header, tokens, apiTokens, transports } = ways

  /** RFC 6750 §2.1: `Bearer` in any case, one space, one token and nothing beside it. */
  function proveBearer(line: string, credentials: Credentials, wanted: Wanted): Principal | Promise<Principal> {
    if (!line.startsWith(BEARER) && !/^bearer /i.test(line)) throw refused('malformed')
    const token = line.slice(BEARER.length)
    const known = ways.recall(token, wanted)
    if (known !== undefined) return known
    if (!/^[A-Za-z0-9._~+/-]+=*$/.test(token)) throw refused('malformed')
    const way = tokens.find((one) => one.isMine(token))
    if (way === undefined) throw refused('unknown_token')
    return way.prove(token, credentials, wanted)
  }

  function proveKey(key: string, credentials: Credentials, wanted: Wanted): Principal | Promise<Principal> {
    if (apiTokens === undefined)
      throw new BearerError('invalid_token', 'api_keys_closed', 'API keys are not accepted here.')
    if (!apiTokens.isMine(key)) throw refused('malformed')
    return apiTokens.prove(key, credentials, wanted)
  }

  /** What the caller shows has decided. Whom the transport names besides is told to the record, where it is somebody else. */
  async function withBeside(proved: Principal | Promise<Principal>, credentials: Credentials, wanted: Wanted) {
    const principal = await proved
    const beside = await besideOf(principal, () => speaksFor(transports, credentials, wanted))
    return beside === undefined ? principal : { ...principal, beside }
  }

  async function vouched(credentials: Credentials, wanted: Wanted, foreign: boolean): Promise<Principal> {
    return (await speaksFor(transports, credentials, wanted)) ?? nobody(credentials, foreign)
  }

  function nobody(credentials: Credentials, foreign: boolean): Principal {
    const reason = ways.explainNobody(credentials)
    if (foreign) throw new BearerError('invalid_token', 'unknown_scheme', 'Only bearer tokens are accepted here.')
    if (ways.anonymous) return ANONYMOUS
    throw new BearerError(undefined, reason, 'Authentication required.')
  }

  return function authenticate(credentials, wanted) {
    checkQuery(credentials.query)
    const lines = credentials.field(header)
    const keys = credentials.field(API_KEY_FIELD)
    // RFC 6750 §2: one method a request. Two readers of it could take two callers from it.
    if (lines.length + keys.length > 1)
      throw new BearerError('invalid_request', 'two_credentials', 'Send one credential, not two.')
    const [line] = lines
    const [key] = keys
    // Another scheme is none of ours: a proxy in front may have asked for it, and then says who it proved.
    const foreign = line !== undefined && !line.startsWith(BEARER) && !/^bearer\b/i.test(line)
    if (key === undefined && (line === undefined || foreign))
      return transports.length === 0 ? nobody(credentials, foreign) : vouched(credentials, wanted, foreign)
    const proved =
      line === undefined ? proveKey(key ?? '', credentials, wanted) : proveBearer(line, credentials, wanted)
    return transports.length === 0 ? proved : withBeside(proved, credentials, wanted)
  }
}

/** The first of the transport's ways that knows the caller. */
async function speaksFor(
  transports: readonly TransportWay[],
  credentials: Credentials,
  wanted: Wanted,
): Promise<Principal | undefined> {
  for (const way of transports) {
    const found = await way(credentials, wanted)
    if (found !== undefined) return found
  }
  return undefined
}

const BESIDE: readonly number[] = [401, 403, 503]

/**
 * One whom the gate would not admit is somebody else, too; and what nobody can check now holds up no caller whose credential was good.
 * What cannot be read at all stays a refusal of the request.
 */
async function besideOf(principal: Principal, ask: () => Promise<Principal | undefined>): Promise<string | undefined> {
  try {
    const other = await ask()
    return other === undefined || isSame(principal, other) ? undefined : other.subject
  } catch (error) {
    const refusal = error instanceof BearerError || error instanceof RequestError
    if (refusal && BESIDE.includes(error.status)) return `refused:${error.reason}`
    throw error
  }
}

/** Accounts of two issuers are one person to the record when both vouch for the same address. */
function isSame(one: Principal, other: Principal): boolean {
  return one.subject === other.subject || (one.email !== undefined && one.email === other.email)
}

/** Names under which clients of other systems put a token into a URL, written without marks. */
const QUERY_CREDENTIALS = new Set(['accesstoken', 'apikey', 'xapikey', 'token', 'authorization'])

/** RFC 6750 §2.3 is not offered: a token in a URL ends up in histories and logs (OAuth 2.1 §5.1). */
function checkQuery(query: string): void {
  if (query === '') return
  for (const name of new URLSearchParams(query).keys())
    if (QUERY_CREDENTIALS.has(name.toLowerCase().replace(/[^a-z0-9]/g, '')))
      throw new BearerError('invalid_request', 'token_in_query', 'Send the access token in a header, not in the URL.')
}

const refused = (reason: string) => new BearerError('invalid_token', reason, 'The access token is not valid here.')
