// One evaluation: who is meant, what is meant, and policy's answer; recorded like every other decision. Whatever is not known is no.
import type { CallEvent, Recorder } from '../../audit/event.ts'
import type { FoundSubject, NamedSubject } from '../../identity/named-subject.ts'
import { type Grounds, grounded, type InformNeeds, informed } from '../../policy/informed.ts'
import type { Limits } from '../../policy/limits.ts'
import { isMisspelt } from '../../policy/misspelt.ts'
import type { Policy } from '../../policy/policy.ts'
import type { Clock } from '../../protocol/clock.ts'
import type { Call, Decision } from '../../protocol/decision.ts'
import { RequestError } from '../../protocol/errors.ts'
import { isoTime } from '../../protocol/iso-time.ts'
import type { Principal } from '../../protocol/principal.ts'
import { type AskedCall, argumentsOf, callOf, requestOf } from './call.ts'
import type { Evaluation } from './evaluation.ts'

export interface DecideNeeds {
  findSubject(subject: NamedSubject): Promise<FoundSubject>
  readonly policy: Policy
  readonly definitionOf: InformNeeds['definitionOf']
  readonly admit: Limits['admit']
  /** A server of ours, or a host that an ingress protects. */
  isServer(name: string): boolean
  readonly recorder: Pick<Recorder, 'record'>
  readonly clock: Clock
}

/** The service that asks, and when. */
export interface Asker {
  readonly principal: Principal
  readonly address: string
  readonly at: number
}

/** §6.2; `context` is for the service, not for the subject. */
export interface Answer {
  readonly decision: boolean
  readonly context: {
    /** Of the record. */
    readonly id: string
    readonly reason: string
    readonly rule?: string
    readonly error?: { readonly status: number; readonly message: string }
  }
}

type Judged = Grounds & { readonly about: Pick<CallEvent, 'subject' | 'email' | 'server' | 'method' | 'name'> }

/** Throws what stands in the way of recording, and nothing else of an evaluation that is only wrong. */
export function decider(needs: DecideNeeds) {
  const { policy, recorder, clock } = needs

  async function judge(evaluation: Evaluation, { principal: asker, at }: Asker): Promise<Judged> {
    const { subject, action, resource } = evaluation
    const call = callOf({ resource, action })
    const asked = { subject: subject.id, server: 'unknown', method: action.name, name: resource.id }
    if ('reason' in call) return denied(call.reason, asked)
    const about = { ...asked, ...toldOf(call) }
    if (!needs.isServer(call.server)) return denied('unknown_resource', about)
    const found = await needs.findSubject(subject)
    if ('reason' in found) return denied(found.reason, about)
    // What the service's own token is confined to confines what it may ask.
    const principal = { ...found.principal, reach: asker.reach }
    const { subject: id, email } = principal
    const facts = { args: argumentsOf(evaluation), request: requestOf(evaluation, at) }
    if (isMisspelt(policy.reads(call.server), facts.args)) return denied('json_key_case', about)
    return {
      ...(await decide(call, principal, facts)),
      about: { ...about, subject: id, ...(email !== undefined && { email }) },
    }
  }

  async function decide(
    call: AskedCall,
    principal: Principal,
    facts: Pick<Call, 'args' | 'request'>,
  ): Promise<Grounds> {
    if (call.kind !== 'server') {
      const known = await informed(needs, { ...call, ...facts, principal })
      return grounded(policy, await limited(known, policy.decide(known)), known)
    }
    const visible = policy.view(principal, call.server) !== 'none'
    return {
      effect: visible ? 'allow' : 'deny',
      reason: visible ? 'server_visible' : 'no_rule_allows',
      rule: undefined,
    }
  }

  /** Whoever asks here makes the call that is allowed: it counts. When it ends nobody tells. */
  async function limited(call: Call, decision: Decision): Promise<Decision> {
    if (decision.effect === 'deny') return decision
    const admission = await needs.admit(call)
    if (typeof admission !== 'function') return { effect: 'deny', reason: admission.reason, rule: admission.limit }
    admission()
    return decision
  }

  return async function answer(id: string, read: () => Evaluation, asker: Asker): Promise<Answer> {
    let judged: Judged
    let error: Answer['context']['error']
    try {
      judged = await judge(read(), asker)
    } catch (cause) {
      if (!(cause instanceof RequestError)) throw cause
      judged = denied(cause.reason, UNREADABLE)
      error = { status: cause.status, message: cause.message }
    }
    const { effect, reason, rule } = judged
    await record(id, judged, asker)
    const context = { id, reason, ...(rule !== undefined && { rule }), ...(error !== undefined && { error }) }
    return { decision: effect === 'allow', context }
  }

  async function record(id: string, judged: Judged, asker: Asker): Promise<void> {
    const { effect, reason, rule, args, policy: version, about } = judged
    const { principal, address, at } = asker
    const { subject: by, method: auth, family } = principal
    const event: CallEvent = {
      kind: 'call',
      id,
      time: isoTime(at),
      ...about,
      by,
      auth,
      decision: effect,
      reason,
      address,
      ...(rule !== undefined && { rule }),
      ...(args !== undefined && { args }),
      ...(version !== undefined && { policy: version }),
      ...(family !== undefined && { family }),
    }
    const outcome = effect === 'allow' ? 'answered' : 'refused'
    await recorder.record({ ...event, status: 200, outcome, latency: clock() - at })
  }
}

const UNREADABLE = { subject: 'unknown', server: 'unknown', method: 'evaluation' }

const denied = (reason: string, about: Judged['about']): Judged => ({ effect: 'deny', reason, rule: undefined, about })

const toldOf = (call: AskedCall) =>
  call.kind === 'server'
    ? { server: call.server, method: 'access' }
    : { server: call.server, method: call.method, name: call.name }
