// The record of one request at the MCP door: the decision before anything leaves, the outcome when the answer has ended.
import type { CallEvent, Recorder } from '../audit/event.ts'
import type { Exchange } from '../http/exchange.ts'
import type { Decision } from '../protocol/decision.ts'
import { BearerError, RequestError, RpcError } from '../protocol/errors.ts'
import type { Principal } from '../protocol/principal.ts'
import type { Era } from './era.ts'
import type { Target } from './target.ts'

export interface Recorded {
  readonly exchange: Exchange
  readonly principal: Principal
  readonly server: string
  readonly method: string
  readonly target: Target | undefined
  readonly era: Era | undefined
}

type Draft = { -readonly [Key in keyof CallEvent]: CallEvent[Key] }

/** Throws when the record cannot take the decision: then nothing is forwarded. */
export function recordDecision(recorder: Pick<Recorder, 'decide'>, call: Recorded, decision: Decision): CallEvent {
  const { exchange, principal, target, era } = call
  const event: Draft = {
    kind: 'call',
    id: exchange.id,
    time: new Date(exchange.at).toISOString(),
    subject: principal.subject,
    server: call.server,
    method: call.method,
    decision: decision.effect,
    reason: decision.reason,
    address: exchange.address,
  }
  if (principal.email !== undefined) event.email = principal.email
  if (principal.client !== undefined) event.client = principal.client
  if (principal.family !== undefined) event.family = principal.family
  if (target !== undefined && target.kind !== 'method') event.name = target.name
  if (decision.rule !== undefined) event.rule = decision.rule
  if (era !== undefined) event.era = era
  recorder.decide(event)
  return event
}

/** Why a request was refused, in the record's words. */
export function reasonOf(error: unknown): string {
  if (error instanceof BearerError || error instanceof RequestError || error instanceof RpcError) return error.reason
  return 'internal_error'
}
