// Rules by server, subject and name, so that a decision costs the same with ten rules and with a thousand.
import type { Variable } from '../protocol/condition/vocabulary.ts'
import type { TargetKind } from '../protocol/decision.ts'
import type { Glob } from '../protocol/glob.ts'
import type { Principal } from '../protocol/principal.ts'
import { claimTexts } from './claim.ts'
import { type NameIndex, nameIndex, type Ranked } from './name-index.ts'
import { perPrincipal } from './per-principal.ts'
import type { Reading } from './policy.ts'
import { isConditional, type Rule } from './rules.ts'
import { type NamedSubject, namesOf, type Subject } from './subject.ts'

/** What some rules of one effect say of one subject on one server. */
export interface Said {
  readonly everything: Ranked[]
  readonly names: Record<TargetKind, NameIndex>
  readonly patterns: { readonly kind: TargetKind; readonly name: Glob; readonly ranked: Ranked }[]
}

/** Apart: without a condition the first that matches decides, with one each has to be tried. */
export interface Bucket {
  plain: Said | undefined
  conditional: Said | undefined
}

interface Subjects {
  signedIn: Bucket | undefined
  anonymous: Bucket | undefined
  readonly named: Record<NamedSubject, Map<string, Bucket>>
  /** Claims that rules name, each with its values. */
  readonly claims: Map<string, Map<string, Bucket>>
}

/** One set of rules that holds on a server: those that name it, or those for every server. */
export interface Layer {
  readonly allow: Subjects
  readonly deny: Subjects
  /** What conditions speak of, whomever they are for. */
  readonly conditions: Bucket
}

/** The buckets that speak of one principal on one server. */
export interface Buckets {
  readonly allows: readonly Bucket[]
  readonly denies: readonly Bucket[]
}

export interface RuleIndex {
  layersOf(server: string): readonly Layer[]
  bucketsOf(server: string, principal: Principal): Buckets
  /** What conditions about a server read of a call. */
  readsOf(server: string): Reading
}

/** `servers` are the configured ids; another id is looked up as well, only more slowly. */
export function indexRules(rules: readonly Rule[], servers: readonly string[]): RuleIndex {
  const entries = rules.flatMap((rule, rank) => rule.targets.map((target): Ranked => ({ rule, rank, target })))
  const general = entries.filter(({ target }) => target.server.pattern === '*')
  const particular = entries.filter(({ target }) => target.server.pattern !== '*')
  const everywhere = general.length === 0 ? [] : [layerOf(general)]
  const build = (server: string, among: readonly Ranked[]): readonly Layer[] => {
    const own = among.filter(({ target }) => target.server.matches(server))
    return own.length === 0 ? everywhere : [layerOf(own), ...everywhere]
  }
  const named = particular.filter(({ target }) => target.server.literal).map(({ target }) => target.server.pattern)
  const known = new Map([...new Set([...servers, ...named])].map((server) => [server, build(server, particular)]))
  const patterns = particular.filter(({ target }) => !target.server.literal)
  // Nothing is kept of an id that nobody configured: such ids come from callers, without end.
  const layersOf = (server: string) => known.get(server) ?? build(server, patterns)
  const readings = new Map([...known].map(([server, layers]) => [server, readingOf(layers)]))
  const collected = (server: string, principal: Principal): Buckets => {
    const layers = layersOf(server)
    return { allows: bucketsFor(layers, 'allow', principal), denies: bucketsFor(layers, 'deny', principal) }
  }
  const remembered = perPrincipal(collected)
  const bucketsOf = (server: string, principal: Principal) =>
    (known.has(server) ? remembered : collected)(server, principal)
  return { layersOf, bucketsOf, readsOf: (server) => readings.get(server) ?? readingOf(layersOf(server)) }
}

