// Names of many servers' things in one place: catalogue row E19, tool-name collision and shadowing.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createRegister, LONGEST_NAME, naming, safeName, type Thing } from './names.ts'

const prefixes = new Map<string, string | undefined>([
  ['a', undefined],
  ['a__b', undefined],
  ['github', 'gh_'],
  ['bare', ''],
])
const config = { naming: 'prefix', separator: '__' } as const
const claimAll = (things: readonly Thing[], strategy: 'prefix' | 'conflict' | 'none' = 'prefix') => {
  const namesFor = naming({ ...config, naming: strategy }, prefixes)
  const register = createRegister()
  return things.map((thing) => {
    const given = register.claim(thing, namesFor(thing))
    return typeof given === 'string' ? given : given.reason
  })
}
const thing = (server: string, name: string): Thing => ({ server, name })

describe('the prefix', () => {
  it.each([
    ['a', 'read', 'a__read'],
    ['github', 'search', 'gh_search'],
    ['bare', 'search', 'search'],
    ['unknown', 'x', 'unknown__x'],
  ])('%s/%s is %s', (server, name, shown) => {
    expect(claimAll([thing(server, name)])).toEqual([shown])
  })

  it('comes only with a name that is taken, where the strategy says so; the first keeps its own', () => {
    const things = [thing('a', 'search'), thing('github', 'search'), thing('github', 'other')]
    expect(claimAll(things, 'conflict')).toEqual(['search', 'gh_search', 'other'])
    expect(claimAll(things, 'none')).toEqual(['search', 'name_taken', 'other'])
  })
})

describe('two things never have one name', () => {
  it('whatever the separator is made of: who came first keeps it', () => {
    expect(claimAll([thing('a', 'b__c'), thing('a__b', 'c')])).toEqual(['a__b__c', 'name_taken'])
    expect(claimAll([thing('a__b', 'c'), thing('a', 'b__c')])).toEqual(['a__b__c', 'name_taken'])
    expect(claimAll([thing('github', 'search'), thing('bare', 'gh_search')])).toEqual(['gh_search', 'name_taken'])
  })

  it.each([
    ['case', 'Search', 'search'],
    ['a Cyrillic letter', 'search', 'seаrch'],
    ['composition', 'café', 'cafe\u0301'],
    ['full width', 'search', 'ｓearch'],
    ['a digit for a letter', 'file', 'fi1e'],
  ])('nor names that read alike: %s', (_what, first, second) => {
    const [one, other] = claimAll([thing('a', first), thing('a', second)])
    expect([typeof one, other]).toEqual(['string', 'looks_alike'])
  })

  it('and those that do not read alike are all shown', () => {
    expect(
      claimAll([thing('a', 'get-sum'), thing('a', 'get_sum'), thing('a', 'get.sum'), thing('a', 'getsum')]),
    ).toEqual(['a__get-sum', 'a__get_sum', 'a__get.sum', 'a__getsum'])
  })

  it.each(['', '\u0000x', 'a\nb', 'a\u202eb', 'zero\u200bwidth', 'x'.repeat(2000)])('%j is no name', (name) => {
    expect(claimAll([thing('a', name)])).toEqual(['name_illegal'])
  })
})

describe('a name that is shown', () => {
  it('fits a header and a model’s list, always the same way', () => {
    const long = safeName(`a__${'x'.repeat(300)}`, thing('a', 'x'.repeat(300)))
    expect(long).toHaveLength(LONGEST_NAME)
    expect(safeName(`a__${'x'.repeat(300)}`, thing('a', 'x'.repeat(300)))).toBe(long)
    expect(safeName('a__größe', thing('a', 'größe'))).toMatch(/^a__gr__e_[0-9a-f]{8}$/)
    expect(safeName('a__größe', thing('b', 'größe'))).not.toBe(safeName('a__größe', thing('a', 'größe')))
  })

  it('is unlike every other, plain ASCII and short, whatever servers call their things', () => {
    const things = fc.array(fc.record({ server: fc.constantFrom('a', 'a__b', 'github', 'bare'), name: fc.string() }))
    fc.assert(
      fc.property(things, fc.constantFrom('prefix', 'conflict', 'none'), (all, strategy) => {
        const shown = claimAll(all, strategy).filter((name) => !/^(name_taken|looks_alike|name_illegal)$/.test(name))
        expect(new Set(shown).size).toBe(shown.length)
        expect(new Set(shown.map((name) => name.toLowerCase())).size).toBe(shown.length)
        for (const name of shown) expect(name).toMatch(/^[A-Za-z0-9_.-]{1,64}$/)
      }),
    )
  })
})
