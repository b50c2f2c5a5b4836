// The record of one request at the MCP door: the decision before anything leaves, the outcome when the answer has ended.
import { keptAttributes } from '../audit/attributes.ts'
import type { CallEvent, CallOutcome } from '../audit/event.ts'
import { isNotForThem } from '../audit/not-for-them.ts'
import type { Exchange } from '../http/exchange.ts'
import type { Grounds } from '../policy/informed.ts'
import type { Decision } from '../protocol/decision.ts'
import { BearerError, RequestError, RpcError } from '../protocol/errors.ts'
import { isoTime } from '../protocol/iso-time.ts'
import type { Principal } from '../protocol/principal.ts'
import { UpstreamError } from '../upstreams/upstream.ts'
import type { Era } from './era.ts'
import type { Incoming } from './message.ts'
import type { Ending } from './relay.ts'
import type { Target } from './target.ts'

export interface Recorded {
  readonly exchange: Exchange
  readonly principal: Principal
  readonly server: string
  /** The view through which the server was reached. */
  readonly via?: string
  readonly method: string
  readonly target: Target | undefined
  readonly era: Era | undefined
}

/** With all its members, whoever calls: of one shape they cost a third. */
export function callEvent(call: Recorded, decision: Grounds): CallEvent {
  const { exchange, principal, target, era } = call
  return {
    kind: 'call',
    id: exchange.id,
    time: isoTime(exchange.at),
    subject: principal.subject,
    email: principal.email,
    client: principal.client,
    auth: principal.method === 'none' ? undefined : principal.method,
    attributes: principal.kind === 'anonymous' ? undefined : keptAttributes(principal),
    beside: principal.beside,
    family: principal.family,
    server: call.server,
    via: call.via,
    method: call.method,
    name: target === undefined || target.kind === 'method' ? undefined : target.name,
    decision: decision.effect,
    reason: decision.reason,
    rule: decision.rule,
    args: decision.args,
    policy: decision.policy,
    address: exchange.address,
    era,
  }
}

/** Every attempt with a credential is recorded; a first contact without one only asks the way (RFC 6750 §3.1), and is counted and logged. */
export function isRefusedCredential(error: unknown): boolean {
  if (error instanceof BearerError) return error.code !== undefined
  return isNotForThem(error)
}

/** Why a request was refused, in the record's words. */
export function reasonOf(error: unknown): string {
  if (error instanceof BearerError || error instanceof RequestError || error instanceof RpcError) return error.reason
  if (error instanceof UpstreamError) return error.reason
  return 'internal_error'
}

export const refusal = (error: unknown): Decision => ({ effect: 'deny', reason: reasonOf(error), rule: undefined })

/** Policy allowed it, and something else did not: a session of another, no room for a stream. The record says the last word. */
export function refusedAfterAll(event: CallEvent, error: unknown): CallEvent {
  if (event.decision === 'deny') return event
  const { rule: _, ...rest } = event
  return { ...rest, decision: 'deny', reason: reasonOf(error) }
}

/** What can be said of a request that was refused before it was understood. */
export function unread(known: {
  exchange: Exchange
  principal: Principal
  server: string
  incoming: Incoming | undefined
}): Recorded {
  const { exchange, principal, server, incoming } = known
  const method = incoming?.method ?? exchange.req.method ?? ''
  return { exchange, principal, server, method, target: undefined, era: undefined }
}

/** `latency`: milliseconds. */
export function outcomeOf({ res }: Exchange, ending: Ending | undefined, latency: number): CallOutcome {
  if (ending === undefined) return { status: res.statusCode, outcome: 'refused', latency }
  return { status: ending.status, outcome: ending.outcome, latency }
}
