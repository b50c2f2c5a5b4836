import { expect, it } from 'vitest'
import { lifeOf } from './token-life.ts'

it.each([
  [3600, 3600],
  ['3600', 3600],
  [0.5, 0.5],
  [1e300, 1e300],
  [0, undefined],
  [-1, undefined],
  [Number.POSITIVE_INFINITY, undefined],
  ['', undefined],
  ['soon', undefined],
  ['-1', undefined],
  [null, undefined],
  [true, undefined],
  [[3600], undefined],
  [undefined, undefined],
])('%j seconds are a life of %j', (said, life) => {
  expect(lifeOf(said)).toBe(life)
})
