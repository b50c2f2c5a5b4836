// Phase 3: may the caller do what the message asks? Policy's answer for everything it touches, then the token's scopes.
import type { Policy } from '../policy/policy.ts'
import type { Call, Decision } from '../protocol/decision.ts'
import type { Principal } from '../protocol/principal.ts'
import { isOpen, listenedResources, type Target } from './target.ts'

export interface Inquiry {
  readonly principal: Principal
  readonly server: string
  /** JSON-RPC method; the HTTP one for a request without a message, `response` for an answer to the server. */
  readonly method: string
  readonly params: Readonly<Record<string, unknown>> | undefined
  readonly target: Target
}

/** The decision, and which of the things touched made it. */
export type Verdict = Decision & { readonly target: Target }

interface Needs {
  readonly policy: Policy
  /** Throws BearerError `insufficient_scope`. */
  checkScopes(principal: Principal, call: Call): void
}

// Whoever sees the server may shake hands with it, answer it and end what they began; the session says whose it is.
const VISIBLE: Decision = { effect: 'allow', reason: 'server_visible', rule: undefined }

export function decideInquiry({ policy, checkScopes }: Needs, inquiry: Inquiry): Verdict {
  const { principal, server, method, params, target } = inquiry
  const call = { principal, server, method, ...target }
  const decision = isOpen(method) ? VISIBLE : policy.decide(call)
  if (decision.effect === 'deny') return { ...decision, target }
  for (const name of listenedResources(method, params)) {
    const heard = policy.decide({ ...call, kind: 'resource', name })
    if (heard.effect === 'deny') return { ...heard, target: { kind: 'resource', name } }
  }
  // After policy: a challenge for a hidden thing would say that it is there.
  checkScopes(principal, call)
  return { ...decision, target }
}
