// Conditions of rules against those who write arguments for them (E25, G18): work is bounded, and what is too dear is refused.
import { describe, expect, it } from 'vitest'
import { policy } from '../../src/config/policy.ts'
import { createPolicy } from '../../src/policy/create.ts'
import { compileCondition, conditionFlaw } from '../../src/protocol/condition/compile.ts'
import { ANONYMOUS, type Principal } from '../../src/protocol/principal.ts'

const LANGUAGE = { compile: compileCondition }
const ann: Principal = { ...ANONYMOUS, kind: 'person', subject: 'u1', method: 'access_token' }

function decide(when: string, args: Record<string, unknown>, effect: 'allow' | 'deny' = 'allow') {
  const rules = [{ [effect]: ['a/b'], to: ['*'], when }, ...(effect === 'deny' ? [{ allow: ['a/b'], to: ['*'] }] : [])]
  const { decide: judge } = createPolicy({ policy: policy.parse({ rules }), roles: {}, servers: [] }, LANGUAGE)
  return judge({ principal: ann, server: 'a', method: 'tools/call', kind: 'tool', name: 'b', args })
}

const numbers = (count: number) => Array.from({ length: count }, (_, at) => at)
const members = (count: number) => Object.fromEntries(numbers(count).map((at) => [`k${at}`, at]))

describe('arguments that make a condition dear', () => {
  const list = '[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29]'
  it.each<[string, string, Record<string, unknown>, Record<string, unknown>]>([
    ['loop', 'args.l.all(x, x >= 0)', { l: numbers(100) }, { l: numbers(100_000) }],
    ['loop in a loop', 'args.l.all(x, args.l.all(y, x + y >= 0))', { l: numbers(10) }, { l: numbers(1000) }],
    [
      'loop over what is written out',
      `args.l.all(x, ${list}.all(y, y < 30 || x < 0))`,
      { l: [1] },
      { l: numbers(1000) },
    ],
    ['lists made in loops', 'args.l.map(x, x).filter(x, x >= 0).size() >= 0', { l: numbers(50) }, { l: numbers(5000) }],
    ['membership', 'args.l.all(x, x in args.l)', { l: numbers(20) }, { l: numbers(2000) }],
    ['members', 'args.m.all(k, k in args.m)', { m: members(10) }, { m: members(3000) }],
    ['equality', 'args.l == args.m', { l: [1], m: [1] }, { l: numbers(50_000), m: numbers(50_000) }],
    [
      'search',
      'args.t.contains(args.u)',
      { t: 'xaab', u: 'aab' },
      { t: 'a'.repeat(200_000), u: `${'a'.repeat(100_000)}b` },
    ],
    [
      'search for a place',
      'args.t.indexOf(args.u) == 1',
      { t: 'xaab', u: 'aab' },
      { t: 'a'.repeat(200_000), u: `${'a'.repeat(300)}b${'a'.repeat(50_000)}` },
    ],
    [
      'pieces between long texts',
      'args.t.split(args.u).size() > 0',
      { t: 'a,b', u: ',' },
      { t: 'a'.repeat(30_000), u: `${'a'.repeat(300)}b${'a'.repeat(15_000)}` },
    ],
    ['a list among numbers', '!(args.l in args.l)', { l: numbers(10) }, { l: numbers(1000) }],
    ['letters', 'args.t.lowerAscii() == args.u', { t: 'A', u: 'a' }, { t: 'A'.repeat(900_000), u: '' }],
    ['pieces', 'args.t.split(",").size() > 0', { t: 'a,b' }, { t: ','.repeat(900_000) }],
    [
      'texts that double',
      `${'[args.t]'}${'.map(x, x + x)'.repeat(8)}.exists(x, x != "")`,
      { t: 'a' },
      { t: 'a'.repeat(10_000) },
    ],
    [
      'patterns',
      'args.t.matches("^(a+)+$") || args.t.matches("^(a|aa)+b?$")',
      { t: 'aaa' },
      { t: 'a'.repeat(100_000) },
    ],
  ])('%s: small ones are judged, large ones are refused', (_, when, small, large) => {
    expect(decide(when, small).effect).toBe('allow')
    expect(decide(when, large)).toEqual({ effect: 'deny', reason: 'condition_failed', rule: 'rule-1' })
    // A deny that gives up denies.
    expect(decide(`!(${when})`, small, 'deny').effect).toBe('allow')
    expect(decide(`!(${when})`, large, 'deny').reason).toBe('condition_failed')
  })

  it('matches linearly what a backtracking matcher would not end with', () => {
    expect(decide('args.t.matches("^(a+)+$")', { t: `${'a'.repeat(30)}!` }).reason).toBe('no_rule_allows')
    expect(decide('args.t.matches("(x+x+)+y")', { t: 'x'.repeat(30) }).reason).toBe('no_rule_allows')
    expect(decide('args.t.matches("^(a+)+$")', { t: 'a'.repeat(30) }).effect).toBe('allow')
  })

  it('shares one bound among all conditions of a decision', () => {
    const dear = { allow: ['a/b'], to: ['*'], when: 'args.l.exists(x, x < 0)' }
    const judge = (count: number) =>
      createPolicy(
        {
          policy: policy.parse({
            rules: [...Array(count).fill(dear), { allow: ['a/b'], to: ['*'], when: 'args.l.size() > 1' }],
          }),
          roles: {},
          servers: [],
        },
        LANGUAGE,
      ).decide({
        principal: ann,
        server: 'a',
        method: 'tools/call',
        kind: 'tool',
        name: 'b',
        args: { l: numbers(300) },
      })
    expect(judge(1).effect).toBe('allow')
    expect(judge(100).reason).toBe('condition_failed')
    // And the next decision has its own.
    expect(judge(1).effect).toBe('allow')
  })
})

