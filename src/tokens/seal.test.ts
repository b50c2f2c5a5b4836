import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seal, unseal } from './seal.ts'

const newer = { key: randomBytes(32) }
const older = { key: randomBytes(32) }

describe('sealed text', () => {
  it('opens for what it was made for, also with a key that seals no more', () => {
    const text = seal([older], 'place\0ann', { a: 1 })
    expect(unseal([newer, older], 'place\0ann', text)).toEqual({ a: 1 })
    expect(unseal([older], 'place\0ann', seal([newer, older], 'place\0ann', { a: 1 }))).toBeUndefined()
  })

  it('does not open elsewhere, nor with a key that is gone', () => {
    const text = seal([older], 'place\0ann', { a: 1 })
    expect(unseal([older], 'place\0bob', text)).toBeUndefined()
    expect(unseal([newer], 'place\0ann', text)).toBeUndefined()
  })

  it('has one spelling, and shows nothing of what it holds', () => {
    const text = seal([newer], '', { secret: 'in the clear' })
    expect(Buffer.from(text, 'base64url').toString('latin1')).not.toContain('in the clear')
    for (const other of [`${text}=`, `${text}==`, ` ${text}`, `${text}\n`, `${text}A`, text.slice(0, -1), ''])
      expect(unseal([newer], '', other)).toBeUndefined()
  })

  it('does not open with any character changed', () => {
    const text = seal([newer], '', { a: 'one' })
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.constantFrom(...'ABCxyz019-_'), (at, letter) => {
        fc.pre(text[at] !== letter)
        expect(unseal([newer], '', text.slice(0, at) + letter + text.slice(at + 1))).toBeUndefined()
      }),
    )
  })

  it('is not made without a key', () => {
    expect(() => seal([], '', {})).toThrow(TypeError)
  })
})
