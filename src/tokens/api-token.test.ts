import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hashApiToken, isApiTokenForm, maskApiToken, mintApiToken } from './api-token.ts'

const token = mintApiToken(randomBytes)

describe('the form of an API token', () => {
  it('is a prefix, thirty random letters and digits, six that check them', () => {
    expect(token).toMatch(/^pc_[0-9A-Za-z]{36}$/)
    expect(isApiTokenForm(token)).toBe(true)
  })

  it('draws every letter alike: bytes that would favour some are thrown away', () => {
    const bytes = Uint8Array.from({ length: 30 }, (_, at) => (at % 2 === 0 ? 255 : 61))
    expect(mintApiToken(() => bytes).slice(3, 33)).toBe('z'.repeat(30))
    const seen = new Set(Array.from({ length: 200 }, () => mintApiToken(randomBytes).slice(3, 33)).join(''))
    expect(seen.size).toBe(62)
    expect(new Set(Array.from({ length: 200 }, () => mintApiToken(randomBytes))).size).toBe(200)
  })

  it('shows every letter that was changed, and every one that is missing or too many', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: token.length - 1 }),
        fc.constantFrom(...'0aZ_-. é\n'),
        (at, letter) => letter === token[at] || !isApiTokenForm(token.slice(0, at) + letter + token.slice(at + 1)),
      ),
    )
    for (const other of [token.slice(0, -1), `${token}0`, `${token}\n`, ` ${token}`, token.toUpperCase(), ''])
      expect(isApiTokenForm(other)).toBe(false)
  })

  it('is told from one that only shares its beginning, however long', () => {
    const long = `pc_${'a'.repeat(200)}`
    expect([isApiTokenForm(long), hashApiToken(`${long}b`, 'k') === hashApiToken(`${long}c`, 'k')]).toEqual([
      false,
      false,
    ])
  })
})

describe('what is kept of it', () => {
  it('is a hash that the key belongs to, and a mask', () => {
    expect(hashApiToken(token, 'one')).toMatch(/^[A-Za-z0-9_-]{43}$/)
    expect(hashApiToken(token, 'one')).not.toBe(hashApiToken(token, 'other'))
    expect(maskApiToken(token)).toBe(`${token.slice(0, 6)}…${token.slice(-4)}`)
  })
})