describe('a condition has no way out of its language', () => {
  it.each([
    'constructor.constructor("return process")()',
    'args.constructor.constructor("return process")',
    '"".constructor.constructor("return 1")() == 1',
    'this.process.exit()',
    'globalThis.process',
    'process.env.HOME == "x"',
    'require("fs")',
    'while(true)',
    'while (true) {}',
    '(() => true)()',
    'args.x = true',
    'eval("1")',
    '`${1}` == "1"',
    '{{7*7}}',
    'args.t.format([1])',
    'cel.bind(x, true, x)',
    'google.protobuf.Any{type_url: "x"} == args',
  ])('%s is refused where it is written', (when) => {
    expect(conditionFlaw(when)).toBeDefined()
  })

  it.each(['__proto__', 'constructor', 'prototype', 'toString', 'valueOf'])(
    'args.%s is a member like any other',
    (name) => {
      expect(decide(`has(args.${name})`, {}).reason).toBe('no_rule_allows')
      expect(decide(`args.${name}.${name} == 1`, {}).reason).toBe('condition_failed')
      expect(decide(`args.${name} == "x"`, JSON.parse(`{"${name}":"x"}`)).effect).toBe('allow')
      expect(decide(`principal.claims.${name} == 1`, {}).reason).toBe('condition_failed')
    },
  )
})

describe('URIs that callers write', () => {
  const { decide: judge } = createPolicy({
    policy: policy.parse({
      rules: [{ allow: ['resource:a/x:/{one}-{two}/{three}-{four}/{+rest}', 'resource:a/*x*x*x*x*x*y'], to: ['*'] }],
    }),
    roles: {},
    servers: [],
  })
  const read = (name: string) =>
    judge({ principal: ann, server: 'a', method: 'resources/read', kind: 'resource', name }).effect

  it.each(['{a*}'.repeat(20_000), `x:/${'-'.repeat(50_000)}`, `x:/${'a-'.repeat(50_000)}`, 'x'.repeat(100_000)])(
    'are matched in one pass: %#',
    (uri) => {
      expect(read(uri)).toBe('deny')
    },
  )

  it('and those that match are allowed', () => {
    expect(read('x:/1-2/3-4/5/6')).toBe('allow')
    expect(read(`x:/1-2/3-4/${'{a*}'.repeat(20)}`)).toBe('allow')
    expect(read('axbxcxdxexfy')).toBe('allow')
  })
})
