import { describe, expect, it } from 'vitest'
import { parseBoundedJson } from './bounded-json.ts'

const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)

describe('JSON of a server', () => {
  it('is read as JSON.parse reads it', () => {
    const value = { a: [1, 'x"]\\', { b: null }], c: '[{'.repeat(2000), '\\"': '\\'.repeat(3001) }
    expect(parseBoundedJson(JSON.stringify(value))).toEqual(value)
    expect(parseBoundedJson(`${JSON.stringify(value, undefined, 2)}\n`)).toEqual(value)
  })

  it('is refused where it is none', () => {
    for (const text of ['', '{', `"${'x'.repeat(3000)}`, `${'x'.repeat(3000)}"`, `{"a":1}${' '.repeat(3000)},`])
      expect(parseBoundedJson(text)).toBeUndefined()
  })

  it('is refused where it is deeper than can be written again, however it is closed', () => {
    expect(JSON.stringify(parseBoundedJson(nested(512)))).toBe(nested(512))
    expect(parseBoundedJson(nested(513))).toBeUndefined()
    expect(parseBoundedJson(`${'{"a":'.repeat(600)}1${'}'.repeat(600)}`)).toBeUndefined()
    expect(parseBoundedJson(nested(200_000))).toBeUndefined()
    // Side by side is not inside.
    expect(parseBoundedJson(`[${Array(1000).fill(nested(500)).join(',')}]`)).toHaveLength(1000)
  })

  it('is refused where it holds more values than memory should', () => {
    expect(parseBoundedJson(`[${Array(500_000).fill('{}').join(',')}]`)).toHaveLength(500_000)
    expect(parseBoundedJson(`[${Array(1_000_001).fill('{}').join(',')}]`)).toBeUndefined()
    expect(parseBoundedJson(`[${Array(1_000_002).fill('1').join(',')}]`)).toBeUndefined()
  })
})
