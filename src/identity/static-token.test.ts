import { describe, expect, it } from 'vitest'
import { staticTokenFlaw } from '../config/static-token.ts'
import { STATIC_USER, staticTokenWay } from './static-token.ts'

const TOKEN = 'kH7-vPq2_wZs9LrT4yXb6NcD8mFg3JtR'

describe('the fixed token', () => {
  const way = staticTokenWay(TOKEN)
  it('is one caller', () => {
    expect(way.isMine(TOKEN)).toBe(true)
    const nothing = {
      field: () => [],
      query: '',
      address: '',
      transport: { trusted: false, peer: '', certificate: () => undefined },
    }
    expect(way.prove(TOKEN, nothing, { server: undefined, resources: [] })).toMatchObject({
      kind: 'service',
      subject: STATIC_USER,
      email: undefined,
      scopeRule: 'none',
    })
  })

  it.each(['', TOKEN.slice(1), TOKEN.slice(0, -1), `${TOKEN}x`, TOKEN.toLowerCase(), ` ${TOKEN}`])(
    'is no other token: %j',
    (token) => {
      expect(way.isMine(token)).toBe(false)
    },
  )
})

describe('a fixed token in the configuration', () => {
  it.each([
    TOKEN,
    'f3a9c1d47e0b82566b1f0d9e4c7a2385f3a9c1d47e0b82566b1f0d9e4c7a2385',
    'Zm9vYmFyYmF6cXV4MTIzIVRoaXNJc0xvbmc=',
  ])('is taken: %s', (token) => expect(staticTokenFlaw(token)).toBeUndefined())

  it.each([
    ['a-static-token', /guessed/],
    ['a'.repeat(64), /guessed/],
    ['abcabcabcabcabcabcabcabcabcabcabcabc', /guessed/],
    ['changeme-changeme-changeme-changeme-0192', /guessed/],
    ['my-secret-token-for-the-agent-0192-xyz', /guessed/],
    [`${TOKEN} `, /letters, digits/],
    [`${TOKEN}\u00e9`, /letters, digits/],
  ])('is refused: %s', (token, message) => expect(staticTokenFlaw(token)).toMatch(message))
})
