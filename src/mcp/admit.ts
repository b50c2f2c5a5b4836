// Phase 3b: does a limit stand in the way of what policy allows? Before anything leaves for a server.
import type { Limits } from '../policy/limits.ts'
import type { Thing } from '../policy/limits-match.ts'
import type { Call } from '../protocol/decision.ts'
import type { Inquiry, Verdict } from './decide.ts'

export interface Admitted {
  /** Policy's, or the limit's no: its id stands for the rule. */
  readonly verdict: Verdict
  /** To be called when the call has ended; `undefined`: nothing counts it. */
  readonly end: (() => void) | undefined
}

/** At once, unless the store has to be waited for. `behind` is what a virtual server calls in the end. */
export function admitInquiry(
  admit: Limits['admit'],
  inquiry: Pick<Inquiry, 'principal' | 'server' | 'method' | 'wordless' | 'target' | 'request'>,
  verdict: Verdict,
  behind?: Thing,
): Admitted | Promise<Admitted> {
  const { principal, server, method, wordless, target, request } = inquiry
  // What is no message calls nothing: a stream is opened, an answer given.
  if (verdict.effect === 'deny' || wordless) return { verdict, end: undefined }
  const call: Call = { principal, server, method, kind: target.kind, name: target.name, request }
  const admission = admit(call, behind)
  return admission instanceof Promise ? admission.then((later) => outcome(verdict, later)) : outcome(verdict, admission)
}

function outcome(verdict: Verdict, admission: Awaited<ReturnType<Limits['admit']>>): Admitted {
  if (typeof admission === 'function') return { verdict, end: admission }
  const { reason, limit, retryAfter } = admission
  return { verdict: { ...verdict, effect: 'deny', reason, rule: limit, retryAfter }, end: undefined }
}
