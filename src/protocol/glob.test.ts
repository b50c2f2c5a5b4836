// Patterns of rules: only `*` is special, and no text makes one slow.
import { describe, expect, it } from 'vitest'
import { compileGlob } from './glob.ts'

describe('compileGlob', () => {
  it.each([
    ['search', 'search', true],
    ['search', 'searches', false],
    ['search', 'Search', false],
    ['*', '', true],
    ['search_*', 'search_', true],
    ['search_*', 'search', false],
    ['*_delete', 'repo_delete', true],
    ['*_delete', 'repo_deleted', false],
    ['a*b*c', 'abc', true],
    ['a*b*c', 'axxbyybzzc', true],
    ['a*b*c', 'acb', false],
    ['a*a', 'a', false],
    ['a*ab*b', 'ab', false],
    ['*ab*ab*', 'ab', false],
    ['*ab*ab*', 'abab', true],
    ['a**b', 'ab', true],
    ['a.c', 'abc', false],
    ['a?c', 'abc', false],
    ['[ab]', 'a', false],
    ['(a+)+$', 'aaaa', false],
    ['a*', 'a\nb', true],
  ])('%j and %j: %s', (pattern, text, matches) => {
    expect(compileGlob(pattern).matches(text)).toBe(matches)
  })

  it('tells literals and prefixes', () => {
    expect(compileGlob('read')).toMatchObject({ literal: true, prefix: 'read' })
    expect(compileGlob('read_*x')).toMatchObject({ literal: false, prefix: 'read_' })
  })

  it('answers a hostile text with a hostile pattern in one pass', () => {
    // With backtracking this is 2^40 steps, and the test would not end.
    const glob = compileGlob(`${'a*'.repeat(40)}b`)
    expect(glob.matches('a'.repeat(100_000))).toBe(false)
    expect(glob.matches(`${'a'.repeat(100_000)}b`)).toBe(true)
  })
})
