// What an API token is confined to: calls and lists by one function, and nothing that policy hides is told.
import { describe, expect, it } from 'vitest'
import { policy } from '../config/policy.ts'
import { decideInquiry } from '../mcp/decide.ts'
import { targetOf } from '../mcp/target.ts'
import type { TargetKind } from '../protocol/decision.ts'
import { BearerError } from '../protocol/errors.ts'
import { ANONYMOUS, type Principal } from '../protocol/principal.ts'
import { createPolicy } from './create.ts'
import { isReachWithin } from './reach.ts'
import { createScopeGate } from './scopes.ts'

const RULES = [
  { allow: ['*/*'], to: ['*'] },
  { deny: ['github/delete_*', 'hidden/*'], to: ['*'] },
]
const gate = createPolicy({ policy: policy.parse({ rules: RULES }), roles: {}, servers: [] })
const { checkScopes } = createScopeGate({ scopes: {}, requiredScopes: [] })
const holder = (...reach: string[]): Principal => ({
  ...ANONYMOUS,
  kind: 'person',
  subject: 'u1',
  method: 'api_token',
  reach,
})
const decide = (principal: Principal, server: string, kind: TargetKind, name: string) =>
  gate.decide({ principal, server, kind, name, method: kind === 'method' ? name : 'tools/call' })

/** What the MCP door does: `allow`, `hidden`, or the reason of a refusal that is said aloud. */
async function ask(principal: Principal, server: string, method: string, params: Record<string, unknown> = {}) {
  const target = targetOf(method, params)
  const request = { address: '192.0.2.1', at: 0, era: 'legacy' } as const
  try {
    const inquiry = { principal, server, method, wordless: false, params, target, request }
    const { effect } = await decideInquiry({ policy: gate, checkScopes }, inquiry)
    return effect === 'allow' ? 'allow' : 'hidden'
  } catch (error) {
    expect(error).toMatchObject({ code: 'insufficient_scope', status: 403 })
    return error instanceof BearerError ? error.reason : undefined
  }
}

describe('a token with a reach', () => {
  const reader = holder('github/get_*', 'resource:docs/file:///public/*')

  it.each([
    ['a tool it reaches', 'github', { name: 'get_issue' }, 'allow'],
    ['another tool', 'github', { name: 'create_issue' }, 'outside_token'],
    ['a tool of that name elsewhere', 'docs', { name: 'get_issue' }, 'outside_token'],
    ['a tool that policy hides', 'github', { name: 'delete_issue' }, 'hidden'],
  ])('at %s', async (_what, server, params, outcome) =>
    expect(await ask(reader, server, 'tools/call', params)).toBe(outcome),
  )

  it('may shake hands and list where it reaches something, and nowhere else', async () => {
    for (const method of ['initialize', 'ping', 'tools/list', 'logging/setLevel']) {
      expect(await ask(reader, 'github', method)).toBe('allow')
      expect(await ask(reader, 'mail', method)).toBe('outside_token')
    }
    expect(await ask(reader, 'github', 'vendor/wipe')).toBe('outside_token')
  })

  it('reads resources in one spelling only, and listens to no others', async () => {
    const read = (uri: string) => ask(reader, 'docs', 'resources/read', { uri })
    expect(await read('file:///public/a')).toBe('allow')
    for (const uri of ['file:///private/a', 'file:///public/../private/a', 'file:///public/%2e%2e/private/a'])
      expect(await read(uri)).not.toBe('allow')
    const listen = (...resourceSubscriptions: string[]) =>
      ask(reader, 'docs', 'subscriptions/listen', { notifications: { resourceSubscriptions } })
    expect([await listen('file:///public/a'), await listen('file:///public/a', 'file:///b')]).toEqual([
      'allow',
      'outside_token',
    ])
  })

  it('sees lists through the same function', () => {
    const seen = ['get_issue', 'create_issue', 'delete_issue'].filter(
      (name) => decide(reader, 'github', 'tool', name).effect === 'allow',
    )
    expect(seen).toEqual(['get_issue'])
    expect([gate.view(reader, 'github'), gate.view(reader, 'mail'), gate.view(reader, 'hidden')]).toEqual([
      'some',
      'some',
      'none',
    ])
  })

  it('that reaches a whole server sees what its owner does', async () => {
    const whole = holder('mail/*', 'github/*')
    expect([gate.view(whole, 'mail'), gate.view(whole, 'github'), gate.view(whole, 'docs')]).toEqual([
      'all',
      'some',
      'some',
    ])
    expect(await ask(whole, 'mail', 'vendor/wipe')).toBe('allow')
    expect(await ask(whole, 'github', 'tools/call', { name: 'delete_issue' })).toBe('hidden')
  })

  it('that reaches nothing may do nothing, and without one all its owner may', async () => {
    expect(await ask(holder(), 'github', 'ping')).toBe('outside_token')
    expect(await ask({ ...holder(), reach: undefined }, 'github', 'tools/call', { name: 'create_issue' })).toBe('allow')
  })
})

describe('isReachWithin', () => {
  it.each([
    [['github/get_issue'], ['github/get_*'], true],
    [['github/get_*'], ['github/*'], true],
    [['github/*'], ['*/*'], true],
    [['resource:docs/file:///a/*'], ['docs/*'], true],
    [['github/get_*', 'mail/send'], ['github/*'], false],
    [['github/*'], ['github/get_*'], false],
    [['*/get_issue'], ['github/*'], false],
    [['prompt:github/x'], ['github/x*'], false],
    [['git*/x'], ['github/*'], false],
    [[], [], true],
  ])('%j in %j: %s', (inner, outer, within) => expect(isReachWithin(inner, outer)).toBe(within))
})
