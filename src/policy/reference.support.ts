// Policy told a second time, for tests: every rule read in order, every pattern by its definition, every condition by hand.
import fc from 'fast-check'
import type { Call, TargetKind } from '../protocol/decision.ts'
import { ANONYMOUS, type Principal } from '../protocol/principal.ts'

/** A condition as text and as what it means; `undefined` is an error. */
export interface Told {
  readonly text: string
  readonly means: (call: Call) => boolean | undefined
}

export interface ToldRule {
  readonly effect: 'allow' | 'deny'
  readonly targets: readonly { readonly kind: TargetKind; readonly server: string; readonly name: string }[]
  readonly to: readonly string[]
  readonly when: Told | undefined
  readonly unless: Told | undefined
}

/** As it stands in a configuration. */
export function written({ effect, targets, to, when, unless }: ToldRule) {
  const texts = targets.map(({ kind, server, name }) => `${kind === 'tool' ? '' : `${kind}:`}${server}/${name}`)
  const conditions = { ...(when && { when: when.text }), ...(unless && { unless: unless.text }) }
  return effect === 'allow' ? { allow: texts, to: [...to], ...conditions } : { deny: texts, to: [...to], ...conditions }
}

export function isAllowed(rules: readonly ToldRule[], call: Call): boolean {
  const about = rules.filter((rule) => speaksOf(rule, call))
  if (about.some((rule) => rule.effect === 'deny' && holds(rule, call) !== false)) return false
  return about.some((rule) => rule.effect === 'allow' && holds(rule, call) === true)
}

export function speaksOf({ targets, to }: ToldRule, call: Call): boolean {
  return (
    to.some((subject) => isFor(subject, call.principal)) &&
    targets.some(
      ({ kind, server, name }) =>
        matches(server, call.server) &&
        ((kind === 'tool' && /^\*+$/.test(name)) || (kind === call.kind && matches(name, call.name))),
    )
  )
}

export function holds({ when, unless }: ToldRule, call: Call): boolean | undefined {
  const parts = [when ? when.means(call) : true, unless ? negated(unless.means(call)) : true]
  if (parts.includes(false)) return false
  return parts.includes(undefined) ? undefined : true
}

const negated = (value: boolean | undefined) => (value === undefined ? undefined : !value)

function matches(pattern: string, text: string): boolean {
  if (pattern === '') return text === ''
  if (pattern.startsWith('*'))
    return matches(pattern.slice(1), text) || (text !== '' && matches(pattern, text.slice(1)))
  return text !== '' && text.startsWith(pattern.charAt(0)) && matches(pattern.slice(1), text.slice(1))
}

function isFor(subject: string, principal: Principal): boolean {
  if (principal.kind === 'anonymous') return subject === 'anonymous'
  const [type = '', value = ''] = subject.split(/:(.*)/s)
  const held: Record<string, readonly unknown[]> = {
    '*': [''],
    user: [principal.subject, principal.email],
    client: [principal.client],
    group: principal.groups,
    role: principal.roles,
    team: principal.teams,
    token: [principal.tokenId],
    claim: [`unit=${String(principal.claims?.['unit'])}`],
  }
  return held[type]?.includes(value) ?? false
}

const say = (text: string, means: Told['means']): Told => ({ text, means })
const member = (of: unknown, name: string): unknown => (of as Record<string, unknown> | undefined)?.[name]

const atoms = fc.oneof(
  fc.integer({ min: -1, max: 9 }).map((most) =>
    say(`args.n <= ${most}`, ({ args }) => {
      const n = member(args, 'n')
      return typeof n === 'number' ? n <= most : undefined
    }),
  ),
  fc.constantFrom('a', 'b').map((text) =>
    say(`args.s == "${text}"`, ({ args }) => {
      const s = member(args, 's')
      return s === undefined ? undefined : s === text
    }),
  ),
  fc.constant(say('has(args.n)', ({ args }) => member(args, 'n') !== undefined)),
  fc.constant(say('args.n % 2 == 0', ({ args }) => evenness(member(args, 'n')))),
  fc
    .constantFrom('a', 'b')
    .map((group) => say(`"${group}" in principal.groups`, ({ principal }) => principal.groups.includes(group))),
  fc
    .constantFrom('a', 'b')
    .map((id) =>
      say(`client.id == "${id}"`, ({ principal: { client } }) => (client === undefined ? undefined : client === id)),
    ),
  fc.constant(
    say('tool.annotations.readOnlyHint', ({ kind, tool }) => {
      const hint = kind === 'tool' ? member(member(tool, 'annotations'), 'readOnlyHint') : undefined
      return typeof hint === 'boolean' ? hint : undefined
    }),
  ),
  fc.constant(say('request.era == "modern"', ({ request }) => request && request.era === 'modern')),
)

