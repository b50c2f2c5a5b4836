// A call of which not everything is known: what a record kept of it. What is not known is never taken for absent.
import { type Condition, type Fact, type Facts, PartlyKnown, UNKNOWN } from '../protocol/condition/language.ts'
import type { Variable } from '../protocol/condition/vocabulary.ts'
import type { TargetKind } from '../protocol/decision.ts'
import { isRecord } from '../protocol/json.ts'
import type { AuthMethod } from '../protocol/principal.ts'
import { LEFT_OUT } from './arguments.ts'
import type { Target } from './target.ts'

type Fields = Readonly<Record<string, unknown>>

/** Whole, or what is known to be among them. */
export interface KnownList<Item = string> {
  readonly items: readonly Item[]
  readonly whole: boolean
}

export interface KnownCaller {
  readonly anonymous: boolean
  readonly subject: string
  readonly email: string | undefined
  readonly client: string | undefined
  readonly method: AuthMethod
  /** Of the token; an API token is known by it. */
  readonly family: string | undefined
  readonly groups: KnownList
  readonly roles: KnownList
  readonly teams: KnownList
  readonly claims: { readonly fields: Fields; readonly whole: boolean }
  /** Roles that configurations give to other people than at the time: having been one of theirs says nothing now. */
  isDoubtful(role: string): boolean
}

export interface KnownArguments {
  /** The fields that were kept; `undefined` where it is not known which there were. */
  readonly kept: Fields | undefined
  /** Fields that would have been kept had they been there; `undefined` where nobody knows which those are. */
  readonly looked: readonly (readonly string[])[] | undefined
}

export interface KnownCall {
  readonly caller: KnownCaller
  readonly server: string
  readonly kind: TargetKind
  readonly name: string
  readonly arguments: KnownArguments
  readonly request: { readonly address: string; readonly at: number; readonly era: 'modern' | 'legacy' | undefined }
}

export interface KnownFacts {
  readonly facts: Facts
  /** Of these something is not known. */
  readonly incomplete: ReadonlySet<Variable>
}

/** As one condition reads the call through its rule's target. */
export function knownFacts(call: KnownCall, target: Target, { reads }: Condition): KnownFacts {
  const { caller, server, kind, name, request } = call
  const { address, at, era } = request
  const incomplete = new Set<Variable>(['principal'])
  const args = argumentFacts(call, reads.args)
  if (args === UNKNOWN) incomplete.add('args')
  if (kind === 'tool') incomplete.add('tool')
  if (era === undefined) incomplete.add('request')
  const asked = { address, time: new Date(at) }
  const facts: Facts = {
    principal: callerFacts(caller),
    client: { id: caller.client },
    server: { id: server },
    // What the server said of it then is in no record.
    tool: kind === 'tool' ? new PartlyKnown({ name }) : NONE,
    args,
    request: era === undefined ? new PartlyKnown(asked) : { ...asked, era },
    resource: resourceFacts(call, target),
  }
  return { facts, incomplete }
}

const NONE = Object.freeze({})

/** What a caller has not, and what of them is in no record (name, kind, issuer, scopes), look alike: neither is known. */
function callerFacts({ subject, email, client, method, groups, roles, teams, claims, isDoubtful }: KnownCaller): Fact {
  return new PartlyKnown({
    subject,
    email,
    client,
    method,
    ...(groups.whole && { groups: groups.items }),
    ...(teams.whole && { teams: teams.items }),
    ...(roles.whole && !roles.items.some(isDoubtful) && { roles: roles.items }),
    ...(claims.whole && { claims: claims.fields }),
  })
}

function resourceFacts({ kind, name }: KnownCall, target: Target): Fact {
  if (kind !== 'resource') return NONE
  const params = target.kind === 'resource' && 'params' in target.name ? target.name.params(name) : undefined
  return { uri: name, params: params ?? NONE }
}

function argumentFacts({ kind, arguments: { kept, looked } }: KnownCall, paths: Condition['reads']['args']): Fact {
  if (kind === 'resource' || kind === 'method' || paths.length === 0) return NONE
  if (kept === undefined || !paths.every((path) => isKnown(path, kept, looked))) return UNKNOWN
  const { [LEFT_OUT]: _, ...fields } = kept
  return fields
}

function isKnown(path: readonly string[], kept: Fields, looked: KnownArguments['looked']): boolean {
  const left = kept[LEFT_OUT]
  const texts: readonly unknown[] = Array.isArray(left) ? left : []
  // The names of what was left out are cut where they are long.
  if (texts.some((text) => typeof text === 'string' && touches(text, path))) return false
  if (looked?.some((one) => one.every((name, at) => path[at] === name))) return true
  let value: unknown = kept
  for (const name of path) {
    if (!isRecord(value) || !Object.hasOwn(value, name)) return false
    value = value[name]
    // Texts, numbers and lists are kept whole; of an object only the members that somebody read.
    if (!isRecord(value)) return true
  }
  return false
}

const touches = (leftOut: string, path: readonly string[]): boolean => {
  const text = path.join('.')
  return text === '' || text.startsWith(leftOut) || leftOut.startsWith(text)
}
