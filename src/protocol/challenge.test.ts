import { describe, expect, it } from 'vitest'
import { bearerChallenge } from './challenge.ts'
import { BearerError } from './errors.ts'

const resource = { url: 'https://mcp.example/servers/a/mcp', title: 'A', server: 'a', scopes: ['mcp:tools'] }

describe('RFC 6750 §3, RFC 9728 §5.1', () => {
  it('names the metadata document and the scopes, and no error when no credential came', () => {
    expect(bearerChallenge(new BearerError(undefined, 'no_credential', 'x'), resource)).toBe(
      'Bearer resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/servers/a/mcp", scope="mcp:tools"',
    )
  })
  it('leaves to a later challenge what only some operations need', () => {
    const wide = { ...resource, scopes: ['mcp:tools', 'notes:delete'], stepUpScopes: ['notes:delete'] }
    expect(bearerChallenge(new BearerError(undefined, 'no_credential', 'x'), wide)).toContain('scope="mcp:tools"')
    const needed = new BearerError('insufficient_scope', 'scope_missing', 'More.', ['mcp:tools', 'notes:delete'])
    expect(bearerChallenge(needed, wide)).toContain('scope="mcp:tools notes:delete"')
  })
  it('carries the error of a refused credential', () => {
    expect(bearerChallenge(new BearerError('invalid_token', 'expired', 'Not valid.'), resource)).toMatch(
      /^Bearer error="invalid_token", error_description="Not valid\."/,
    )
  })
  it('names every scope an operation needs', () => {
    expect(
      bearerChallenge(new BearerError('insufficient_scope', 'scope_missing', 'More.', ['a', 'b']), resource),
    ).toContain('scope="a b"')
  })
  it('cannot be split or broken out of by its values', () => {
    const challenge = bearerChallenge(new BearerError('invalid_token', 'x', 'a"b\\c\r\nX: y\u0085'), resource)
    expect(challenge).toContain('error_description="a\\"b\\\\cX: y"')
  })
})
