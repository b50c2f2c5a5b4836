import { expect, it } from 'vitest'
import { provedTokens } from './proved-tokens.ts'

const token = (name: string) => `${name}.${'x'.repeat(100)}`

it('knows a token by all of it, until its time is over', () => {
  let now = 1000
  const known = provedTokens<string>(() => now)
  known.keep(token('a'), 'ann', 2000)
  expect(known.recall(token('a'))).toBe('ann')
  // The same end is another token.
  expect(known.recall(token('b'))).toBeUndefined()
  now = 2000
  expect(known.recall(token('a'))).toBeUndefined()
  known.keep(`${token('a')}1`, 'ann', 2000)
  expect(known.recall(`${token('a')}1`)).toBeUndefined()
})

it('holds no more than it may: the oldest goes', () => {
  const known = provedTokens<number>(() => 0, 3)
  for (const n of [1, 2, 3, 4]) known.keep(`token-${n}`, n, 1)
  expect([1, 2, 3, 4].map((n) => known.recall(`token-${n}`))).toEqual([undefined, 2, 3, 4])
})
