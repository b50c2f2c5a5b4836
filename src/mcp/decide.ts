// Phase 3: may the caller do what the message asks? Policy's answer for everything it touches, then the token's scopes.
import type { Policy } from '../policy/policy.ts'
import { OUTSIDE_TOKEN } from '../policy/reach.ts'
import type { Call, Decision } from '../protocol/decision.ts'
import type { Principal } from '../protocol/principal.ts'
import { checkNoTask, isOpen, isTaskMethod, listenedResources, type Target } from './target.ts'

export interface Inquiry {
  readonly principal: Principal
  readonly server: string
  /** JSON-RPC method; the HTTP one for a request without a message, `response` for an answer to the server. */
  readonly method: string
  /** No request and no notification: what `method` says then is our own word for it. */
  readonly wordless: boolean
  readonly params: Readonly<Record<string, unknown>> | undefined
  readonly target: Target
}

/** The decision, and which of the things touched made it. */
export type Verdict = Decision & { readonly target: Target }

interface Needs {
  readonly policy: Pick<Policy, 'decide'>
  /** Throws BearerError `insufficient_scope`. */
  checkScopes(principal: Principal, call: Call): void
}

// Whoever sees the server may shake hands with it, answer it and end what they began; the session says whose it is.
const VISIBLE: Decision = { effect: 'allow', reason: 'server_visible', rule: undefined }

const TASKS_CLOSED: Decision = { effect: 'deny', reason: 'tasks_closed', rule: undefined }

/** Throws RpcError for params that no rule could judge, BearerError `insufficient_scope`. */
export function decideInquiry({ policy, checkScopes }: Needs, inquiry: Inquiry): Verdict {
  const { principal, server, method, wordless, params, target } = inquiry
  const call: Call = { principal, server, method, kind: target.kind, name: target.name }
  if (!wordless && isTaskMethod(method)) return { ...TASKS_CLOSED, target }
  checkNoTask(method, params)
  const decision = isOpen(inquiry) ? VISIBLE : policy.decide(call)
  if (isHidden(decision)) return { ...decision, target }
  const heard = listenedResources(method, params).map((name): Call => ({ ...call, kind: 'resource', name }))
  for (const each of heard) {
    const verdict = policy.decide(each)
    if (isHidden(verdict)) return { ...verdict, target: { kind: 'resource', name: each.name } }
  }
  // After policy: a challenge for a hidden thing would say that it is there. A stream asks for no more than a ping does.
  checkScopes(principal, wordless ? { ...call, name: 'ping' } : call)
  for (const each of heard) checkScopes(principal, each)
  return { ...decision, target }
}

/** What the caller may see and this token may not is said aloud, by the gate of scopes. */
const isHidden = ({ effect, reason }: Decision): boolean => effect === 'deny' && reason !== OUTSIDE_TOKEN
