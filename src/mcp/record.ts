// The record of one request at the MCP door: the decision before anything leaves, the outcome when the answer has ended.
import { keptAttributes } from '../audit/attributes.ts'
import type { CallEvent } from '../audit/event.ts'
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

type Draft = { -readonly [Key in keyof CallEvent]: CallEvent[Key] }

export function callEvent(call: Recorded, decision: Grounds): CallEvent {
  const { exchange, principal, target, era } = call
  const event: Draft = {
    kind: 'call',
    id: exchange.id,
    time: isoTime(exchange.at),
    subject: principal.subject,
    server: call.server,
    method: call.method,
    decision: decision.effect,
    reason: decision.reason,
    address: exchange.address,
  }
  if (principal.email !== undefined) event.email = principal.email
  if (principal.client !== undefined) event.client = principal.client
  if (principal.method !== 'none') event.auth = principal.method
  if (principal.kind !== 'anonymous') event.attributes = keptAttributes(principal)
  if (principal.beside !== undefined) event.beside = principal.beside
  if (principal.family !== undefined) event.family = principal.family
  if (target !== undefined && target.kind !== 'method') event.name = target.name
  if (decision.rule !== undefined) event.rule = decision.rule
  if (decision.args !== undefined) event.args = decision.args
  if (decision.policy !== undefined) event.policy = decision.policy
  if (era !== undefined) event.era = era
  if (call.via !== undefined) event.via = call.via
  return event
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

export function outcomeOf({ res }: Exchange, ending: Ending | undefined): Pick<CallEvent, 'status' | 'outcome'> {
  if (ending === undefined) return { status: res.statusCode, outcome: 'refused' }
  return { ...(ending.status !== undefined && { status: ending.status }), outcome: ending.outcome }
}
