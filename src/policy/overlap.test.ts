import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileGlob } from '../protocol/glob.ts'
import { mayOverlap } from './overlap.ts'

describe('patterns that overlap', () => {
  it.each([
    ['a*', '*b', true],
    ['a*', 'b*', false],
    ['read_*', '*_file', true],
    ['a', 'a', true],
    ['a', 'ab', false],
    ['*', 'x', true],
    ['file:///home/{user}/{+path}', 'file:///home/ann/notes', true],
    ['file:///srv/*', 'file:///home/*', false],
  ])('%s and %s: %s', (one, other, expected) => {
    expect([mayOverlap(one, other), mayOverlap(other, one)]).toEqual([expected, expected])
  })

  it('are those that match one text', () => {
    const pattern = fc.stringMatching(/^[ab*]{0,5}$/)
    const texts = ['', ...['a', 'b'].flatMap((x) => [x, `${x}a`, `${x}b`, `${x}ab`, `${x}ba`, `${x}aab`, `${x}bab`])]
    fc.assert(
      fc.property(pattern, pattern, (one, other) => {
        const both = texts.some((text) => compileGlob(one).matches(text) && compileGlob(other).matches(text))
        if (both) expect(mayOverlap(one, other)).toBe(true)
      }),
    )
  })
})
