// What of a request is read before it is understood: its method, and its body as bytes. MCP 2025-11-25 and 2026-07-28, Transports.
import { readBody } from '../http/body.ts'
import type { Exchange } from '../http/exchange.ts'
import { RequestError } from '../protocol/errors.ts'
import { checkMediaType } from './message.ts'
import type { HttpMethod } from './visit.ts'

export function checkHttpMethod({ req, res }: Exchange): HttpMethod {
  const { method } = req
  if (method === 'POST' || method === 'GET' || method === 'DELETE') return method
  res.setHeader('Allow', 'POST, GET, DELETE, OPTIONS')
  throw new RequestError(405, 'method_not_allowed', 'Use POST, GET or DELETE.')
}

interface ReadLimits {
  readonly body: number
  /** Milliseconds. */
  readonly bodyTimeout: number
}

export function readText(exchange: Exchange, limits: ReadLimits): Promise<Buffer> {
  checkMediaType(exchange.req.headers)
  return readBody(exchange, limits.body, limits.bodyTimeout)
}
