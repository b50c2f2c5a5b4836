import { describe, expect, it } from 'vitest'
import { longestTokenTtl, tokenScopes, tokens } from './tokens.ts'

const DAY = 86_400_000

describe('the longest life of an API token', () => {
  it.each<[object, number]>([
    [{}, 7 * DAY],
    [{ preset: 'development' }, 30 * DAY],
    [{ preset: 'production' }, 7 * DAY],
    [{ preset: 'ci' }, DAY],
    [{ preset: 'ci', maxTtl: '90d' }, 90 * DAY],
  ])('%j: %d ms', (given, expected) => {
    expect(longestTokenTtl(tokens.parse(given))).toBe(expected)
  })
})

describe('scopes a token can be bound to', () => {
  const scopes = { 'mcp:tools': {}, 'github:read': {} }
  it.each<[string[], string[]]>([
    [[], ['mcp:tools', 'github:read']],
    [['github:read', 'openid'], ['github:read']],
    [
      ['openid', 'email'],
      ['mcp:tools', 'github:read'],
    ],
  ])('with oauth.allowedScopes %j: %j', (allowedScopes, expected) => {
    expect(tokenScopes({ scopes, oauth: { allowedScopes } })).toEqual([...expected, 'portcullis:decide'])
  })
})
