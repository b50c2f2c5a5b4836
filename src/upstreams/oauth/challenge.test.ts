import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseBearerChallenge, scopesOf } from './challenge.ts'

describe('RFC 9110 §11.6.1, RFC 6750 §3: the challenge', () => {
  it.each([
    ['Bearer', { error: undefined, scopes: [], resourceMetadata: undefined }],
    [
      'Bearer error="insufficient_scope", scope="a b", resource_metadata="https://x/y"',
      { error: 'insufficient_scope', scopes: ['a', 'b'], resourceMetadata: 'https://x/y' },
    ],
    ['bearer SCOPE=one', { error: undefined, scopes: ['one'], resourceMetadata: undefined }],
    [
      'Basic realm="scope=\\"x\\", Bearer", Bearer resource_metadata="https://x/y", DPoP scope="no"',
      { error: undefined, scopes: [], resourceMetadata: 'https://x/y' },
    ],
    ['Bearer scope="a", scope="b"', { error: undefined, scopes: ['a'], resourceMetadata: undefined }],
    ['Bearer realm="a \\"quoted\\" one", error=x', { error: 'x', scopes: [], resourceMetadata: undefined }],
  ])('%s', (field, expected) => expect(parseBearerChallenge(field)).toEqual(expected))

  it.each([undefined, '', 'Basic realm="Bearer"', 'DPoP scope="a"', 'x'.repeat(10_000)])('%s has none', (field) =>
    expect(parseBearerChallenge(field)).toBeUndefined(),
  )

  it('of anything at all is read in time, and never throws', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 9000 }), (field) => {
        const parsed = parseBearerChallenge(`Bearer ${field}`)
        expect(parsed === undefined || Array.isArray(parsed.scopes)).toBe(true)
      }),
    )
  })

  it('RFC 6749 §3.3: keeps what can be a scope, each once', () => {
    expect(scopesOf('a  b a "c" d\\e ü f')).toEqual(['a', 'b', 'f'])
    expect(scopesOf(7)).toEqual([])
  })
})
