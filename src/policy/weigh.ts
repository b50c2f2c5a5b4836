// What each rule says of a call of which not everything is known, and what follows: for replaying records and for explaining them.
// The gate itself decides by decide.ts; a test holds the two together.
import { claimAt } from '../protocol/claims.ts'
import type { Condition, Outcome } from '../protocol/condition/language.ts'
import { refillMeter } from '../protocol/condition/meter.ts'
import { isStandardMethod } from '../protocol/methods.ts'
import { ANONYMOUS } from '../protocol/principal.ts'
import { claimedAccess, RESOURCE_ACCESS } from './access.ts'
import { claimTexts } from './claim.ts'
import type { Holds } from './holds.ts'
import { type KnownCall, type KnownCaller, type KnownList, knownFacts } from './known-call.ts'
import { foldUri, isNormalUri } from './normal-uri.ts'
import { isConditional, type Rule } from './rules.ts'
import type { Subject } from './subject.ts'
import type { Target } from './target.ts'

export type Certainty = 'yes' | 'no' | 'unknown'

/** A rule that speaks of what is called. */
export interface Weighed {
  readonly rule: Rule
  readonly target: Target
  /** It is for this caller. */
  readonly concerns: Certainty
  readonly holds: Holds
  /** What is not known, where that is why; as a condition names it. */
  readonly missing: readonly string[]
}

export interface Verdict {
  readonly effect: 'allow' | 'deny' | 'unknown'
  /** Id of the rule that decides, where it is known. */
  readonly rule: string | undefined
  /** `unknown` alone: what would have to be known. */
  readonly missing: readonly string[]
}

export interface WeighedRules {
  readonly rules: readonly Rule[]
  /** Of `policy.resourceAccess`. */
  readonly claim: string | undefined
  /** What claims call a server. */
  nameOf(server: string): string
}

/** Some rule may open something of the server to the caller: where none does, it stays hidden whatever was called. */
export function mayOpen({ rules, claim }: WeighedRules, caller: KnownCaller, server: string): boolean {
  const opens = ({ effect, targets, subjects }: Rule): boolean =>
    effect === 'allow' &&
    targets.some((target) => target.server.matches(server)) &&
    certaintyOf(subjects.map((subject) => isFor(subject, caller))) !== 'no'
  return claim !== undefined || rules.some(opens)
}

/** `underlying`: what is called in the end, where `call` is of a view. */
export function weighCall(book: WeighedRules, call: KnownCall, underlying?: KnownCall): Verdict {
  if (call.kind === 'method' && isStandardMethod(call.name)) return unknown(['what else the caller may see'])
  refillMeter()
  const own = overSpellings(call, (spelled) => verdictOf(weighRules(book.rules, spelled), claimedBy(book, spelled)))
  if (underlying === undefined || own.effect === 'deny') return own
  const below = overSpellings(underlying, (spelled) => denialsOf(weighRules(book.rules, spelled)))
  return below.effect === 'allow' ? own : below
}

export function weighRules(rules: readonly Rule[], call: KnownCall): readonly Weighed[] {
  return rules.flatMap((rule) =>
    rule.targets.filter((target) => isAbout(target, call)).map((target) => weigh(rule, target, call)),
  )
}

const isAbout = ({ server, kind, name }: Target, call: KnownCall): boolean =>
  server.matches(call.server) && (kind === 'everything' || (kind === call.kind && name.matches(call.name)))

function weigh(rule: Rule, target: Target, call: KnownCall): Weighed {
  const concerns = certaintyOf(rule.subjects.map((subject) => isFor(subject, call.caller)))
  const missing = concerns === 'unknown' ? ['who the caller was'] : []
  if (!isConditional(rule)) return { rule, target, concerns, holds: 'yes', missing }
  const { when, unless, consult } = rule
  const parts = [
    ...(when === undefined ? [] : [evaluate(when, target, call)]),
    ...(unless === undefined ? [] : [not(evaluate(unless, target, call))]),
    ...(consult === undefined ? [] : [{ outcome: 'unknown' as const, missing: [`the answer of ${consult}`] }]),
  ]
  const holds = holdsOf(parts.map(({ outcome }) => outcome))
  const unmet = holds === 'unknown' ? parts.flatMap((part) => part.missing) : []
  return { rule, target, concerns, holds, missing: [...new Set([...missing, ...unmet])] }
}

interface Evaluated {
  readonly outcome: Outcome
  readonly missing: readonly string[]
}

function evaluate(condition: Condition, target: Target, call: KnownCall): Evaluated {
  const { facts, incomplete } = knownFacts(call, target, condition)
  const outcome = condition.evaluate(facts)
  if (typeof outcome === 'boolean') return { outcome, missing: [] }
  const missing = [...condition.reads.variables].filter((name) => incomplete.has(name))
  return { outcome: missing.length === 0 ? outcome : 'unknown', missing: missing.map((name) => MISSING[name] ?? name) }
}

/** In words that say why it is not known. */
const MISSING: Readonly<Record<string, string>> = {
  args: 'arguments that were not kept',
  principal: 'the caller beyond what was kept',
  tool: 'the tool’s definition of then',
  request: 'the era of the request',
}

const not = ({ outcome, missing }: Evaluated): Evaluated => ({
  outcome: typeof outcome === 'boolean' ? !outcome : outcome,
  missing,
})

