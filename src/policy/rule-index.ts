// Rules by server, subject and name, so that a decision costs the same with ten rules and with a thousand.
import type { TargetKind } from '../protocol/decision.ts'
import type { Glob } from '../protocol/glob.ts'
import type { Principal } from '../protocol/principal.ts'
import { type NameIndex, nameIndex, type Ranked } from './name-index.ts'
import type { Rule } from './rules.ts'
import type { NamedSubject, Subject } from './subject.ts'

/** What the rules of one effect say of one subject on one server. */
export interface Bucket {
  everything: Ranked | undefined
  readonly names: Record<TargetKind, NameIndex>
  readonly patterns: { readonly kind: TargetKind; readonly name: Glob; readonly ranked: Ranked }[]
}

interface Subjects {
  signedIn: Bucket | undefined
  anonymous: Bucket | undefined
  readonly named: Record<NamedSubject, Map<string, Bucket>>
}

/** One set of rules that holds on a server: those that name it, or those for every server. */
export interface Layer {
  readonly allow: Subjects
  readonly deny: Subjects
}

export interface RuleIndex {
  layersOf(server: string): readonly Layer[]
}

type Entry = Ranked & { readonly target: Rule['targets'][number] }

/** `servers` are the configured ids; another id is looked up as well, only more slowly. */
export function indexRules(rules: readonly Rule[], servers: readonly string[]): RuleIndex {
  const entries = rules.flatMap((rule, rank) => rule.targets.map((target): Entry => ({ rule, rank, target })))
  const general = entries.filter(({ target }) => target.server.pattern === '*')
  const particular = entries.filter(({ target }) => target.server.pattern !== '*')
  const everywhere = general.length === 0 ? [] : [layerOf(general)]
  const build = (server: string, among: readonly Entry[]): readonly Layer[] => {
    const own = among.filter(({ target }) => target.server.matches(server))
    return own.length === 0 ? everywhere : [layerOf(own), ...everywhere]
  }
  const named = particular.filter(({ target }) => target.server.literal).map(({ target }) => target.server.pattern)
  const known = new Map([...new Set([...servers, ...named])].map((server) => [server, build(server, particular)]))
  const patterns = particular.filter(({ target }) => !target.server.literal)
  // Nothing is kept of an id that nobody configured: such ids come from callers, without end.
  return { layersOf: (server) => known.get(server) ?? build(server, patterns) }
}

/** The buckets that speak of this principal. */
export function bucketsFor(layers: readonly Layer[], effect: Rule['effect'], principal: Principal): Bucket[] {
  const found: Bucket[] = []
  for (const layer of layers) collect(layer[effect], principal, found)
  return found
}

function collect(subjects: Subjects, principal: Principal, found: Bucket[]): void {
  if (principal.kind === 'anonymous') {
    if (subjects.anonymous) found.push(subjects.anonymous)
    return
  }
  const { user, client, group, role, team } = subjects.named
  if (subjects.signedIn) found.push(subjects.signedIn)
  add(user, principal.subject, found)
  add(user, principal.email, found)
  add(client, principal.client, found)
  addAll(group, principal.groups, found)
  addAll(role, principal.roles, found)
  addAll(team, principal.teams, found)
}

function add(from: ReadonlyMap<string, Bucket>, value: string | undefined, found: Bucket[]): void {
  if (value === undefined || from.size === 0) return
  const bucket = from.get(value)
  if (bucket) found.push(bucket)
}

function addAll(from: ReadonlyMap<string, Bucket>, values: readonly string[], found: Bucket[]): void {
  if (from.size === 0) return
  for (const value of values) add(from, value, found)
}

function layerOf(entries: readonly Entry[]): Layer {
  const layer: Layer = { allow: noSubjects(), deny: noSubjects() }
  for (const entry of entries) {
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
  const named = subjects.named[subject.type]
  const bucket = named.get(subject.value) ?? emptyBucket()
  named.set(subject.value, bucket)
  return bucket
}

function enter(bucket: Bucket, { rule, rank, target }: Entry): void {
  const ranked = { rule, rank }
  if (target.kind === 'everything') {
    bucket.everything ??= ranked
    return
  }
  bucket.names[target.kind].add(target.name, ranked)
  bucket.patterns.push({ kind: target.kind, name: target.name, ranked })
}

function emptyBucket(): Bucket {
  const names = { tool: nameIndex(), prompt: nameIndex(), resource: nameIndex(), method: nameIndex() }
  return { everything: undefined, names, patterns: [] }
}

function noSubjects(): Subjects {
  const named = { user: new Map(), group: new Map(), role: new Map(), team: new Map(), client: new Map() }
  return { signedIn: undefined, anonymous: undefined, named }
}
