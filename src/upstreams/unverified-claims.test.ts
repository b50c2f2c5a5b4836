import { describe, expect, it } from 'vitest'
import { unverifiedClaims, unverifiedExpiry } from './unverified-claims.ts'

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

describe('what a token says of itself', () => {
  it('is read of a JWT', () => {
    const token = `${part({ alg: 'none' })}.${part({ exp: 10, aud: 'a' })}.signature`
    expect(unverifiedClaims(token)).toEqual({ exp: 10, aud: 'a' })
    expect(unverifiedExpiry(token)).toBe(10_000)
  })

  it.each([
    'opaque',
    'three.words.here',
    `a.${part({ exp: 10 })}`,
    `a.${part({ exp: 10 })}.b.c`,
    `a.${part([10])}.b`,
    `a.${part(null)}.b`,
  ])('is nothing of %s', (token) => {
    expect(unverifiedClaims(token)).toBeUndefined()
    expect(unverifiedExpiry(token)).toBeUndefined()
  })

  it('is no expiry where that is no number', () =>
    expect(unverifiedExpiry(`a.${part({ exp: '10' })}.b`)).toBeUndefined())
})
