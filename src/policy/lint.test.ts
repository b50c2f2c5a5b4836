// Each finding with a set of rules that has it, and the one beside it that has not.
import { describe, expect, it } from 'vitest'
import { Config, type ConfigInput } from '../config/schema.ts'
import { compileCondition } from '../protocol/condition/compile.ts'
import { lintPolicy } from './lint.ts'
import { compileRules } from './rules.ts'

const SERVERS = [
  { id: 'github', url: 'http://127.0.0.1:1/mcp' },
  { id: 'files', url: 'http://127.0.0.1:2/mcp' },
]
type Seen = Record<string, readonly string[]>

function kindsOf(rules: readonly object[], more: object = {}, seen?: Seen): string[] {
  const config = Config.parse({ servers: SERVERS, policy: { rules }, ...more } as ConfigInput)
  const compiled = compileRules(config.policy, config.roles, compileCondition)
  const known = seen && new Map(Object.entries(seen).map(([server, names]) => [server, new Set(names)]))
  return lintPolicy({ config, rules: compiled, seen: known }).map(
    ({ kind, rule, at }) => `${kind} ${rule ?? at.join('.')}`,
  )
}

const allow = (id: string, target: string, over: object = {}) => ({ id, allow: [target], to: ['*'], ...over })
const deny = (id: string, target: string, over: object = {}) => ({ id, deny: [target], to: ['*'], ...over })
const FINE = allow('fine', 'github/*')

describe('policy lint', () => {
  it.each([
    ['a server that there is not', [FINE, allow('gone', 'gitlab/*')], ['unknown_server gone']],
    ['a pattern of servers that matches one', [FINE, allow('some', 'fil*/*')], []],
    [
      'a denial of all that a rule allows',
      [allow('a', 'github/read', { to: ['group:x'] }), deny('d', 'github/re*'), FINE],
      ['shadowed a'],
    ],
    ['a denial of a part of it', [allow('a', 'github/re*', { to: ['group:x'] }), deny('d', 'github/read')], []],
    [
      'a denial for others',
      [allow('a', 'github/read', { to: ['group:x'] }), deny('d', 'github/read', { to: ['group:y'] })],
      [],
    ],
    [
      'a denial with a condition',
      [allow('a', 'github/read', { to: ['group:x'] }), deny('d', 'github/read', { when: 'args.n > 1' })],
      [],
    ],
    ['an allow that adds nothing', [FINE, allow('more', 'github/read', { to: ['group:x'] })], ['repeated more']],
    ['the second of two that say the same', [FINE, allow('twin', 'github/*')], ['repeated twin']],
    [
      'an allow for callers without a credential beside one for the others',
      [FINE, allow('a', 'files/x', { to: ['group:y'] })],
      [],
    ],
    ['a denial of what nobody may', [FINE, deny('idle', 'files/rm')], ['idle_deny idle']],
    ['a denial of a part of what some may', [FINE, deny('d', '*/delete_*')], []],
    ['a condition that is always true', [FINE, allow('c', 'files/x', { when: '1 == 1' })], ['constant_condition c']],
    [
      'a condition that is never met',
      [FINE, deny('c', 'github/x', { unless: 'true || args.n > 1' })],
      ['constant_condition c'],
    ],
    ['a condition that hangs on the caller', [FINE, allow('c', 'files/x', { when: "'a' in principal.roles" })], []],
    [
      'a rule for callers who may not come',
      [FINE, allow('open', 'files/x', { to: ['anonymous'] })],
      ['never_matches open'],
    ],
  ])('finds %s', (_what, rules, expected) => {
    expect(kindsOf(rules)).toEqual(expected)
  })

  it('finds no fault with anonymous callers who may come, nor with claims that allow', () => {
    expect(kindsOf([FINE, allow('open', 'files/x', { to: ['anonymous'] })], { auth: { anonymous: true } })).toEqual([])
    expect(
      kindsOf([FINE, deny('d', 'files/rm')], { policy: { resourceAccess: {}, rules: [deny('d', 'files/rm')] } }),
    ).toEqual([])
  })

  it('finds tools that no server has shown, where servers have shown theirs', () => {
    const rules = [allow('a', 'github/creat_issue'), allow('b', 'github/create_*'), allow('c', 'files/anything')]
    expect(kindsOf(rules, {}, { github: ['create_issue'] })).toEqual(['unknown_tool a'])
    expect(kindsOf(rules)).toEqual([])
  })

  it('finds roles, scopes and limits that say nothing', () => {
    const more = {
      roles: { used: ['group:x'], idle: ['group:y'], empty: [] },
      scopes: {
        all: { title: 'All', covers: ['*/*'] },
        none: { title: 'None', covers: ['gitlab/*'] },
        shut: { title: 'Shut', covers: ['files/rm'] },
      },
      limits: [
        { id: 'l', match: 'gitlab/*', rate: '1/s' },
        { id: 'm', match: 'github/*', rate: '1/s' },
      ],
    }
    expect(kindsOf([allow('a', 'github/*', { to: ['role:used'] })], more)).toEqual([
      'idle_role roles.idle',
      'empty_role roles.empty',
      'idle_scope scopes.none',
      'idle_scope scopes.shut',
      'unknown_server limits.0',
    ])
  })

  it('finds picks of virtual servers that nobody can reach', () => {
    const view = { id: 'desk', tools: ['github/read', { from: 'github/write', name: 'put' }, 'files/rm', 'files/ls'] }
    const more = { servers: [...SERVERS, view] }
    const rules = [allow('a', 'desk/read'), allow('b', 'desk/put'), allow('c', 'desk/rm'), deny('d', 'files/rm')]
    expect(kindsOf(rules, more)).toEqual(['unreachable_pick d', 'unreachable_pick servers.2.tools.3'])
  })
})
