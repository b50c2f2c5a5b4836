// A decision of the record as policy can weigh it again: what was kept of the call, and how far that is to be trusted.
import type { CallEvent } from '../audit/event.ts'
import type { Config } from '../config/schema.ts'
import type { KnownCall, KnownCaller } from '../policy/known-call.ts'
import type { Rule } from '../policy/rules.ts'
import { findView, shownName } from '../policy/shown-name.ts'
import { weighRules } from '../policy/weigh.ts'
import type { TargetKind } from '../protocol/decision.ts'

/** The policy that made a decision, where it is the one at hand: then it is known what its record would have kept. */
export interface MadeBy {
  readonly version: string
  readonly rules: readonly Rule[]
  readonly roles: Config['roles']
}

export interface Surroundings {
  readonly madeBy: MadeBy
  /** Of the policy that decides again. */
  readonly roles: Config['roles']
  readonly servers: Config['servers']
}

export type Recalled =
  | { readonly call: KnownCall; readonly underlying: KnownCall | undefined }
  /** Why it cannot be said what was asked for. */
  | { readonly missing: string }

const KINDS: Readonly<Record<string, TargetKind>> = {
  'tools/call': 'tool',
  'prompts/get': 'prompt',
  'resources/read': 'resource',
  'resources/subscribe': 'resource',
  'resources/unsubscribe': 'resource',
}

/** Decided by rules, as their reasons say; whatever else was refused was none of policy's business. */
const BY_RULES: ReadonlySet<string> = new Set([
  'allowed_by_rule',
  'denied_by_rule',
  'no_rule_allows',
  'condition_failed',
  'resource_uri_not_normal',
])
/** Something that policy hid was not looked at any closer. */
const HIDDEN: ReadonlySet<string> = new Set(['unknown_server', 'unknown_name'])

export const isDecidedByRules = ({ reason }: CallEvent): boolean => BY_RULES.has(reason) || HIDDEN.has(reason)

export function recall(event: CallEvent, around: Surroundings): Recalled {
  const { method, name, server, via } = event
  if (HIDDEN.has(event.reason)) return { missing: 'what was called of a server or a name that was hidden' }
  if (event.by !== undefined) return { missing: 'what a service was told about somebody else' }
  if (/^[A-Z]+$/.test(method)) return { missing: 'which call a request was that an ingress asked about' }
  const kind = kindOf(event)
  if (kind === undefined) return { missing: 'whether a completion was for a prompt or for a resource' }
  if (kind !== 'method' && name === undefined) return { missing: 'what was called' }
  const texts = [name, event.email, event.subject, event.client, event.server]
  if (texts.some((text) => text !== undefined && isCut(text))) return { missing: 'names too long to be kept' }
  const thing: KnownCall = {
    caller: callerOf(event, around),
    server,
    kind,
    name: name ?? method,
    arguments: { kept: event.args, looked: undefined },
    request: { address: event.address, at: Date.parse(event.time), era: event.era },
  }
  // The aggregate is no server of its own.
  if (via === undefined || via === '*') return { call: withLooked(thing, event, around), underlying: undefined }
  const view = findView(around.servers, via)
  if (view === undefined) return { missing: 'a virtual server that is no more' }
  const shown = shownName(view, { server, kind, name: thing.name })
  if (shown === undefined) return { missing: 'under which name a virtual server showed it' }
  // Of two sets of rules that read arguments the record keeps one beside the other: what is not there may have been.
  return { call: { ...thing, server: view.id, name: shown }, underlying: thing }
}

/** A completion does not say of what it is. */
function kindOf({ method }: CallEvent): TargetKind | undefined {
  return method === 'completion/complete' ? undefined : (KINDS[method] ?? 'method')
}

/** With the fields that would have been kept had they been there, where the policy that kept them is at hand. */
function withLooked(call: KnownCall, event: CallEvent, { madeBy }: Surroundings): KnownCall {
  if (event.policy !== madeBy.version || event.args === undefined) return call
  const looked = weighRules(madeBy.rules, call).flatMap(({ rule }) => [
    ...(rule.when?.reads.args ?? []),
    ...(rule.unless?.reads.args ?? []),
  ])
  return { ...call, arguments: { kept: event.args, looked } }
}

export function callerOf(event: CallEvent, { madeBy, roles }: Surroundings): KnownCaller {
  const { attributes, subject, email, client, auth = 'none', family } = event
  const isWhole = (kind: 'groups' | 'roles' | 'teams' | 'claims') =>
    attributes !== undefined && attributes.partly?.includes(kind) !== true
  const list = (kind: 'groups' | 'roles' | 'teams') => ({ items: attributes?.[kind] ?? [], whole: isWhole(kind) })
  return {
    anonymous: subject === 'anonymous' && auth === 'none',
    subject,
    email,
    client,
    method: auth,
    family,
    groups: list('groups'),
    roles: list('roles'),
    teams: list('teams'),
    claims: { fields: attributes?.claims ?? {}, whole: isWhole('claims') },
    isDoubtful: (role) =>
      event.policy !== madeBy.version || JSON.stringify(madeBy.roles[role]) !== JSON.stringify(roles[role]),
  }
}

/** As the record cuts long texts. */
const isCut = (text: string): boolean => text.endsWith('…') && (text.length === 256 || text.length === 64)
