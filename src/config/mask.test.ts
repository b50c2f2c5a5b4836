import { describe, expect, it } from 'vitest'
import { maskSecret, maskUrl } from './mask.ts'

describe('masking', () => {
  it.each([
    ['postgres://gate:word@db/x', 'postgres://gate:***@db/x'],
    ['postgres://gate:w@rd:x@db/x', 'postgres://gate:***@db/x'],
    ['postgres://db/x?user=a&password=word', 'postgres://db/x?user=a&password=***'],
    ['postgres://gate@db/x', 'postgres://gate@db/x'],
    ['sqlite:./data/x.db', 'sqlite:./data/x.db'],
    ['https://example.com/a:b@c', 'https://example.com/a:b@c'],
  ])('%s → %s', (url, masked) => {
    expect(maskUrl(url)).toBe(masked)
  })

  it('keeps names and hides values of a map', () => {
    expect(maskSecret({ Authorization: 'Bearer abc', Empty: '' }, true)).toEqual({ Authorization: '***', Empty: '' })
    expect(maskSecret(['a', 'b'], true)).toEqual(['***', '***'])
    expect(maskSecret('plain', false)).toBe('plain')
  })
})
