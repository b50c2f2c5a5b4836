// A call that somebody thought up, judged as the gate would judge it: for tests of a policy.
import type { Config } from '../config/schema.ts'
import type { Call, Decision } from '../protocol/decision.ts'
import { BearerError } from '../protocol/errors.ts'
import type { Policy } from './policy.ts'
import type { ScopeGate } from './scopes.ts'
import { behindName, findView, type Named } from './shown-name.ts'

export interface Judged {
  /** The call as it stands. */
  readonly decision: Decision
  /** Whether lists show the thing. */
  readonly listed: boolean
}

interface Needs {
  readonly policy: Policy
  readonly scopes: Pick<ScopeGate, 'checkScopes'>
  readonly servers: Config['servers']
}

/** `behind`: of a virtual server, where its picks leave a doubt. Throws TypeError where a doubt is left. */
export function tryCall(
  { policy, scopes, servers }: Needs,
  call: Call,
  behind?: Pick<Named, 'server' | 'name'>,
): Judged {
  const { args: _, answers: __, ...thing } = call
  const view = findView(servers, call.server)
  if (view === undefined) return judged(policy.decide(call), policy.couldAllow(thing), call)
  const [found, second] = behind ? [behind, undefined] : behindName(view, call, servers)
  if (found === undefined || call.kind === 'method') return { decision: NOT_PICKED, listed: false }
  if (second !== undefined) throw new TypeError(`${view.id}/${call.name} may be of more than one server`)
  const below = { server: found.server, name: found.name }
  const decision = policy.decideThrough(call, { ...call, ...below })
  return judged(decision, policy.couldAllowThrough(thing, { ...thing, ...below }), { ...call, ...below })

  function judged(decided: Decision, could: Decision, asked: Call): Judged {
    const listed = could.effect === 'allow'
    return { decision: decided.effect === 'allow' ? (scopeRefusal(asked) ?? decided) : decided, listed }
  }

  function scopeRefusal(asked: Call): Decision | undefined {
    try {
      scopes.checkScopes(asked.principal, asked)
      return undefined
    } catch (error) {
      if (!(error instanceof BearerError)) throw error
      return { effect: 'deny', reason: error.reason, rule: undefined }
    }
  }
}

const NOT_PICKED: Decision = { effect: 'deny', reason: 'unknown_name', rule: undefined }
