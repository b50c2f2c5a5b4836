// What of an upstream's answers a caller may see: all of it who sees the whole server, else what could be allowed.
import type { Policy } from '../policy/policy.ts'
import type { RequestFacts } from '../protocol/decision.ts'
import type { Principal } from '../protocol/principal.ts'
import type { Era } from './era.ts'
import type { Fault } from './fault.ts'
import { type Edit, keptPrivate, listFilter, type Shows } from './filter.ts'
import { type Hears, hearing } from './hearing.ts'
import { unknownInOurWords } from './hidden.ts'
import { listOf } from './list-forms.ts'
import type { Incoming } from './message.ts'
import type { Target } from './target.ts'
import { withoutTasks } from './tasks.ts'

export interface Screen {
  /** What a list must pass through. */
  readonly edit: Edit | undefined
  /** What a short answer may be exchanged for; `undefined` leaves it as it is. */
  readonly reword: Edit | undefined
  /** `reword` sees long answers too, up to the longest that is parsed at all. */
  readonly whole?: boolean
  /** Whether `reword` could have anything to say of an answer; without it every one is read. */
  readonly concerns?: (answer: Buffer) => boolean
  /** Which messages of a stream may pass; `undefined` is all. */
  readonly hears: Hears | undefined
  /** What becomes of the notifications and questions before an answer, in place of `hears`; `undefined` leaves one out. */
  readonly aside?: Edit | undefined
  /** A status that means something else here than to the client: the session at the server is not the client's own. */
  readonly faultOf?: ((status: number) => Fault | undefined) | undefined
}

export interface Screened {
  readonly principal: Principal
  readonly server: string
  readonly view: 'all' | 'some'
  readonly incoming: Incoming | undefined
  readonly era: Era
  readonly method: string
  readonly target: Target
  readonly request: RequestFacts
}

type Judge = Pick<Policy, 'couldAllow'>

export function screenOf(policy: Judge, visit: Screened): Screen {
  const { method, view, principal, server, era, target, incoming, request } = visit
  if (view === 'all') return untouched(method)
  const shows: Shows = (kind, name, tool) => policy.couldAllow({ principal, server, method, kind, name, tool, request })
  const list = listOf(method)
  const edit = list && listFilter({ list, era, shows })
  const unknown =
    target.kind !== 'method' && incoming?.kind === 'request'
      ? unknownInOurWords({ target, era, id: incoming.id })
      : undefined
  const reword =
    unknown === undefined ? withoutTasks(method) : (message: unknown) => unknown(message) ?? keptPrivate(message)
  return { edit, reword, hears: hearing(mayHear(policy, visit)) }
}

/** For who sees the whole server: what was listed or read is theirs alone to keep, and all else is as it came. */
function untouched(method: string): Screen {
  if (listOf(method) !== undefined) return { edit: undefined, reword: keptPrivate, whole: true, hears: undefined }
  if (method !== 'resources/read') return { edit: undefined, reword: withoutTasks(method), hears: undefined }
  return { edit: undefined, reword: keptPrivate, concerns: (answer) => answer.includes('"public"'), hears: undefined }
}

/** Whether the caller may be told of a resource. */
export function mayHear(policy: Judge, { principal, server, method, request }: Screened): (uri: string) => boolean {
  return (uri) =>
    policy.couldAllow({ principal, server, method, kind: 'resource', name: uri, request }).effect === 'allow'
}
