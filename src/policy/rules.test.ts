// Which rules are taken, and which are refused before anything listens.
import { describe, expect, it } from 'vitest'
import { policy } from '../config/policy.ts'
import { compileRules } from './rules.ts'

const compile = (rules: unknown[], roles: Record<string, string[]> = {}) => compileRules(policy.parse({ rules }), roles)

describe('compileRules', () => {
  it('names rules by their place where they have no id', () => {
    const rules = compile([
      { allow: ['a/*'], to: ['*'] },
      { id: 'no-writes', deny: ['a/write_*'], to: ['*'] },
      { allow: ['b/*'], to: ['*'] },
    ])
    expect(rules.map(({ id, effect }) => [id, effect])).toEqual([
      ['rule-1', 'allow'],
      ['no-writes', 'deny'],
      ['rule-3', 'allow'],
    ])
  })

  it('reads the kinds of targets', () => {
    const [rule] = compile([
      { allow: ['a/*', 'a/**', 'a/x*', 'prompt:a/*', 'resource:a/file:///b/*', 'method:a/logging/*'], to: ['*'] },
    ])
    expect(rule?.targets.map(({ kind, server, name }) => [kind, server.pattern, name.pattern])).toEqual([
      ['everything', 'a', '*'],
      ['everything', 'a', '*'],
      ['tool', 'a', 'x*'],
      ['prompt', 'a', '*'],
      ['resource', 'a', 'file:///b/*'],
      ['method', 'a', 'logging/*'],
    ])
  })

  it('gives a rule for a role to the role’s members', () => {
    const [rule] = compile([{ allow: ['a/*'], to: ['role:analyst'] }], {
      analyst: ['group:data', 'user:Ann@Example.com'],
    })
    expect(rule?.subjects).toEqual([
      { type: 'role', value: 'analyst' },
      { type: 'group', value: 'data' },
      { type: 'user', value: 'ann@example.com' },
    ])
  })

  it('takes a role without members, whatever it is called', () => {
    const [rule] = compile([{ allow: ['a/*'], to: ['role:constructor'] }])
    expect(rule?.subjects).toEqual([{ type: 'role', value: 'constructor' }])
  })

  it('refuses a wildcard among subjects, since it would match nobody', () => {
    expect(() => compile([{ deny: ['a/*'], to: ['user:*@partner.example'] }])).toThrow(/wildcard/)
    expect(() => compile([{ deny: ['a/*'], to: ['role:guest'] }], { guest: ['group:ext-*'] })).toThrow(/wildcard/)
  })

  it('refuses a method target that looks as if it reached calls', () => {
    expect(() => compile([{ deny: ['method:a/tools/call'], to: ['*'] }])).toThrow(/tools\/call/)
    expect(() => compile([{ allow: ['method:a/tools/call'], to: ['*'] }])).toThrow(/tools\/call/)
    expect(() => compile([{ deny: ['method:a/*'], to: ['*'] }])).toThrow(/whole server/)
    expect(compile([{ deny: ['method:a/logging/setLevel'], to: ['*'] }])).toHaveLength(1)
    expect(compile([{ allow: ['method:a/*'], to: ['*'] }])).toHaveLength(1)
  })

  it.each([
    'completion/complete',
    'completion/*',
    'resources/subscribe',
    'resources/unsub*',
    'initialize',
    'ping',
    'server/*',
    'notifications/initialized',
  ])('refuses a deny that would stop nothing: %s', (name) => {
    expect(() => compile([{ deny: [`method:a/${name}`], to: ['*'] }])).toThrow(/is open to|goes by what it names/)
  })

  it.each(['notifications/*', 'notifications/vendor/wipe', 'tools/list', 'vendor/*', 'subscriptions/listen'])(
    'takes a deny that stops something: %s',
    (name) => {
      expect(compile([{ deny: [`method:a/${name}`], to: ['*'] }])).toHaveLength(1)
    },
  )
})