function readingOf(layers: readonly Layer[]): Reading {
  const rules = layers
    .flatMap(({ conditions: { conditional } }) => conditional ?? [])
    .flatMap(({ everything, patterns }) => [...everything, ...patterns.map(({ ranked }) => ranked)])
    .map(({ rule }) => rule)
  const read = (name: Variable) =>
    rules.some(({ when, unless }) => [when, unless].some((condition) => condition?.reads.variables.has(name)))
  const names = new Set(
    rules.flatMap(({ when, unless }) => [when, unless].flatMap((one) => [...(one?.reads.names ?? [])])),
  )
  return {
    // Whoever decides outside is shown the arguments.
    args: read('args') || rules.some(({ consult }) => consult !== undefined),
    tool: read('tool'),
    ...(names.size > 0 && { names }),
  }
}

function bucketsFor(layers: readonly Layer[], effect: Rule['effect'], principal: Principal): Bucket[] {
  const found: Bucket[] = []
  const names = namesOf(principal)
  for (const layer of layers) collect(layer[effect], principal, names, found)
  return found
}

function collect(subjects: Subjects, principal: Principal, names: ReturnType<typeof namesOf>, found: Bucket[]): void {
  if (principal.kind === 'anonymous') {
    if (subjects.anonymous) found.push(subjects.anonymous)
    return
  }
  if (subjects.signedIn) found.push(subjects.signedIn)
  const { named } = subjects
  addAll(named.user, names.user, found)
  addAll(named.group, names.group, found)
  addAll(named.role, names.role, found)
  addAll(named.team, names.team, found)
  addAll(named.client, names.client, found)
  addAll(named.token, names.token, found)
  if (principal.claims !== undefined)
    for (const [path, values] of subjects.claims) addAll(values, claimTexts(principal.claims, path), found)
}

function addAll(from: ReadonlyMap<string, Bucket>, values: readonly (string | undefined)[], found: Bucket[]): void {
  if (from.size === 0) return
  for (const value of values) {
    const bucket = value === undefined ? undefined : from.get(value)
    if (bucket) found.push(bucket)
  }
}

function layerOf(entries: readonly Ranked[]): Layer {
  const layer: Layer = { allow: noSubjects(), deny: noSubjects(), conditions: emptyBucket() }
  for (const entry of entries) {
    if (isConditional(entry.rule)) enter(layer.conditions, entry)
    for (const subject of entry.rule.subjects) enter(bucketOf(layer[entry.rule.effect], subject), entry)
  }
  return layer
}

function bucketOf(subjects: Subjects, subject: Subject): Bucket {
  if (subject.type === 'signed_in') {
    subjects.signedIn ??= emptyBucket()
    return subjects.signedIn
  }
  if (subject.type === 'anonymous') {
    subjects.anonymous ??= emptyBucket()
    return subjects.anonymous
  }
  const named = subject.type === 'claim' ? valuesOf(subjects.claims, subject.path) : subjects.named[subject.type]
  const bucket = named.get(subject.value) ?? emptyBucket()
  named.set(subject.value, bucket)
  return bucket
}

function valuesOf(claims: Subjects['claims'], path: string): Map<string, Bucket> {
  const values = claims.get(path) ?? new Map<string, Bucket>()
  claims.set(path, values)
  return values
}

function enter(bucket: Bucket, ranked: Ranked): void {
  const part = isConditional(ranked.rule) ? 'conditional' : 'plain'
  const said = bucket[part] ?? nothingSaid()
  bucket[part] = said
  const { kind, name } = ranked.target
  if (kind === 'everything') {
    said.everything.push(ranked)
    return
  }
  said.names[kind].add(name, ranked)
  said.patterns.push({ kind, name, ranked })
}

const emptyBucket = (): Bucket => ({ plain: undefined, conditional: undefined })

function nothingSaid(): Said {
  const names = { tool: nameIndex(), prompt: nameIndex(), resource: nameIndex(), method: nameIndex() }
  return { everything: [], names, patterns: [] }
}

function noSubjects(): Subjects {
  const named = {
    user: new Map(),
    group: new Map(),
    role: new Map(),
    team: new Map(),
    client: new Map(),
    token: new Map(),
  }
  return { signedIn: undefined, anonymous: undefined, named, claims: new Map() }
}
