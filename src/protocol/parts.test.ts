// However a sender cuts its bytes, they are all there in their order, and few parts are kept of them.
import { describe, expect, it } from 'vitest'
import { addPart } from './parts.ts'

const BYTES = Buffer.from(Array.from({ length: 100_000 }, (_, at) => (at * 31) % 251))

/** `sizes` again and again. */
function cut(sizes: readonly number[]): Buffer[] {
  const parts: Buffer[] = []
  let turn = 0
  for (let at = 0; at < BYTES.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1
    addPart(parts, BYTES.subarray(at, at + size))
    at += size
  }
  return parts
}

describe('parts of one text', () => {
  it.each([
    ['of one byte', [1]],
    ['of one byte and two', [1, 2]],
    ['long and short', [3000, 1]],
    ['each shorter than the one before', Array.from({ length: 90 }, (_, at) => 90 - at)],
    ['short ones between large ones', [4096, 1, 1, 1]],
  ])('%s: joined, and none is lost', (_, sizes) => {
    const parts = cut(sizes)
    expect(Buffer.concat(parts).equals(BYTES)).toBe(true)
    expect(parts.length).toBeLessThan(BYTES.length / 500)
  })

  it('are not copied where they are large, nor where there is one', () => {
    const [whole, half] = [BYTES.subarray(0, 10), BYTES.subarray(0, 50_000)]
    const parts: Buffer[] = []
    addPart(parts, whole)
    addPart(parts, half)
    addPart(parts, half)
    expect(parts).toHaveLength(3)
    expect([parts[0] === whole, parts[1] === half, parts[2] === half]).toEqual([true, true, true])
  })
})
