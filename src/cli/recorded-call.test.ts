// Decisions made again from what the record kept: never guessed, whatever the rules of then and now are.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { keptAttributes } from '../audit/attributes.ts'
import type { CallEvent } from '../audit/event.ts'
import { eventLine } from '../audit/event-line.ts'
import { readEvent } from '../audit/span.ts'
import { Config, type ConfigInput } from '../config/schema.ts'
import { createPolicy } from '../policy/create.ts'
import { grounded } from '../policy/informed.ts'
import { ARGUMENTS, call, rule, type ToldRule, written } from '../policy/reference.support.ts'
import { compileCondition } from '../protocol/condition/compile.ts'
import type { Call } from '../protocol/decision.ts'
import { ANONYMOUS } from '../protocol/principal.ts'
import { decider } from './policy-replay.ts'

const configOf = (rules: readonly object[], more: object = {}): Config => {
  const parsed = Config.parse({ policy: { rules }, ...more } as ConfigInput)
  return { ...parsed, server: { ...parsed.server, url: 'http://127.0.0.1:4444', allowedOrigins: 'loopback' } }
}
const policyOf = (config: Config) => createPolicy(config, { compile: compileCondition })

const METHODS = { tool: 'tools/call', prompt: 'prompts/get', resource: 'resources/read', method: 'x/y' } as const

/** The event as it is read back from the store. */
function recorded(config: Config, made: Call, more: Partial<CallEvent> = {}): CallEvent {
  const policy = policyOf(config)
  const { principal, server, kind, name, request } = made
  const { effect, reason, rule: by, args, policy: version } = grounded(policy, policy.decide(made), made)
  const event: CallEvent = {
    kind: 'call',
    id: '0190c0de-0000-7000-8000-000000000000',
    time: new Date(request?.at ?? 0).toISOString(),
    subject: principal.subject,
    server,
    method: METHODS[kind],
    name,
    decision: effect,
    reason,
    address: request?.address ?? '192.0.2.1',
    policy: version,
    ...(principal.client !== undefined && { client: principal.client }),
    ...(principal.method !== 'none' && { auth: principal.method }),
    ...(principal.kind !== 'anonymous' && { attributes: keptAttributes(principal) }),
    ...(by !== undefined && { rule: by }),
    ...(args !== undefined && { args }),
    ...(request !== undefined && { era: request.era }),
    ...more,
  }
  const read = readEvent(eventLine(event))
  if (read?.kind !== 'call') throw new TypeError('the record lost it')
  return read
}

const HERE = { address: '192.0.2.1', at: 0, era: 'modern' } as const
/** Nothing is given with a resource. */
const asCalled = ([one, args]: readonly [Call, Call['args']]): Call => ({
  ...one,
  args: one.kind === 'resource' ? undefined : args,
  request: one.request ?? HERE,
})
const rules = fc.array(rule, { minLength: 1, maxLength: 6 })
const calls = fc.array(fc.tuple(call, fc.constantFrom(...ARGUMENTS)), { minLength: 5, maxLength: 5 })

async function again(before: readonly ToldRule[], after: readonly ToldRule[], made: readonly Call[]) {
  const [old, other] = [configOf(before.map(written)), configOf(after.map(written))]
  const decide = await decider(old, other)
  const now = policyOf(other)
  return made.map((one) => ({ verdict: decide(recorded(old, one)).verdict, truth: now.decide(one) }))
}

