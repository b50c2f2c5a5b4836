// What an ingress is told: pass it on with these fields, or answer the caller with this. One shape for every kind of ingress.
import { type Answer, answerOf } from '../http/responses.ts'
import type { Resource } from '../protocol/resource.ts'
import { NO_IDENTITY } from './identity-headers.ts'

export interface Verdict {
  /** 200 passes the request on; every other status is the answer to the caller. */
  readonly status: number
  /** Names and values in turn, the length of the body among them; shared between answers, so it is copied before anything is added. */
  readonly headers: readonly string[]
  /** JSON, or nothing. */
  readonly body: string
  /** For log, metric and record. */
  readonly reason: string
  /** Why it is none of 200 and 302, where something was thrown. */
  readonly error: unknown
}

/** Answers are about this caller alone, whatever an ingress keeps (RFC 9111 §5.2.2.5). */
const PRIVATE = ['Cache-Control', 'no-store', 'Vary', 'Cookie, Authorization'] as const
const NO_BODY = ['Content-Length', '0'] as const
const typedAs = (body: string) => [
  'Content-Type',
  'application/json',
  'Content-Length',
  String(Buffer.byteLength(body)),
]

export const passed = (identity: readonly string[]): Verdict => ({
  status: 200,
  headers: [...PRIVATE, ...identity, ...NO_BODY],
  body: '',
  reason: 'allowed',
  error: undefined,
})

/** RFC 9728: for anybody, so nobody is named. */
export function documented(document: object): Verdict {
  const body = JSON.stringify(document)
  const headers = [...PRIVATE, ...typedAs(body), 'Access-Control-Allow-Origin', '*', ...NO_IDENTITY]
  return { status: 200, headers, body, reason: 'public_document', error: undefined }
}

/** 302 and not 303: what every ingress of the field hands on. The browser goes on with GET either way (RFC 9110 §15.4.3). */
export const redirected = (location: string, reason: string, cookies: readonly string[] = []): Verdict => ({
  status: 302,
  headers: [
    ...PRIVATE,
    ...['Location', location, 'Referrer-Policy', 'no-referrer'],
    ...cookies.flatMap((cookie) => ['Set-Cookie', cookie]),
    ...NO_BODY,
  ],
  body: '',
  reason,
  error: undefined,
})

export function refused(error: unknown, resource?: Resource): Verdict & Pick<Answer, 'unexpected'> {
  const { status, headers, body: said, reason, unexpected } = answerOf(error, { resource })
  const body = JSON.stringify(said)
  const own = Object.entries(headers).flat()
  return { status, headers: [...PRIVATE, ...typedAs(body), ...own], body, reason, error, unexpected }
}

/** Not `Location`, which nginx rewrites where it looks like an address of what it proxies to. */
const NGINX_LOCATION = 'X-Portcullis-Location'

/**
 * nginx, `auth_request`: 200 passes, 401 and 403 are answered, anything else is a failure to it (500). A redirect is a 401 with a field
 * that its configuration sends the browser to; every other refusal is a 403. Failures stay failures.
 */
export function forNginx(verdict: Verdict): Verdict {
  const { status, headers } = verdict
  if (status === 200 || status === 401 || status === 403 || status >= 500) return verdict
  if (status !== 302) return { ...verdict, status: 403 }
  return { ...verdict, status: 401, headers: headers.map((field) => (field === 'Location' ? NGINX_LOCATION : field)) }
}
