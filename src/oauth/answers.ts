// Refusals of our own in front of the library, in its words: RFC 6749 §5.2 for clients, a page for browsers.
import { errors } from 'oidc-provider'
import type { Endpoint, Exchange } from '../http/exchange.ts'
import { sendPage } from '../http/page.ts'
import { sendJson } from '../http/responses.ts'
import { RequestError } from '../protocol/errors.ts'
import { errorPage } from './interaction/pages/error.ts'

/** Told of every refusal of ours in front of the library; the library's own are heard in provider.ts. */
export type Refused = (exchange: Exchange, reason: string) => Promise<void>

const NO_STORE = { 'Cache-Control': 'no-store', Pragma: 'no-cache' }

/** RFC 6749 §5.2 with a sentence and a reason of our own. */
export class InvalidGrantError extends RequestError {
  constructor(reason: string, message: string) {
    super(400, reason, message)
  }
}

/** For clients. What is nobody's refusal goes on to the front, which knows failures. */
export function answeringClients(refused: Refused, endpoint: (exchange: Exchange) => Promise<void>): Endpoint {
  return async (exchange) => {
    try {
      await endpoint(exchange)
    } catch (error) {
      const reason = reasonOf(error)
      if (reason !== undefined) await refused(exchange, reason)
      sendClientError(exchange, error)
    }
  }
}

/** Nothing for what is nobody's refusal. */
function reasonOf(error: unknown): string | undefined {
  if (error instanceof errors.OIDCProviderError) return error.error
  return error instanceof RequestError && error.status < 500 ? error.reason : undefined
}

function sendClientError({ res }: Exchange, error: unknown): void {
  if (error instanceof errors.OIDCProviderError) {
    const body = { error: error.error, error_description: error.error_description }
    const challenge = error.statusCode === 401 ? { 'WWW-Authenticate': 'Basic' } : {}
    sendJson(res, error.statusCode, body, { ...NO_STORE, ...challenge })
    return
  }
  if (!(error instanceof RequestError) || error.status >= 500) throw error
  const code = error.status === 429 ? 'temporarily_unavailable' : codeOf(error)
  if (error.retryAfter !== undefined) res.setHeader('Retry-After', String(error.retryAfter))
  if (error.close) res.setHeader('Connection', 'close')
  sendJson(res, error.status, { error: code, error_description: error.message }, NO_STORE)
}

const codeOf = (error: RequestError) => (error instanceof InvalidGrantError ? 'invalid_grant' : 'invalid_request')

/** RFC 6749 §4.1.2.1 and RFC 9110 §15.6.4: nobody is at fault, and nothing was done. */
export const temporarilyUnavailable = (status = 503) =>
  Object.assign(new errors.TemporarilyUnavailable('try again later'), {
    error_description: 'try again later',
    status,
    statusCode: status,
    allow_redirect: false,
  })

/** For browsers. Without a proven client and redirect URI there is nowhere to send an error (RFC 6749 §4.1.2.1). */
export function answeringBrowsers(refused: Refused, endpoint: (exchange: Exchange) => Promise<void>): Endpoint {
  return async (exchange) => {
    try {
      await endpoint(exchange)
    } catch (error) {
      const reason = reasonOf(error)
      const isOurs = error instanceof errors.OIDCProviderError || error instanceof RequestError
      if (reason === undefined || !isOurs) throw error
      await refused(exchange, reason)
      const detail = error instanceof RequestError ? error.message : `${error.error}: ${error.error_description ?? ''}`
      const html = errorPage({ title: TITLE, detail, requestId: exchange.id })
      sendPage(exchange, { status: error instanceof RequestError ? error.status : error.statusCode, html })
    }
  }
}

export const TITLE = 'This request cannot be completed'