const evenness = (n: unknown) => (typeof n === 'number' ? n % 2 === 0 : undefined)

/** CEL: what decides wins over an error on either side. */
const condition: fc.Arbitrary<Told> = fc.letrec<{ any: Told }>((tie) => ({
  any: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    atoms,
    tie('any').map((one) => say(`!(${one.text})`, (call) => negated(one.means(call)))),
    fc.tuple(tie('any'), tie('any'), fc.boolean()).map(([one, other, and]) =>
      say(`(${one.text}) ${and ? '&&' : '||'} (${other.text})`, (call) => {
        const values = [one.means(call), other.means(call)]
        if (values.includes(!and)) return !and
        return values.includes(undefined) ? undefined : and
      }),
    ),
  ),
})).any

const pattern = fc.stringMatching(/^[ab*]{1,4}$/)
const value = fc.constantFrom('a', 'b')
const target = fc.record({
  kind: fc.constantFrom<TargetKind>('tool', 'prompt', 'resource'),
  server: fc.oneof(fc.constantFrom('a', 'b', '*'), pattern),
  name: pattern,
})
const subject = fc.oneof(
  fc.constantFrom('*', 'anonymous', 'claim:unit=a'),
  fc
    .tuple(fc.constantFrom('user', 'group', 'role', 'team', 'client', 'token'), value)
    .map(([type, name]) => `${type}:${name}`),
)

export const rule: fc.Arbitrary<ToldRule> = fc.record({
  effect: fc.constantFrom('allow', 'allow', 'deny'),
  targets: fc.array(target, { minLength: 1, maxLength: 2 }),
  to: fc.array(subject, { minLength: 1, maxLength: 2 }),
  when: fc.option(condition, { nil: undefined }),
  unless: fc.option(condition, { nil: undefined, freq: 4 }),
})

const names = fc.subarray(['a', 'b'])
const principal: fc.Arbitrary<Principal> = fc.oneof(
  { weight: 1, arbitrary: fc.constant(ANONYMOUS) },
  {
    weight: 6,
    arbitrary: fc
      .record({
        subject: value,
        groups: names,
        roles: names,
        teams: names,
        client: fc.option(value, { nil: undefined }),
        tokenId: fc.option(value, { nil: undefined }),
        claims: fc.option(fc.record({ unit: value }), { nil: undefined }),
      })
      .map((over): Principal => ({ ...ANONYMOUS, kind: 'person', method: 'access_token', ...over })),
  },
)

export const call: fc.Arbitrary<Call> = fc
  .record({
    principal,
    server: fc.constantFrom('a', 'b', 'ab'),
    kind: fc.constantFrom<TargetKind>('tool', 'tool', 'prompt', 'resource'),
    name: fc.stringMatching(/^[ab]{1,3}$/),
    tool: fc.option(
      fc.record({ annotations: fc.record({ readOnlyHint: fc.boolean() }, { requiredKeys: [] }) }, { requiredKeys: [] }),
      { nil: undefined },
    ),
    request: fc.option(
      fc.record({ address: fc.constant('192.0.2.1'), at: fc.constant(0), era: fc.constantFrom('modern', 'legacy') }),
      { nil: undefined },
    ),
  })
  .map((one): Call => ({ ...one, method: 'tools/call', tool: one.kind === 'tool' ? one.tool : undefined }))

/** Arguments that tell all conditions apart that there are here. */
export const ARGUMENTS: readonly Readonly<Record<string, unknown>>[] = [undefined, -1, 0, 5, 5.5, 9, 'x', null].flatMap(
  (n) => [undefined, 'a', 'b'].map((s) => ({ ...(n !== undefined && { n }), ...(s !== undefined && { s }) })),
)
