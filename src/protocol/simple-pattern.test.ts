import { describe, expect, it } from 'vitest'
import { patternFlaw, wholeMatch } from './simple-pattern.ts'

describe('patterns of claim values', () => {
  it.each([
    'admin',
    'team-[a-z]+',
    '(?:dev|prod)-[a-z0-9]+',
    '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}',
    'https://[a-z]+\\.example\\.com/.*',
    'a\\+b\\*c\\?d\\(e\\)\\*',
    '[*+?(){}]',
    '(?<team>red|blue)(-old)?',
    '\\p{Lu}\\p{Ll}+',
  ])('%s is taken', (pattern) => expect(patternFlaw(pattern)).toBeUndefined())

  it.each([
    ['(', 'no regular expression'],
    ['a{2,1}', 'no regular expression'],
    ['(a+)+', 'repeating a group'],
    ['(a|a)*', 'repeating a group'],
    ['(?:x[)]y){2,}', 'repeating a group'],
    ['((a?){9}){9}', 'repeating a group'],
    ['.*.*.*.*x', 'at most 3'],
    ['a?a?a?a?aaaa', 'at most 3'],
    ['(a)\\1', 'back-references'],
    ['(?<x>a)\\k<x>', 'back-references'],
    ['(?=a)a', 'look-around'],
    ['(?<!b)a', 'look-around'],
  ])('%s is refused', (pattern, words) => expect(patternFlaw(pattern)).toContain(words))

  it('match the whole text, whatever alternatives they have', () => {
    const pattern = wholeMatch('admin|owner')
    expect(['admin', 'owner', 'admins', 'not-admin', 'admin\n'].map((text) => pattern.test(text))).toEqual([
      true,
      true,
      false,
      false,
      false,
    ])
  })

  it('that are taken come to an end on the worst text we hand them', () => {
    // With one more repetition, or inside one, a backtracking matcher would be at it for minutes.
    const worst = `${'a'.repeat(127)}!`
    expect(patternFlaw('a*a*a*b')).toBeUndefined()
    expect(wholeMatch('a*a*a*b').test(worst)).toBe(false)
  })
})
