// What scopes open and what a challenge asks for.
import { describe, expect, it } from 'vitest'
import { scopes } from '../config/scopes.ts'
import type { Call, TargetKind } from '../protocol/decision.ts'
import { BearerError, OperatorError } from '../protocol/errors.ts'
import { ANONYMOUS, type Principal } from '../protocol/principal.ts'
import { createScopeGate } from './scopes.ts'

const SCOPES = scopes.parse({
  'mcp:tools': { title: 'All', covers: ['*/*'] },
  'github:read': { title: 'Read', covers: ['github/get_*', 'github/search_*'] },
  'github:write': { title: 'Write', covers: ['github/*_issue'] },
  'files:read': { title: 'Files', covers: ['resource:files/file:///pub/*'] },
})
const holder = (...scopes: string[]): Principal => ({
  ...ANONYMOUS,
  scopeRule: 'covers',
  kind: 'person',
  subject: 'u1',
  method: 'access_token',
  scopes,
})
const call = (principal: Principal, server: string, name: string, kind: TargetKind = 'tool'): Call => ({
  principal,
  server,
  kind,
  name,
  method: kind === 'method' ? name : 'tools/call',
})
const needs = (gate: ReturnType<typeof createScopeGate>, of: Call): readonly string[] | 'passes' => {
  try {
    gate.checkScopes(of.principal, of)
    return 'passes'
  } catch (error) {
    expect(error).toBeInstanceOf(BearerError)
    expect(error).toMatchObject({ code: 'insufficient_scope', reason: 'scope_missing', status: 403 })
    return error instanceof BearerError ? error.scopes : []
  }
}

describe('checkScopes', () => {
  const gate = createScopeGate({ scopes: SCOPES, requiredScopes: [] })

  it.each([
    ['file:///pub/a', true],
    ['file:/pub/a', false],
    ['file:///pub/\t../etc', false],
    ['file:///pub/../etc', false],
  ])('opens resources by one spelling: %j: %s', (uri, open) => {
    const asked = call(holder('files:read'), 'files', uri, 'resource')
    expect(needs(gate, asked) === 'passes').toBe(open)
  })

  it('opens by a part of a server the methods that the standard knows, and no others', () => {
    const asked = (name: string) => needs(gate, call(holder('github:read'), 'github', name, 'method'))
    expect(asked('tools/list')).toBe('passes')
    expect(asked('vendor/wipe')).toEqual(['mcp:tools'])
    expect(needs(gate, call(holder('mcp:tools'), 'github', 'vendor/wipe', 'method'))).toBe('passes')
  })
  const strict = createScopeGate({ scopes: SCOPES, requiredScopes: ['openid', 'email'] })

  it('passes what a held scope covers, and asks for the narrowest that would', () => {
    expect(needs(gate, call(holder('mcp:tools'), 'github', 'get_issue'))).toBe('passes')
    expect(needs(gate, call(holder('github:read'), 'github', 'get_repo'))).toBe('passes')
    expect(needs(gate, call(holder('github:read'), 'github', 'create_issue'))).toEqual(['github:write'])
    expect(needs(gate, call(holder(), 'gitlab', 'get_repo'))).toEqual(['mcp:tools'])
    expect(needs(gate, call(holder('unknown', 'toString'), 'gitlab', 'get_repo'))).toEqual(['mcp:tools'])
  })

  it('keeps kinds apart, and opens bare methods with any part of the server', () => {
    expect(needs(gate, call(holder('files:read'), 'files', 'file:///pub/a', 'resource'))).toBe('passes')
    expect(needs(gate, call(holder('files:read'), 'files', 'file:///pub/a', 'tool'))).toEqual(['mcp:tools'])
    expect(needs(gate, call(holder('files:read'), 'files', 'logging/setLevel', 'method'))).toBe('passes')
    expect(needs(gate, call(holder('files:read'), 'github', 'logging/setLevel', 'method'))).not.toBe('passes')
  })

  it('names everything the call needs in one challenge, held or not', () => {
    expect(needs(strict, call(holder('openid', 'email', 'mcp:tools'), 'github', 'x'))).toBe('passes')
    expect(needs(strict, call(holder('openid', 'mcp:tools'), 'github', 'x'))).toEqual(['openid', 'email', 'mcp:tools'])
    expect(needs(strict, call(holder('openid'), 'github', 'get_x'))).toEqual(['openid', 'email', 'github:read'])
  })

  it('knows Google’s long name of a required scope', () => {
    const aliased = ['https://www.googleapis.com/auth/userinfo.email']
    const google = createScopeGate({ scopes: SCOPES, requiredScopes: aliased })
    expect(google.scopesFor('gitlab')).toEqual(['email', 'mcp:tools'])
    expect(needs(google, call(holder('email', 'mcp:tools'), 'gitlab', 'x'))).toBe('passes')
    expect(needs(google, call(holder('mcp:tools'), 'gitlab', 'x'))).toEqual(['email', 'mcp:tools'])
  })

  it('leaves callers without a credential to the rules for them', () => {
    expect(needs(strict, call(ANONYMOUS, 'github', 'x'))).toBe('passes')
  })

  it('refuses a scope that covers nothing sensible', () => {
    const bad = { title: '', covers: ['github'], requiredFor: [] }
    expect(() => createScopeGate({ scopes: { bad }, requiredScopes: [] })).toThrow(OperatorError)
  })
})

