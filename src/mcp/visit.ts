// A request to one server's own address, once it is read and its head fits its body.
import type { Exchange } from '../http/exchange.ts'
import type { RequestFacts } from '../protocol/decision.ts'
import type { Principal } from '../protocol/principal.ts'
import type { Upstream } from '../upstreams/upstream.ts'
import { checkEra, type Era, eraOfHead } from './era.ts'
import type { McpHead } from './headers.ts'
import type { Incoming } from './message.ts'
import { type Target, targetOf } from './target.ts'

export type HttpMethod = 'POST' | 'GET' | 'DELETE'

export interface Visit {
  readonly exchange: Exchange
  readonly principal: Principal
  readonly upstream: Upstream
  readonly server: string
  /** What the principal may see of it: all, or a part. */
  readonly view: 'all' | 'some'
  readonly httpMethod: HttpMethod
  readonly head: McpHead
  readonly incoming: Incoming | undefined
  readonly era: Era
  readonly method: string
  readonly wordless: boolean
  readonly params: Readonly<Record<string, unknown>> | undefined
  readonly target: Target
  readonly request: RequestFacts
}

export function checkVisit(read: {
  exchange: Exchange
  principal: Principal
  upstream: Upstream
  view: 'all' | 'some'
  httpMethod: HttpMethod
  head: McpHead
  incoming: Incoming | undefined
}): Visit {
  const { exchange, principal, upstream, view, httpMethod, head, incoming } = read
  const era = incoming === undefined ? eraOfHead(head) : checkEra(incoming, head)
  const method = incoming === undefined ? httpMethod : (incoming.method ?? 'response')
  const wordless = incoming === undefined || incoming.kind === 'response'
  const params = wordless ? undefined : incoming.message.params
  const target = targetOf(method, params)
  return {
    exchange,
    principal,
    upstream,
    server: upstream.id,
    view,
    httpMethod,
    head,
    incoming,
    era,
    method,
    wordless,
    params,
    target,
    request: { address: exchange.address, at: exchange.at, era },
  }
}
