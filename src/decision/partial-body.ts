// A message that an ingress cut short: Envoy says so in a field of its own (`allow_partial_message` of its ext_authz filter). What would
// be judged is not what the server gets, and a caller who can have it cut would choose what is judged.
import type { IncomingHttpHeaders } from 'node:http'
import { RequestError } from '../protocol/errors.ts'

/** Throws RequestError 403. */
export function checkWhole(headers: IncomingHttpHeaders): void {
  const partial = headers['x-envoy-auth-partial-body']
  if (partial === undefined || partial === 'false') return
  throw new RequestError(403, 'body_partial', 'The message did not come whole, so that nobody can tell what it calls.')
}
