// Why a server did not open its channel, or take a message: one reason of ours, whatever it said.
import { type Refused, UpstreamError } from '../../upstream.ts'

/** The server did not take the credential. Nothing was done, so that it may be tried with another. */
export class CredentialRefused extends UpstreamError {
  readonly refused: Refused

  constructor(refused: Refused) {
    super('upstream_unauthorized', `The server refused the gate (${refused.status}).`)
    this.refused = refused
  }
}

type Headers = Readonly<Record<string, string | string[] | undefined>>

/** `undefined`: it was no refusal. */
export function refusalOf(status: number, headers: Headers): UpstreamError | undefined {
  if (status >= 200 && status < 300) {
    const coding = headers['content-encoding']
    // None was asked for, and what is packed can be small and become large.
    if (coding === undefined || coding === 'identity') return undefined
    return new UpstreamError('protocol', 'The server packs what it says, unasked.')
  }
  // Followed, a redirect would carry our credential to where the server points.
  if (status >= 300 && status < 400) return new UpstreamError('redirect', 'The server answered with a redirect.')
  if (status === 401 || status === 403 || status === 407)
    return new CredentialRefused({ status, challenge: [headers['www-authenticate']].flat().join(', ') || undefined })
  return new UpstreamError('upstream_error', `The server refused with ${status}.`)
}

const TIMEOUTS = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'UND_ERR_CONNECT_TIMEOUT', 'ETIMEDOUT'])
const CONNECTS = /^(?:ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CLOSED|ERR_TLS|ERR_SSL)|CERT/

/** What a connection fails with, in our words. A mistake of ours stays what it is. */
export function upstreamErrorOf(error: unknown): UpstreamError {
  if (error instanceof UpstreamError) return error
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (TIMEOUTS.has(code)) return new UpstreamError('timeout', 'The server did not answer in time.', { cause: error })
  if (CONNECTS.test(code)) return new UpstreamError('connect', 'The server cannot be reached.', { cause: error })
  return new UpstreamError('reset', 'The server broke off.', { cause: error })
}
