// What an API token is confined to, beside and below what policy allows its owner.
import type { Call, Decision } from '../protocol/decision.ts'
import type { Principal } from '../protocol/principal.ts'
import { compileTargets, coversCall, coversServer, touchesServer } from './covers.ts'
import { targetCovers } from './overlap.ts'
import type { Target } from './target.ts'

/** The reason of a refusal that no rule made. */
export const OUTSIDE_TOKEN = 'outside_token'

// By the list itself: a token that is in use brings the same one with every call, and what is out of use goes with it.
const compiled = new WeakMap<readonly string[], readonly Target[]>()

function targetsOf(reach: readonly string[]): readonly Target[] {
  const known = compiled.get(reach)
  if (known !== undefined) return known
  const targets = compileTargets(reach, 'reach')
  compiled.set(reach, targets)
  return targets
}

export const isWithinReach = (reach: readonly string[], call: Call): boolean => coversCall(targetsOf(reach), call)

/** After policy: what is hidden stays hidden, whatever the token reaches. */
export function narrowed(decision: Decision, call: Call): Decision {
  const { reach } = call.principal
  if (reach === undefined || decision.effect === 'deny' || isWithinReach(reach, call)) return decision
  return { effect: 'deny', reason: OUTSIDE_TOKEN, rule: undefined }
}

/** Something of the server is within reach: it is worth naming. */
export const reaches = ({ reach }: Pick<Principal, 'reach'>, server: string): boolean =>
  reach === undefined || touchesServer(targetsOf(reach), server)

/** Lists of a server that a token reaches whole need no filter of their own. */
export const reachesAll = (reach: readonly string[], server: string): boolean => coversServer(targetsOf(reach), server)

/** Nothing that `inner` reaches lies outside `outer`. */
export function isReachWithin(inner: readonly string[], outer: readonly string[]): boolean {
  return targetsOf(inner).every((one) => targetsOf(outer).some((other) => targetCovers(other, one)))
}
