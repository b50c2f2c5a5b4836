// Phase 3: may the caller do what the message asks? Policy's answer for everything it touches, then the token's scopes.
import type { Policy } from '../policy/policy.ts'
import { OUTSIDE_TOKEN } from '../policy/reach.ts'
import type { Call, Decision, RequestFacts } from '../protocol/decision.ts'
import type { Principal } from '../protocol/principal.ts'
import { argumentsOf, checkNoTask, isOpen, isTaskMethod, listenedResources, type Target } from './target.ts'

export interface Inquiry {
  readonly principal: Principal
  readonly server: string
  /** JSON-RPC method; the HTTP one for a request without a message, `response` for an answer to the server. */
  readonly method: string
  /** No request and no notification: what `method` says then is our own word for it. */
  readonly wordless: boolean
  readonly params: Readonly<Record<string, unknown>> | undefined
  readonly target: Target
  /** `undefined` where nobody can say: a condition that asks is then not met. */
  readonly request: RequestFacts | undefined
}

/** The decision, which of the things touched made it, and what it rests on. */
export type Verdict = Decision & {
  readonly target: Target
  /** The thing is listed for this caller: what was refused are these arguments. */
  readonly listed: boolean
  /** Fields of the arguments that conditions read, for the record. */
  readonly args?: Readonly<Record<string, unknown>> | undefined
  /** Which policy it was. */
  readonly policy: string
}

/** A tool as its server defines it. */
export type Definition = Readonly<Record<string, unknown>>

export interface DecideNeeds {
  readonly policy: Omit<Policy, 'view'>
  /** Throws BearerError `insufficient_scope`. */
  checkScopes(principal: Principal, call: Call): void
  /** Of a tool, where somebody knows it; asked for only where a rule reads it. */
  definitionOf?(server: string, tool: string): Definition | undefined | Promise<Definition | undefined>
}

// Whoever sees the server may shake hands with it, answer it and end what they began; the session says whose it is.
const VISIBLE: Decision = { effect: 'allow', reason: 'server_visible', rule: undefined }

export const TASKS_CLOSED = 'tasks_closed'

/**
 * At once, unless something has to be asked for first. Throws RpcError for params that no rule could judge, BearerError
 * `insufficient_scope`.
 */
export function decideInquiry(needs: DecideNeeds, inquiry: Inquiry): Verdict | Promise<Verdict> {
  const { policy } = needs
  const { server, method, wordless, params, target } = inquiry
  if (!wordless && isTaskMethod(method))
    return verdictOf(needs, { effect: 'deny', reason: TASKS_CLOSED, rule: undefined }, target, false)
  checkNoTask(method, params)
  const call = callOf(inquiry)
  if (isOpen(inquiry)) return scoped(needs, inquiry, VISIBLE, call, [])
  const tool = target.kind === 'tool' && policy.reads(server).tool ? needs.definitionOf?.(server, target.name) : undefined
  if (tool instanceof Promise) return tool.then((known) => asked(needs, inquiry, { ...call, tool: known }))
  return asked(needs, inquiry, tool === undefined ? call : { ...call, tool })
}

function callOf({ principal, server, method, params, target, request }: Inquiry): Call {
  const { kind, name } = target
  return { principal, server, method, kind, name, args: argumentsOf(method, params), request }
}

/** Decision points outside are asked before the decision, which itself waits for nobody. */
function asked(needs: DecideNeeds, inquiry: Inquiry, call: Call): Verdict | Promise<Verdict> {
  const consulted = needs.policy.consult(call)
  if (consulted === undefined) return judged(needs, inquiry, call)
  return consulted.then((answered) => judged(needs, inquiry, answered))
}

function judged(needs: DecideNeeds, inquiry: Inquiry, call: Call): Verdict | Promise<Verdict> {
  const { policy } = needs
  const decision = policy.decide(call)
  if (isRefused(decision)) return refusal(needs, decision, call)
  const heard = listenedResources(inquiry.method, inquiry.params).map(
    (name): Call => ({ ...call, kind: 'resource', name, args: undefined }),
  )
  if (heard.length === 0) return scoped(needs, inquiry, decision, call, heard)
  const consulted = heard.map((each) => policy.consult(each))
  if (consulted.every((each) => each === undefined)) return listened(needs, inquiry, decision, call, heard)
  return Promise.all(heard.map((each, at) => consulted[at] ?? each)).then((answered) =>
    listened(needs, inquiry, decision, call, answered),
  )
}

function listened(needs: DecideNeeds, inquiry: Inquiry, decision: Decision, call: Call, heard: readonly Call[]): Verdict {
  for (const each of heard) {
    const verdict = needs.policy.decide(each)
    if (isRefused(verdict)) return refusal(needs, verdict, each)
  }
  return scoped(needs, inquiry, decision, call, heard)
}

function scoped(needs: DecideNeeds, inquiry: Inquiry, decision: Decision, call: Call, heard: readonly Call[]): Verdict {
  const { principal, wordless, target } = inquiry
  // After policy: a challenge for a hidden thing would say that it is there. A stream asks for no more than a ping does.
  needs.checkScopes(principal, wordless ? { ...call, name: 'ping' } : call)
  for (const each of heard) needs.checkScopes(principal, each)
  return verdictOf(needs, decision, target, true, call)
}

/** What is listed and refused all the same was refused for what this call says. */
function refusal(needs: DecideNeeds, decision: Decision, call: Call): Verdict {
  const { args: _, answers: __, ...thing } = call
  const { kind, name } = thing
  return verdictOf(needs, decision, { kind, name }, needs.policy.couldAllow(thing).effect === 'allow', call)
}

function verdictOf({ policy }: DecideNeeds, decision: Decision, target: Target, listed: boolean, call?: Call): Verdict {
  const args = call?.args === undefined || !policy.reads(call.server).args ? undefined : policy.argumentsRead(call)
  return { ...decision, target, listed, args, policy: policy.version }
}

/** What the caller may see and this token may not is said aloud, by the gate of scopes. */
const isRefused = ({ effect, reason }: Decision): boolean => effect === 'deny' && reason !== OUTSIDE_TOKEN
