import { describe, expect, it } from 'vitest'
import { grantableScopes, scopeTitle } from './scopes.ts'

const RESOURCE = ['mcp:tools', 'mcp:write']

describe('RFC 6749 §3.3: the scopes of an authorization', () => {
  it.each([
    ['absent: the default set', undefined, [], RESOURCE],
    ['empty: the default set', '', [], RESOURCE],
    [
      'identity only: the default set beside it',
      'offline_access openid',
      [],
      ['offline_access', 'openid', ...RESOURCE],
    ],
    ['some of the resource: exactly those', 'mcp:tools', [], ['mcp:tools']],
    ['order and repetition mean nothing', 'mcp:write mcp:tools mcp:write', [], ['mcp:write', 'mcp:tools']],
    ['unknown ones are dropped', 'mcp:tools admin', [], ['mcp:tools']],
    ['only unknown ones: nothing, not the default', 'admin root', [], []],
    ['allowedScopes drops the others', 'openid mcp:tools mcp:write', ['openid', 'mcp:tools'], ['openid', 'mcp:tools']],
    ['allowedScopes holds for the default set too', undefined, ['mcp:tools'], ['mcp:tools']],
    ["Google's aliases count", 'https://www.googleapis.com/auth/userinfo.email mcp:tools', [], ['email', 'mcp:tools']],
    ["a list that names none of the resource's scopes is about identity", undefined, ['openid', 'email'], RESOURCE],
    ['and still drops identity scopes', 'openid profile', ['openid', 'email'], ['openid', ...RESOURCE]],
    ['case matters', 'MCP:TOOLS', [], []],
  ])('%s', (_name, asked, allowed, expected) => {
    expect(grantableScopes(asked, { scopes: RESOURCE }, allowed)).toEqual(expected)
  })

  it('leaves out of the default set what only some operations need', () => {
    const resource = { scopes: RESOURCE, stepUpScopes: ['mcp:write'] }
    expect(grantableScopes(undefined, resource, [])).toEqual(['mcp:tools'])
    expect(grantableScopes('offline_access', resource, [])).toEqual(['offline_access', 'mcp:tools'])
    expect(grantableScopes('mcp:tools mcp:write', resource, [])).toEqual(['mcp:tools', 'mcp:write'])
  })

  it('has words for a person', () => {
    expect(scopeTitle('mcp:tools', { 'mcp:tools': { title: 'Call tools' } })).toBe('Call tools')
    expect(scopeTitle('email', {})).toBe('See your e-mail address')
    expect(scopeTitle('other', {})).toBe('other')
  })
})
