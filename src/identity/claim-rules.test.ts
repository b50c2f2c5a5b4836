import { describe, expect, it } from 'vitest'
import { type ClaimValue, type IssuerConfig, issuers } from '../config/issuers.ts'
import { claimRules } from './claim-rules.ts'

function rulesOf(entry: object) {
  const [parsed] = issuers.parse([{ issuer: 'https://issuer.example', ...entry }])
  return claimRules(parsed as IssuerConfig)
}
const holds = (path: string, rule: { values: unknown; matchType?: ClaimValue['matchType'] }, claims: object) =>
  rulesOf({ claimValues: { [path]: rule } })({ ...claims }) === undefined

describe('requiredClaims', () => {
  const judge = rulesOf({ requiredClaims: ['email', 'org.id', 'https://example.com/tenant'] })
  const complete = { email: 'a@b.example', org: { id: 0 }, 'https://example.com/tenant': false }
  it('are there, whatever they say', () => expect(judge(complete)).toBeUndefined())
  it.each([
    ['one is missing', { ...complete, email: undefined }],
    ['one is null', { ...complete, email: null }],
    ['a part of its path is missing', { ...complete, org: {} }],
    ['a part of its path is text', { ...complete, org: 'id' }],
    ['it is only inherited', { org: { id: 1 }, 'https://example.com/tenant': 1, __proto__: { email: 'a@b.example' } }],
  ])('do not hold when %s', (_why, claims) => expect(judge(claims)).toBe('claim_required'))
})

describe('claimValues', () => {
  it.each<[string, object, boolean]>([
    ['the value', { tenant: 'acme' }, true],
    ['one of the values', { tenant: 'corp' }, true],
    ['a list of them', { tenant: ['corp', 'acme'] }, true],
    ['another', { tenant: 'acme-evil' }, false],
    ['another case', { tenant: 'ACME' }, false],
    ['one beside another', { tenant: ['acme', 'evil'] }, false],
    ['nothing', {}, false],
    ['an empty list', { tenant: [] }, false],
    ['null', { tenant: null }, false],
    ['an object', { tenant: { acme: true } }, false],
    ['a list in a list', { tenant: [['acme']] }, false],
  ])('exact: %s', (_what, claims, expected) => {
    expect(holds('tenant', { values: ['acme', 'corp'], matchType: 'exact' }, claims)).toBe(expected)
  })

  it('exact is what holds where nothing is said, of text, numbers and booleans, each as its own type', () => {
    expect(holds('level', { values: 3 }, { level: 3 })).toBe(true)
    expect(holds('level', { values: 3 }, { level: '3' })).toBe(false)
    expect(holds('mfa', { values: [true] }, { mfa: true })).toBe(true)
    expect(holds('mfa', { values: [true] }, { mfa: 'true' })).toBe(false)
  })

  it.each<[string, 'contains' | 'containsAll', object, boolean]>([
    ['one of them', 'contains', { groups: ['a', 'x'] }, true],
    ['none of them', 'contains', { groups: ['x'] }, false],
    ['as text', 'contains', { groups: 'a' }, true],
    ['inside a word', 'contains', { groups: 'not-a' }, false],
    ['among words', 'contains', { groups: 'x a' }, false],
    ['all of them', 'containsAll', { groups: ['x', 'b', 'a'] }, true],
    ['one is missing', 'containsAll', { groups: ['a'] }, false],
    ['nothing', 'containsAll', {}, false],
  ])('%s (%s)', (_what, matchType, claims, expected) => {
    expect(holds('groups', { values: ['a', 'b'], matchType }, claims)).toBe(expected)
  })

  it.each([
    ['scope', 'x a b', true],
    ['scope', 'x ab', false],
    ['scp', 'b a', true],
    ['scp', ['b', 'a'], true],
  ])('RFC 6749 §3.3: %s %j is a list', (name, said, expected) => {
    expect(holds(name, { values: ['a', 'b'], matchType: 'containsAll' }, { [name]: said })).toBe(expected)
  })

  it.each<[string, unknown, boolean]>([
    ['the whole', 'team-red', true],
    ['the end only', 'my-team-red', false],
    ['one of a list', ['x', 'team-blue'], true],
    ['a number', 7, false],
    ['more than is looked at', `team-${'a'.repeat(200)}`, false],
    ['a line more', 'team-red\n', false],
  ])('regex: %s', (_what, said, expected) => {
    expect(holds('team', { values: ['team-[a-z]+', 'owner'], matchType: 'regex' }, { team: said })).toBe(expected)
  })

  it('all of them hold, or the token does not', () => {
    const judge = rulesOf({ claimValues: { a: { values: '1' }, 'b.c': { values: '2' } } })
    expect(judge({ a: '1', b: { c: '2' } })).toBeUndefined()
    expect(judge({ a: '1', b: { c: '3' } })).toBe('claim_value')
  })
})
