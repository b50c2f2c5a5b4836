// Phase 3: may the caller do what the message asks? Policy's answer for everything it touches, then the token's scopes.
import { type Grounds, grounded, type InformNeeds, informed } from '../policy/informed.ts'
import type { Policy } from '../policy/policy.ts'
import { OUTSIDE_TOKEN } from '../policy/reach.ts'
import type { Call, Decision, RequestFacts } from '../protocol/decision.ts'
import type { Principal } from '../protocol/principal.ts'
import { argumentsOf, checkMeta, checkNoTask, isOpen, isTaskMethod, listenedResources, type Target } from './target.ts'

export interface Inquiry {
  readonly principal: Principal
  readonly server: string
  /** JSON-RPC method; the HTTP one for a request without a message, `response` for an answer to the server. */
  readonly method: string
  /** No request and no notification: what `method` says then is our own word for it. */
  readonly wordless: boolean
  readonly params: Readonly<Record<string, unknown>> | undefined
  readonly target: Target
  readonly request: RequestFacts
}

/** The decision, and which of the things touched made it. */
export type Verdict = Grounds & {
  readonly target: Target
  /** The thing is listed for this caller: where it is refused, it is for what this call says. */
  readonly listed: boolean
  /** Seconds until a limit lets it pass; of a limit's refusal alone. */
  readonly retryAfter?: number
}

export interface DecideNeeds {
  readonly policy: Pick<Policy, 'decide' | 'couldAllow' | 'reads' | 'argumentsRead' | 'consult' | 'version'>
  readonly definitionOf?: InformNeeds['definitionOf']
  /** Throws BearerError `insufficient_scope`. */
  checkScopes(principal: Principal, call: Call): void
}

// Whoever sees the server may shake hands with it, answer it and end what they began; the session says whose it is.
const VISIBLE: Decision = { effect: 'allow', reason: 'server_visible', rule: undefined }

export const TASKS_CLOSED = 'tasks_closed'

/**
 * At once, unless something has to be asked for first. Throws RpcError for params that no rule could judge, BearerError
 * `insufficient_scope`.
 */
export function decideInquiry(needs: DecideNeeds, inquiry: Inquiry): Verdict | Promise<Verdict> {
  const { method, wordless, params, target } = inquiry
  if (!wordless && isTaskMethod(method))
    return { effect: 'deny', reason: TASKS_CLOSED, rule: undefined, target, listed: false }
  checkNoTask(method, params)
  checkMeta(params)
  const call = callOf(inquiry)
  if (isOpen(inquiry)) return scoped(needs, inquiry, VISIBLE, [call])
  const known = informed(needs, call)
  return known instanceof Promise ? known.then((it) => judged(needs, inquiry, it)) : judged(needs, inquiry, known)
}

function callOf({ principal, server, method, params, target, request }: Inquiry): Call {
  const { kind, name } = target
  return { principal, server, method, kind, name, args: argumentsOf(method, params), request }
}

function judged(needs: DecideNeeds, inquiry: Inquiry, call: Call): Verdict | Promise<Verdict> {
  const decision = needs.policy.decide(call)
  if (isRefused(decision)) return refusal(needs, decision, call)
  const heard = listenedResources(inquiry.method, inquiry.params)
  if (heard.length === 0) return scoped(needs, inquiry, decision, [call])
  const known = heard.map((name) => informed(needs, { ...call, kind: 'resource', name }))
  return Promise.all(known).then((calls) => listening(needs, inquiry, decision, [call, ...calls]))
}

/** Each URI that is listened to is decided like a subscription of its own. */
function listening(needs: DecideNeeds, inquiry: Inquiry, decision: Decision, calls: readonly Call[]): Verdict {
  for (const each of calls.slice(1)) {
    const verdict = needs.policy.decide(each)
    if (isRefused(verdict)) return refusal(needs, verdict, each)
  }
  return scoped(needs, inquiry, decision, calls)
}

function scoped(needs: DecideNeeds, inquiry: Inquiry, decision: Decision, calls: readonly Call[]): Verdict {
  const { principal, wordless, target } = inquiry
  // After policy: a challenge for a hidden thing would say that it is there. A stream asks for no more than a ping does.
  for (const each of calls) needs.checkScopes(principal, wordless ? { ...each, name: 'ping' } : each)
  const [call] = calls
  return { ...(call === undefined ? decision : grounded(needs.policy, decision, call)), target, listed: true }
}

/** What is listed and refused all the same was refused for what this call says. */
function refusal({ policy }: DecideNeeds, decision: Decision, call: Call): Verdict {
  const { args: _, answers: __, ...thing } = call
  const listed = policy.couldAllow(thing).effect === 'allow'
  return { ...grounded(policy, decision, call), target: { kind: call.kind, name: call.name }, listed }
}

/** What the caller may see and this token may not is said aloud, by the gate of scopes. */
const isRefused = ({ effect, reason }: Decision): boolean => effect === 'deny' && reason !== OUTSIDE_TOKEN
