// The record of one decision for an ingress: who asked for what, and what they were told.
import { keptAttributes } from '../audit/attributes.ts'
import type { CallEvent } from '../audit/event.ts'
import type { Grounds } from '../policy/informed.ts'
import { isoTime } from '../protocol/iso-time.ts'
import type { Principal } from '../protocol/principal.ts'

export interface Decided {
  readonly id: string
  readonly at: number
  readonly address: string
  readonly principal: Principal
  /** Id of the server, or the protected host. */
  readonly server: string
  /** JSON-RPC method where the call was looked at, else the HTTP one. */
  readonly method: string
  /** Tool, prompt or resource; else the path. Never the query: addresses carry secrets there. */
  readonly name: string
  readonly era: 'modern' | 'legacy' | undefined
  readonly decision: Grounds
  /** What the ingress is told. */
  readonly status: number
  readonly latency: number
}

type Draft = { -readonly [Key in keyof CallEvent]: CallEvent[Key] }

export function decidedEvent(decided: Decided): CallEvent {
  const { id, at, address, principal, server, method, name, era, decision, status, latency } = decided
  const event: Draft = {
    kind: 'call',
    id,
    time: isoTime(at),
    subject: principal.subject,
    server,
    method,
    name,
    decision: decision.effect,
    reason: decision.reason,
    address,
    status,
    outcome: decision.effect === 'allow' ? 'answered' : 'refused',
    latency,
  }
  if (principal.email !== undefined) event.email = principal.email
  if (principal.client !== undefined) event.client = principal.client
  if (principal.method !== 'none') event.auth = principal.method
  if (principal.kind !== 'anonymous') event.attributes = keptAttributes(principal)
  if (principal.family !== undefined) event.family = principal.family
  if (decision.rule !== undefined) event.rule = decision.rule
  if (decision.args !== undefined) event.args = decision.args
  if (decision.policy !== undefined) event.policy = decision.policy
  if (era !== undefined) event.era = era
  return event
}
