// Asking the authorization server about a token that only it can read: RFC 7662. Its answer counts for a while, an outage for nothing.
import { createHash } from 'node:crypto'
import type { IssuerConfig } from '../config/issuers.ts'
import type { Claims } from '../protocol/claims.ts'
import { RequestError } from '../protocol/errors.ts'
import { DocumentError, unfetched } from './document.ts'
import type { Endpoint } from './issuer-metadata.ts'

type IntrospectionConfig = NonNullable<IssuerConfig['introspection']>

interface Needs {
  readonly config: Pick<IntrospectionConfig, 'clientId' | 'clientSecret'>
  locate(): Promise<Endpoint>
  /** It could not be asked, or did not answer as it should. */
  onFailure(error: unknown): void
}

/** Most questions under way: what a flood of made-up tokens can make us ask at once. */
const MOST_ASKED = 64
const RETRY_AFTER = 5

/** The claims of a token that is active, or `undefined`. Throws RequestError 503 where nobody can tell. */
export function introspector({ config, locate, onFailure }: Needs): (token: string) => Promise<Claims | undefined> {
  const asking = new Map<string, Promise<Claims | undefined>>()
  const headers = { authorization: basic(config), 'content-type': 'application/x-www-form-urlencoded' }

  async function ask(token: string): Promise<Claims | undefined> {
    try {
      const { uri, fetch } = await locate()
      const body = new URLSearchParams({ token, token_type_hint: 'access_token' }).toString()
      const answer = await fetch(uri, { headers, body }).catch((cause: unknown) => {
        throw unfetched(cause, `The introspection endpoint ${uri}`)
      })
      if (answer.status !== 200) throw statusError(answer.status, uri)
      return activeClaims(answer.body, uri)
    } catch (cause) {
      onFailure(cause)
      throw unavailable(cause)
    }
  }

  return function introspect(token) {
    const key = createHash('sha256').update(token).digest('base64url')
    const running = asking.get(key)
    if (running !== undefined) return running
    if (asking.size >= MOST_ASKED) return Promise.reject(unavailable(undefined))
    const answer = ask(token).finally(() => asking.delete(key))
    asking.set(key, answer)
    return answer
  }
}

/** Why an active token does not count: it is none to call with, or bound to a key whose proof we do not ask for. */
export function findIntrospectedFlaw({ token_type: type, token_use: use, cnf }: Claims): string | undefined {
  const isBearer = type === undefined || (typeof type === 'string' && type.toLowerCase() === 'bearer')
  if (!isBearer || (use !== undefined && use !== 'access_token')) return 'token_type'
  return cnf === undefined ? undefined : 'token_bound'
}

export const unavailable = (cause: unknown, retryAfter = RETRY_AFTER): RequestError =>
  new RequestError(503, 'issuer_unreachable', 'The gate cannot check this token now. Try again shortly.', {
    retryAfter,
    cause,
  })

function statusError(status: number, uri: string): DocumentError {
  const cure =
    status === 401 ? ' Check clientId and clientSecret of auth.issuers[].introspection: it does not know us.' : ''
  return new DocumentError(`status_${status}`, `The introspection endpoint ${uri} answers ${status}.${cure}`)
}

/** RFC 7662 §2.2: anything but the boolean is not active. */
function activeClaims(body: Buffer, uri: string): Claims | undefined {
  const claims = parseClaims(body)
  if (claims === undefined)
    throw new DocumentError('not_json', `The introspection endpoint ${uri} answers no JSON object.`)
  return claims['active'] === true ? claims : undefined
}

function parseClaims(body: Buffer): Claims | undefined {
  try {
    const value: unknown = JSON.parse(body.toString())
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Claims) : undefined
  } catch {
    // Told by whoever asked, with the address.
    return undefined
  }
}

/** RFC 6749 §2.3.1: both parts are form-encoded before they are joined. */
function basic({ clientId, clientSecret }: Needs['config']): string {
  const encoded = [clientId, clientSecret].map((part) => new URLSearchParams({ part }).toString().slice('part='.length))
  return `Basic ${Buffer.from(encoded.join(':')).toString('base64')}`
}
