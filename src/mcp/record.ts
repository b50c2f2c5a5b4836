// The record of one request at the MCP door: the decision before anything leaves, the outcome when the answer has ended.
import type { CallEvent, Recorder } from '../audit/event.ts'
import type { Exchange } from '../http/exchange.ts'
import type { Decision } from '../protocol/decision.ts'
import { BearerError, RequestError, RpcError } from '../protocol/errors.ts'
import type { Principal } from '../protocol/principal.ts'
import type { Era } from './era.ts'

export interface Recorded {
  readonly exchange: Exchange
  readonly principal: Principal
  readonly server: string
  readonly method: string
  /** Tool, prompt or resource, when the method names one. */
  readonly name: string | undefined
  readonly era: Era | undefined
}

/** Throws when the record cannot take the decision: then nothing is forwarded. */
export function recordDecision(recorder: Pick<Recorder, 'decide'>, call: Recorded, decision: Decision): CallEvent {
  const { exchange, principal, name, era } = call
  const event: CallEvent = {
    kind: 'call',
    id: exchange.id,
    time: new Date(exchange.at).toISOString(),
    subject: principal.subject,
    ...(principal.email !== undefined && { email: principal.email }),
    ...(principal.client !== undefined && { client: principal.client }),
    server: call.server,
    method: call.method,
    ...(name !== undefined && { name }),
    decision: decision.effect,
    reason: decision.reason,
    ...(decision.rule !== undefined && { rule: decision.rule }),
    ...(principal.family !== undefined && { family: principal.family }),
    address: exchange.address,
    ...(era !== undefined && { era }),
  }
  recorder.decide(event)
  return event
}

/** Why a request was refused, in the record's words. */
export function reasonOf(error: unknown): string {
  if (error instanceof BearerError || error instanceof RequestError || error instanceof RpcError) return error.reason
  return 'internal_error'
}
