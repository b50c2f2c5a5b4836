// The engine against a second telling of what rules mean, and lists against calls.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { policy } from '../config/policy.ts'
import { compileCondition } from '../protocol/condition/compile.ts'
import { createPolicy } from './create.ts'
import { ARGUMENTS, call, holds, isAllowed, rule, speaksOf, type ToldRule, written } from './reference.support.ts'

const build = (rules: readonly ToldRule[]) =>
  createPolicy(
    { policy: policy.parse({ rules: rules.map(written) }), roles: {}, servers: [] },
    { compile: compileCondition },
  )
const rules = fc.array(rule, { minLength: 1, maxLength: 8 })
const calls = fc.array(fc.tuple(call, fc.constantFrom(...ARGUMENTS)), { minLength: 8, maxLength: 8 })

const HERE = { address: '192.0.2.1', at: 0, era: 'modern' } as const

describe('policy with conditions, for any rules and calls', () => {
  it('decides as the reference does, and names a rule that says so: 16,000 cases', () => {
    fc.assert(
      fc.property(rules, calls, (told, asked) => {
        const built = build(told)
        for (const [one, args] of asked) {
          const made = { ...one, args }
          const { effect, reason, rule: id } = built.decide(made)
          expect(effect).toBe(isAllowed(told, made) ? 'allow' : 'deny')
          const named = id === undefined ? undefined : told[Number(id.slice('rule-'.length)) - 1]
          if (named === undefined) {
            expect(reason).toBe('no_rule_allows')
            continue
          }
          expect(speaksOf(named, made)).toBe(true)
          expect([named.effect, holds(named, made)]).toEqual(
            {
              allowed_by_rule: ['allow', true],
              denied_by_rule: ['deny', true],
              condition_failed: [named.effect, undefined],
            }[reason],
          )
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('lists whatever some arguments could call: 6,400 things with 24 arguments each', () => {
    fc.assert(
      fc.property(rules, calls, (told, asked) => {
        const built = build(told)
        for (const [one] of asked) {
          const callable = ARGUMENTS.some((args) => isAllowed(told, { ...one, args }))
          if (callable) expect(built.couldAllow(one).effect).toBe('allow')
        }
      }),
      { numRuns: 800 },
    )
  })

  it('lists exactly what is callable, where the request is known and no condition reads arguments', () => {
    const plain = rules.filter((told) =>
      told.every(({ when, unless }) => !`${when?.text}${unless?.text}`.includes('args')),
    )
    fc.assert(
      fc.property(plain, calls, (told, asked) => {
        const built = build(told)
        for (const [one, args] of asked) {
          const known = { ...one, request: one.request ?? HERE }
          expect(built.couldAllow(known)).toEqual(built.decide({ ...known, args }))
        }
      }),
      { numRuns: 500 },
    )
  })

  it('agrees with the view: nothing callable where it is none, everything where it is all', () => {
    fc.assert(
      fc.property(rules, calls, (told, asked) => {
        const built = build(told)
        for (const [one, args] of asked) {
          const view = built.view(one.principal, one.server)
          const { effect } = built.decide({ ...one, args })
          if (view === 'none') expect(effect).toBe('deny')
          if (view === 'all') expect(effect).toBe('allow')
        }
      }),
      { numRuns: 600 },
    )
  })

  it('asks a view’s own rules, and of the server underneath the denials alone', () => {
    fc.assert(
      fc.property(rules, calls, (told, asked) => {
        const built = build(told)
        for (const [one, args] of asked) {
          const through = { ...one, server: 'a', args }
          const underlying = { ...one, server: 'b', args }
          const denied = told.some(
            (each) => each.effect === 'deny' && speaksOf(each, underlying) && holds(each, underlying) !== false,
          )
          const allowed = isAllowed(told, through) && !denied
          expect(built.decideThrough(through, underlying).effect).toBe(allowed ? 'allow' : 'deny')
          if (allowed) expect(built.couldAllowThrough(through, underlying).effect).toBe('allow')
        }
      }),
      { numRuns: 600 },
    )
  })
})
