// What of an upstream's answers a caller may see: all of it who sees the whole server, else what the same decision lets through.
import type { Policy } from '../policy/policy.ts'
import type { Principal } from '../protocol/principal.ts'
import type { Era } from './era.ts'
import { type Edit, isList, listFilter } from './filter.ts'
import { type Hears, hearing } from './hearing.ts'
import { unknownInOurWords } from './hidden.ts'
import type { Incoming } from './message.ts'
import type { Target } from './target.ts'
import { withoutTasks } from './tasks.ts'

export interface Screen {
  /** What a list must pass through. */
  readonly edit: Edit | undefined
  /** What a short answer may be exchanged for; `undefined` leaves it as it is. */
  readonly reword: Edit | undefined
  /** Which messages of a stream may pass; `undefined` is all. */
  readonly hears: Hears | undefined
}

export interface Screened {
  readonly principal: Principal
  readonly server: string
  readonly view: 'all' | 'some'
  readonly incoming: Incoming | undefined
  readonly era: Era
  readonly method: string
  readonly target: Target
}

export function screenOf(policy: Policy, visit: Screened): Screen {
  const { method, view, principal, server, era, target, incoming } = visit
  if (view === 'all') return { edit: undefined, reword: withoutTasks(method), hears: undefined }
  const decide = (kind: Target['kind'], name: string) => policy.decide({ principal, server, method, kind, name })
  const edit = isList(method) ? listFilter({ method, era, decide }) : undefined
  const names = target.kind !== 'method' && incoming?.kind === 'request'
  const reword = names ? unknownInOurWords({ target, era, id: incoming.id }) : withoutTasks(method)
  return { edit, reword, hears: hearing(mayHear(policy, visit)) }
}

/** Whether the caller may be told of a resource. */
export function mayHear(policy: Policy, { principal, server, method }: Screened): (uri: string) => boolean {
  return (uri) => policy.decide({ principal, server, method, kind: 'resource', name: uri }).effect === 'allow'
}