/** Unknown before error: what is not known may make it false. */
function holdsOf(outcomes: readonly Outcome[]): Holds {
  if (outcomes.includes(false)) return 'no'
  if (outcomes.includes('unknown')) return 'unknown'
  return outcomes.includes('error') ? 'error' : 'yes'
}

function isFor(subject: Subject, caller: KnownCaller): Certainty {
  if (caller.anonymous) return subject.type === 'anonymous' ? 'yes' : 'no'
  switch (subject.type) {
    case 'anonymous':
      return 'no'
    case 'signed_in':
      return 'yes'
    case 'user':
      return sure(subject.value === caller.subject || subject.value === caller.email)
    case 'client':
      return sure(subject.value === caller.client)
    case 'group':
      return among(caller.groups, subject.value)
    case 'team':
      return among(caller.teams, subject.value)
    case 'role':
      return caller.roles.items.includes(subject.value) && caller.isDoubtful(subject.value)
        ? 'unknown'
        : among(caller.roles, subject.value)
    case 'token':
      // Of other tokens the id is in no record.
      return caller.method === 'api_token' && subject.value === caller.family ? 'yes' : 'unknown'
    case 'claim':
      if (claimTexts(caller.claims.fields, subject.path).includes(subject.value)) return 'yes'
      return caller.claims.whole || claimAt(caller.claims.fields, subject.path) !== undefined ? 'no' : 'unknown'
  }
}

const sure = (yes: boolean): Certainty => (yes ? 'yes' : 'no')
const among = ({ items, whole }: KnownList, value: string): Certainty =>
  items.includes(value) ? 'yes' : whole ? 'no' : 'unknown'

function certaintyOf(each: readonly Certainty[]): Certainty {
  return each.includes('yes') ? 'yes' : each.includes('unknown') ? 'unknown' : 'no'
}

const unknown = (missing: readonly string[]): Verdict => ({ effect: 'unknown', rule: undefined, missing })
const ALLOWED: Verdict = { effect: 'allow', rule: undefined, missing: [] }
const NOTHING_ALLOWS: Verdict = { effect: 'deny', rule: undefined, missing: [] }

/** Every spelling that a server might understand must be allowed; where one is none, whether that counts hangs on the whole view. */
function overSpellings(call: KnownCall, verdict: (call: KnownCall) => Verdict): Verdict {
  const spelled = verdict(call)
  if (call.kind !== 'resource' || spelled.effect === 'deny') return spelled
  if (!isNormalUri(call.name)) return unknown(['whether another spelling of the URI counts'])
  const folded = foldUri(call.name)
  const other = folded === undefined ? spelled : verdict({ ...call, name: folded })
  return other.effect === 'allow' ? spelled : other
}

/** The denials alone: `allow` where none stands in the way. */
function denialsOf(weighed: readonly Weighed[]): Verdict {
  const denies = weighed.filter(
    ({ rule, concerns, holds }) => rule.effect === 'deny' && concerns !== 'no' && holds !== 'no',
  )
  const closing = denies.filter(({ concerns, holds }) => concerns === 'yes' && holds !== 'unknown')
  // As the gate does: those without a condition first.
  const [first] = [...closing.filter(({ rule }) => !isConditional(rule)), ...closing]
  if (first !== undefined) return { effect: 'deny', rule: first.rule.id, missing: [] }
  return denies.length === 0 ? ALLOWED : unknown(missingOf(denies))
}

function verdictOf(weighed: readonly Weighed[], claimed: Certainty): Verdict {
  const denied = denialsOf(weighed)
  if (denied.effect === 'deny') return denied
  const allows = weighed.filter(
    ({ rule, concerns, holds }) =>
      rule.effect === 'allow' && concerns !== 'no' && (holds === 'yes' || holds === 'unknown'),
  )
  const opening = allows.filter(({ concerns, holds }) => concerns === 'yes' && holds === 'yes')
  if (opening.length > 0 || claimed === 'yes') {
    if (denied.effect !== 'allow') return denied
    // Where one that comes before it is uncertain, that it is allowed is known, and by which of them is not.
    const [first] = [...allows.filter(({ rule }) => !isConditional(rule)), ...allows]
    const named = first === undefined ? RESOURCE_ACCESS : opening.includes(first) ? first.rule.id : undefined
    return { effect: 'allow', rule: named, missing: [] }
  }
  if (allows.length === 0 && claimed === 'no') return NOTHING_ALLOWS
  const claims = claimed === 'unknown' ? ['the caller’s claims'] : []
  return unknown([...new Set([...missingOf(allows), ...claims, ...denied.missing])])
}

const missingOf = (weighed: readonly Weighed[]): readonly string[] => [
  ...new Set(weighed.flatMap(({ missing }) => missing)),
]

function claimedBy({ claim, nameOf }: WeighedRules, { caller, server, kind, name }: KnownCall): Certainty {
  if (claim === undefined || caller.anonymous || (kind !== 'tool' && kind !== 'prompt')) return 'no'
  const access = claimedAccess(claim, nameOf)
  if (access.allows({ principal: { ...ANONYMOUS, claims: caller.claims.fields }, server, kind, name, method: '' }))
    return 'yes'
  return caller.claims.whole || claimAt(caller.claims.fields, claim) !== undefined ? 'no' : 'unknown'
}