describe('requiredFor', () => {
  const gate = createScopeGate({
    scopes: scopes.parse({
      'mcp:tools': { title: 'All' },
      'github:read': { title: 'Read', covers: ['github/get_*'] },
      'github:danger': { title: 'Danger', requiredFor: ['github/delete_*', 'resource:github/file:///secret/*'] },
      'github:purge': { title: 'Purge', covers: ['github/*'], requiredFor: ['github/*_all'] },
      'files:any': { title: 'Files', requiredFor: ['files/*'] },
    }),
    requiredScopes: ['openid'],
  })
  const held = (...names: string[]) => holder('openid', ...names)

  it('opens nothing where it says nothing of what it covers', () => {
    expect(needs(gate, call(held('github:danger'), 'github', 'delete_repo'))).toEqual([
      'openid',
      'github:danger',
      'github:purge',
    ])
  })

  it('names every scope that the call needs, beside one that covers it', () => {
    expect(needs(gate, call(held('mcp:tools'), 'github', 'delete_all'))).toEqual([
      'openid',
      'github:danger',
      'github:purge',
      'mcp:tools',
    ])
    expect(needs(gate, call(held('github:read'), 'github', 'get_all'))).toEqual([
      'openid',
      'github:purge',
      'github:read',
    ])
    expect(needs(gate, call(held('mcp:tools', 'github:danger'), 'github', 'delete_repo'))).toBe('passes')
    expect(needs(gate, call(held('github:danger', 'github:purge'), 'github', 'delete_all'))).toBe('passes')
  })

  it('leaves other calls, and bare methods, alone', () => {
    for (const name of ['get_repo', 'create_repo']) {
      expect(needs(gate, call(held('mcp:tools'), 'github', name))).toBe('passes')
      expect(needs(gate, call(held('mcp:tools'), 'github', name, 'prompt'))).toBe('passes')
    }
    expect(needs(gate, call(held('mcp:tools'), 'github', 'tools/list', 'method'))).toBe('passes')
  })

  it('of a whole server is needed for all of it', () => {
    expect(needs(gate, call(held('mcp:tools'), 'files', 'ping', 'method'))).toEqual([
      'openid',
      'files:any',
      'mcp:tools',
    ])
    expect(needs(gate, call(held('mcp:tools', 'files:any'), 'files', 'ping', 'method'))).toBe('passes')
  })

  it.each([
    ['file:///secret/a', true],
    ['file:/secret/a', true],
    ['file:///public/../secret/a', true],
    ['FILE:///secret/a', true],
    ['file:///public/a', false],
  ])('is asked for by any spelling of a resource: %s: %s', (uri, needed) => {
    const asked = needs(gate, call(held('mcp:tools'), 'github', uri, 'resource'))
    expect(asked !== 'passes' && asked.includes('github:danger')).toBe(needed)
  })

  it('holds for tokens that do not speak of what our scopes cover, and not for those who came without one', () => {
    const foreign: Principal = { ...holder('openid'), scopeRule: 'required' }
    expect(needs(gate, call(foreign, 'github', 'delete_repo'))).toEqual(['openid', 'github:danger'])
    expect(needs(gate, call({ ...foreign, scopes: ['openid', 'github:danger'] }, 'github', 'delete_repo'))).toBe(
      'passes',
    )
    expect(needs(gate, call({ ...foreign, scopeRule: 'none' }, 'github', 'delete_repo'))).toBe('passes')
  })

  it('is in what a server’s clients may be granted, and of them what is asked for later', () => {
    expect(gate.scopesFor('github')).toEqual(['openid', 'mcp:tools', 'github:read', 'github:danger', 'github:purge'])
    expect(gate.stepUpScopesFor('github')).toEqual(['github:danger', 'github:purge'])
    expect(gate.stepUpScopesFor('files')).toEqual([])
    expect(gate.requiredScopesFor('files')).toEqual(['openid', 'files:any'])
    expect(gate.isCovered('files')).toBe(true)
  })

  it.each([
    [['mcp:tools'], true],
    [['github:read'], true],
    [['mcp:tools', 'github:danger'], true],
    [['mcp:tools', 'github:danger', 'github:purge'], false],
    [[], true],
  ])('calls have to be looked at while something is missing: %j: %s', (names, apart) => {
    expect(gate.tellsCallsApart(held(...names), 'github')).toBe(apart)
    expect(gate.tellsCallsApart(ANONYMOUS, 'github')).toBe(false)
  })
})

describe('scopesFor', () => {
  const gate = createScopeGate({ scopes: SCOPES, requiredScopes: ['openid'] })
  it('advertises what touches the server, and what every token must hold', () => {
    expect(gate.scopesFor('github')).toEqual(['openid', 'mcp:tools', 'github:read', 'github:write'])
    expect(gate.scopesFor('gitlab')).toEqual(['openid', 'mcp:tools'])
    expect(gate.scopesFor()).toEqual(['openid', ...Object.keys(SCOPES)])
  })
})