describe('a decision made again from the record', () => {
  it('by any other rules is what they say of the call itself, or undecidable: 5,000 cases', async () => {
    let decided = 0
    await fc.assert(
      fc.asyncProperty(rules, rules, calls, async (before, after, asked) => {
        const made = asked.map(asCalled)
        for (const { verdict, truth } of await again(before, after, made)) {
          if (verdict.effect === 'unknown') {
            expect(verdict.missing).not.toEqual([])
            continue
          }
          decided++
          expect(verdict.effect).toBe(truth.effect)
        }
      }),
      { numRuns: 1000 },
    )
    expect(decided).toBeGreaterThan(3000)
  })

  it('by the same rules finds no difference, and names the rule that decided: 5,000 cases', async () => {
    let decided = 0
    let named = 0
    await fc.assert(
      fc.asyncProperty(rules, calls, async (told, asked) => {
        const made = asked.map(asCalled)
        for (const { verdict, truth } of await again(told, told, made)) {
          if (verdict.effect === 'unknown') continue
          decided++
          expect(verdict.effect).toBe(truth.effect)
          if (truth.effect !== 'allow' || verdict.rule === undefined) continue
          named++
          expect(verdict.rule).toBe(truth.rule)
        }
      }),
      { numRuns: 1000 },
    )
    expect(decided).toBeGreaterThan(3500)
    expect(named).toBeGreaterThan(40)
  })
})

const ANN = { ...ANONYMOUS, kind: 'person', subject: 'ann', method: 'access_token', groups: ['eng'] } as const
const asked = (over: Partial<Call> = {}): Call => ({
  principal: ANN,
  server: 'pay',
  kind: 'tool',
  method: 'tools/call',
  name: 'transfer',
  args: {},
  request: HERE,
  ...over,
})
const PAY = [{ id: 'pay', url: 'http://127.0.0.1:1/mcp' }]
const allow = (id: string, over: object = {}) => ({ id, allow: ['pay/transfer'], to: ['*'], ...over })

describe('what cannot be decided from the record', () => {
  async function verdict(
    before: readonly object[],
    after: readonly object[],
    made: Call,
    more: Partial<CallEvent> = {},
  ) {
    const [old, other] = [before, after].map((each) => configOf(each, { servers: PAY })) as [Config, Config]
    return (await decider(old, other))(recorded(old, made, more)).verdict
  }
  const small = allow('small', { when: 'args.amount <= 10' })
  const german = allow('german', { when: "args.country == 'DE'" })

  it('is a field that no rule of then read; one that was read is decided', async () => {
    const made = asked({ args: { amount: 5, country: 'DE' } })
    expect(await verdict([small], [german], made)).toMatchObject({
      effect: 'unknown',
      missing: [expect.stringMatching(/arguments/)],
    })
    expect(await verdict([small, german], [german], made)).toMatchObject({ effect: 'allow', rule: 'german' })
    expect(await verdict([small], [allow('tiny', { when: 'args.amount <= 1' })], made)).toMatchObject({
      effect: 'deny',
    })
  })

  it('is a member beside those that were read; and what was too long to be kept', async () => {
    const nested = [allow('iban', { when: "args.to.iban == 'x'" })]
    const other = [allow('name', { when: '!has(args.to.name)' })]
    expect(await verdict(nested, other, asked({ args: { to: { iban: 'x', name: 'y' } } }))).toMatchObject({
      effect: 'unknown',
    })
    const long = asked({ args: { amount: 'x'.repeat(300) } })
    expect(await verdict([small], [allow('any', { when: '!has(args.amount)' })], long)).toMatchObject({
      effect: 'unknown',
    })
  })

  it('is a field that was not there, where the rules of then are not at hand', async () => {
    const optional = allow('optional', { when: '!has(args.force)' })
    const made = asked({ args: { amount: 1 } })
    expect(await verdict([optional], [optional], made)).toMatchObject({ effect: 'allow' })
    expect(await verdict([optional], [optional], made, { policy: 'another' })).toMatchObject({ effect: 'unknown' })
  })

  it('is a group, where groups were not recorded or not all of them', async () => {
    const eng = [allow('eng', { to: ['group:eng'] })]
    const ops = [allow('ops', { to: ['group:ops'] })]
    expect(await verdict(eng, ops, asked())).toMatchObject({ effect: 'deny' })
    expect(await verdict(ops, eng, asked())).toMatchObject({ effect: 'allow', rule: 'eng' })
    const groups = Array.from({ length: 50 }, (_, at) => `group-${at}`)
    expect(await verdict(eng, ops, asked({ principal: { ...ANN, groups } }))).toMatchObject({ effect: 'unknown' })
    const { attributes: _, ...bare } = recorded(configOf(eng, { servers: PAY }), asked())
    const decide = await decider(configOf(eng, { servers: PAY }), configOf(ops, { servers: PAY }))
    expect(decide(bare).verdict).toMatchObject({ effect: 'unknown', missing: ['who the caller was'] })
  })

  it('is the tool’s definition, and the answer of a decision point', async () => {
    const reading = [allow('reading', { when: 'tool.annotations.readOnlyHint' })]
    expect(await verdict([small], reading, asked())).toMatchObject({
      effect: 'unknown',
      missing: [expect.stringMatching(/definition/)],
    })
    expect(await verdict([small], [allow('own', { when: "tool.name == 'transfer'" })], asked())).toMatchObject({
      effect: 'allow',
    })
  })

  it('is a role that the two configurations give to different people', async () => {
    const rule = [allow('clerks', { to: ['role:clerk'] })]
    const [old, other] = [['group:eng'], ['group:ops']].map((clerk) =>
      configOf(rule, { servers: PAY, roles: { clerk } }),
    ) as [Config, Config]
    const event = recorded(old, asked({ principal: { ...ANN, roles: ['clerk'] } }))
    expect((await decider(old, other))(event).verdict.effect).toBe('unknown')
    expect((await decider(old, old))(event).verdict).toMatchObject({ effect: 'allow', rule: 'clerks' })
  })

  it('is what was hidden before anybody looked', async () => {
    const hidden = { reason: 'unknown_server', decision: 'deny' } as const
    expect(await verdict([small], [small], asked(), hidden)).toMatchObject({ effect: 'unknown' })
    const others = [allow('others', { to: ['group:ops'] })]
    expect(await verdict([small], others, asked(), hidden)).toMatchObject({ effect: 'deny' })
    expect(await verdict([small], others, asked(), { ...hidden, by: 'desk' })).toMatchObject({ effect: 'unknown' })
  })
})

