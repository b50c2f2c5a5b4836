// A request to one server's own address, once it is read and its head fits its body. MCP 2026-07-28, Transports.
import type { Exchange } from '../http/exchange.ts'
import type { RequestFacts } from '../protocol/decision.ts'
import type { Principal } from '../protocol/principal.ts'
import type { Upstream } from '../upstreams/upstream.ts'
import { checkEra, type Era, eraOfHead } from './era.ts'
import type { McpHead } from './headers.ts'
import type { Incoming } from './message.ts'
import { type Target, targetOf } from './target.ts'

export type HttpMethod = 'POST' | 'GET' | 'DELETE'

/** A request as it came. */
export interface Arrival {
  readonly exchange: Exchange
  readonly principal: Principal
  readonly httpMethod: HttpMethod
  readonly head: McpHead
  readonly incoming: Incoming | undefined
}

/** What it says. */
export interface Words {
  readonly era: Era
  /** JSON-RPC method; the HTTP one for a request without a message, `response` for an answer to a server. */
  readonly method: string
  /** No request and no notification. */
  readonly wordless: boolean
  readonly params: Readonly<Record<string, unknown>> | undefined
  readonly request: RequestFacts
}

export interface Visit extends Arrival, Words {
  readonly upstream: Upstream
  readonly server: string
  /** What the principal may see of it: all, or a part. */
  readonly view: 'all' | 'some'
  readonly target: Target
}

export function checkVisit(arrival: Arrival & Pick<Visit, 'upstream' | 'view'>): Visit {
  const { era, method, wordless, params, request } = checkWords(arrival)
  const target = targetOf(method, params)
  // One object spread into another is cheap; a second one costs as much as all the checks above.
  return { ...arrival, era, method, wordless, params, request, server: arrival.upstream.id, target }
}

/** Throws RpcError for a head that says another thing than its body. */
export function checkWords({ exchange, httpMethod, head, incoming }: Arrival): Words {
  const { address, at } = exchange
  if (incoming === undefined) {
    const era = eraOfHead(head)
    return { era, method: httpMethod, wordless: true, params: undefined, request: { address, at, era } }
  }
  const era = checkEra(incoming, head)
  const wordless = incoming.kind === 'response'
  const params = wordless ? undefined : incoming.message.params
  return { era, method: incoming.method ?? 'response', wordless, params, request: { address, at, era } }
}
