// May this principal make this call? Pure: no clock, no store, no throw. Lists are filtered by the same function, with the arguments unknown.
import type { Call, Decision } from '../protocol/decision.ts'
import { isStandardMethod } from '../protocol/methods.ts'
import { type ClaimedAccess, RESOURCE_ACCESS } from './access.ts'
import type { Knowing } from './facts.ts'
import { type Holds, type HoldsFor, holdsFor } from './holds.ts'
import { conditionalRules, firstRule } from './match.ts'
import type { Ranked } from './name-index.ts'
import { foldUri, isNormalUri } from './normal-uri.ts'
import type { Bucket, Buckets, RuleIndex } from './rule-index.ts'
import { openingRule, viewOf } from './view.ts'

export interface Rulebook {
  readonly index: RuleIndex
  readonly access: ClaimedAccess
}

/** With `thing` known, an allow says that some arguments could be allowed. */
export function decide(book: Rulebook, call: Call, knowing: Exclude<Knowing, 'server'>): Decision {
  return overSpellings(call, (spelled) => decideName(book, spelled, knowing))
}

/** What the denials alone say, for a thing that is shown under another name. */
export function findDenial(book: Rulebook, call: Call, knowing: Exclude<Knowing, 'server'>): Decision | undefined {
  const decision = overSpellings(call, (spelled) => {
    const { allows: _, ...asked } = askedOf(book, spelled, knowing)
    return denialOf(asked) ?? strangeUri({ ...asked, allows: [] }, isSpeakingOfResources) ?? NOT_DENIED
  })
  return decision.effect === 'deny' ? decision : undefined
}

const NOT_DENIED: Decision = { effect: 'allow', reason: 'not_denied', rule: undefined }

/** Rules compare text and the server behind us may not: what it could understand must be allowed as well. */
function overSpellings(call: Call, decideOne: (call: Call) => Decision): Decision {
  const spelled = decideOne(call)
  const folded = call.kind === 'resource' && spelled.effect === 'allow' ? foldUri(call.name) : undefined
  if (folded === undefined) return spelled
  const understood = decideOne({ ...call, name: folded })
  return understood.effect === 'deny' ? understood : spelled
}

interface Asked extends Buckets {
  readonly book: Rulebook
  readonly call: Call
  /** A bare method of the standard (logging/setLevel, tools/list …) touches nothing of its own. */
  readonly bare: boolean
  readonly holds: HoldsFor
}

function askedOf(book: Rulebook, call: Call, knowing: Exclude<Knowing, 'server'>): Asked {
  const { allows, denies } = book.index.bucketsOf(call.server, call.principal)
  const bare = call.kind === 'method' && isStandardMethod(call.name)
  return {
    book,
    call,
    bare,
    allows,
    denies,
    holds: holdsFor(call, bare ? 'server' : knowing),
  }
}

function decideName(book: Rulebook, call: Call, knowing: Exclude<Knowing, 'server'>): Decision {
  const asked = askedOf(book, call, knowing)
  return denialOf(asked) ?? strangeUri(asked, (seen) => viewOf(seen) !== 'all') ?? allowOf(asked)
}

/** The plain rules first, which cost nothing; then each condition, as they are written. */
function denialOf({ call: { kind, name }, denies, holds }: Omit<Asked, 'allows'>): Decision | undefined {
  const plain = firstRule(denies, kind, name)
  if (plain) return decisionBy('deny', 'denied_by_rule', plain)
  for (const ranked of conditionalRules(denies, kind, name)) {
    const outcome = holds(ranked)
    if (outcome === 'yes') return decisionBy('deny', 'denied_by_rule', ranked)
    if (outcome === 'error') return decisionBy('deny', 'condition_failed', ranked)
  }
  return undefined
}

function allowOf(asked: Asked): Decision {
  const { book, call, bare, allows, holds } = asked
  const plain = firstRule(allows, call.kind, call.name)
  if (plain) return decisionBy('allow', 'allowed_by_rule', plain)
  const { yes, unknown, error } = firstOfEach(conditionalRules(allows, call.kind, call.name), holds)
  if (yes) return decisionBy('allow', 'allowed_by_rule', yes)
  if (book.access.allows(call)) return { effect: 'allow', reason: 'allowed_by_rule', rule: RESOURCE_ACCESS }
  if (unknown) return decisionBy('allow', 'could_be_allowed', unknown)
  // Who sees part of the server may call it.
  const opening = bare ? openingRule(seenBy(asked)) : undefined
  if (opening !== undefined) return { effect: 'allow', reason: 'allowed_by_rule', rule: opening }
  return error ? decisionBy('deny', 'condition_failed', error) : NO_RULE_ALLOWS
}

const NO_RULE_ALLOWS: Decision = { effect: 'deny', reason: 'no_rule_allows', rule: undefined }

function firstOfEach(rules: readonly Ranked[], holds: HoldsFor): { readonly [outcome in Holds]?: Ranked } {
  const first: { [outcome in Holds]?: Ranked } = {}
  for (const ranked of rules) {
    const outcome = holds(ranked)
    first[outcome] ??= ranked
    if (outcome === 'yes') break
  }
  return first
}

/** `file:///public/../private` begins like what is public: where rules tell resources apart, only one spelling counts. */
function strangeUri(asked: Asked, tellsApart: (seen: ReturnType<typeof seenBy>) => boolean): Decision | undefined {
  const { kind, name } = asked.call
  if (kind !== 'resource' || isNormalUri(name) || !tellsApart(seenBy(asked))) return undefined
  return { effect: 'deny', reason: 'resource_uri_not_normal', rule: undefined }
}

const isSpeakingOfResources = ({ denies }: { readonly denies: readonly Bucket[] }): boolean =>
  denies.some(({ plain, conditional }) =>
    [plain, conditional].some((said) => said?.patterns.some(({ kind }) => kind === 'resource')),
  )

/** What shows of a server does not hang on what is called there. */
function seenBy({ book, call, allows, denies }: Asked) {
  const { principal, server } = call
  return { allows, denies, holds: holdsFor(call, 'server'), claimed: book.access.list(principal, server) }
}

const decisionBy = (effect: Decision['effect'], reason: string, { rule }: Ranked): Decision => ({
  effect,
  reason,
  rule: rule.id,
})

export function viewFor(book: Rulebook, call: Call): 'all' | 'some' | 'none' {
  const asked = askedOf(book, call, 'thing')
  return viewOf(seenBy(asked))
}