describe('what can be decided from the record', () => {
  it('is what claims allow, where they were kept', async () => {
    const claimed = configOf([], { servers: PAY, policy: { rules: [], resourceAccess: {} } })
    const claims = (roles: readonly string[]) => ({ ...ANN, claims: { resource_access: { pay: { roles } } } })
    const decide = await decider(claimed, claimed)
    const of = (roles: readonly string[]) => decide(recorded(claimed, asked({ principal: claims(roles) })))
    expect(of(['tool:transfer'])).toMatchObject({
      effect: 'allow',
      verdict: { effect: 'allow', rule: 'resource_access' },
    })
    expect(of(['tool:read'])).toMatchObject({ effect: 'deny', verdict: { effect: 'deny' } })
    const many = Array.from({ length: 200 }, (_, at) => `tool:${at}`)
    expect(of([...many, 'tool:transfer'])).toMatchObject({ effect: 'allow', verdict: { effect: 'unknown' } })
  })

  it('is a resource in the spellings that rules compare; of others nobody says', async () => {
    const config = configOf(
      [
        { id: 'public', allow: ['resource:pay/file:///public/*'], to: ['*'] },
        { id: 'secret', deny: ['resource:pay/file:///public/secret/*'], to: ['*'] },
      ],
      { servers: PAY },
    )
    const decide = await decider(config, config)
    const uris = [
      'file:///public/x',
      'file:///public/secret/x',
      'file:/public/x',
      'FILE:///public/x',
      'file:///public/../x',
    ]
    const told = uris.map((name) => {
      const { effect, verdict } = decide(recorded(config, asked({ kind: 'resource', name, args: undefined })))
      return [effect, verdict.effect]
    })
    expect(told.filter(([truth, again]) => again !== 'unknown' && again !== truth)).toEqual([])
    expect(told.slice(0, 2)).toEqual([
      ['allow', 'allow'],
      ['deny', 'deny'],
    ])
  })

  it('is a server that the other configuration has no more: refused', async () => {
    const [old, other] = [configOf([allow('a')], { servers: PAY }), configOf([allow('a')])]
    expect((await decider(old, other))(recorded(old, asked())).verdict.effect).toBe('deny')
    expect((await decider(old, old))(recorded(old, asked())).verdict.effect).toBe('allow')
  })
})
