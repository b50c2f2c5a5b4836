// Decisions as a table, and the index against a decision that reads every rule.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { stdioConfig } from '../../test/support/configured.ts'
import { policy } from '../config/policy.ts'
import type { Call, Decision, TargetKind } from '../protocol/decision.ts'
import { ANONYMOUS, type Principal } from '../protocol/principal.ts'
import { createPolicy } from './create.ts'
import { isNormalUri } from './normal-uri.ts'
import { compileRules, type Rule } from './rules.ts'
import type { Subject } from './subject.ts'

const person = (over: Partial<Principal> = {}): Principal => ({
  ...ANONYMOUS,
  kind: 'person',
  subject: 'u1',
  email: 'ann@example.com',
  method: 'access_token',
  ...over,
})
const METHODS: Record<TargetKind, string> = {
  tool: 'tools/call',
  prompt: 'prompts/get',
  resource: 'resources/read',
  method: 'logging/setLevel',
}
const call = (principal: Principal, server: string, kind: TargetKind, name: string): Call => ({
  principal,
  server,
  kind,
  name,
  method: kind === 'method' ? name : METHODS[kind],
})
const create = (rules: unknown[], roles: Record<string, string[]> = {}) =>
  createPolicy({ policy: policy.parse({ rules }), roles, servers: [] })
const tool = (rules: unknown[], name: string, principal = person(), server = 'github') =>
  create(rules).decide(call(principal, server, 'tool', name))

describe('decide', () => {
  it('denies without a rule', () => {
    expect(tool([], 'search')).toEqual({ effect: 'deny', reason: 'no_rule_allows', rule: undefined })
  })

  it('allows by the first rule that matches, denies over it wherever the deny stands', () => {
    const allow = { allow: ['github/search*'], to: ['*'] }
    const deny = { id: 'never', deny: ['*/search_private'], to: ['user:ann@example.com'] }
    expect(tool([allow, { allow: ['*/*'], to: ['*'] }], 'search')).toEqual({
      effect: 'allow',
      reason: 'allowed_by_rule',
      rule: 'rule-1',
    })
    expect(tool([allow, deny], 'search_private')).toEqual({ effect: 'deny', reason: 'denied_by_rule', rule: 'never' })
    expect(tool([deny, allow], 'search_private').rule).toBe('never')
    expect(tool([deny, allow], 'search_public').effect).toBe('allow')
    expect(tool([deny, allow], 'search_private', person({ email: 'bob@example.com' })).effect).toBe('allow')
  })

  it.each([
    ['*', person(), true],
    ['*', ANONYMOUS, false],
    ['anonymous', ANONYMOUS, true],
    ['anonymous', person(), false],
    ['user:anonymous', ANONYMOUS, false],
    ['user:Ann@Example.com', person(), true],
    ['user:ann@example.com', person({ email: undefined }), false],
    ['user:u1', person({ email: undefined }), true],
    ['group:eng', person({ groups: ['eng'] }), true],
    ['group:eng', person({ groups: ['Eng'], roles: ['eng'], teams: ['eng'] }), false],
    ['role:admin', person({ roles: ['admin'] }), true],
    ['team:red', person({ teams: ['red'] }), true],
    ['client:https://agent.example/id', person({ client: 'https://agent.example/id' }), true],
    ['client:other', person({ client: 'https://agent.example/id' }), false],
  ])('%s is for %j: %s', (to, principal, allowed) => {
    expect(tool([{ allow: ['github/*'], to: [to] }], 'search', principal).effect).toBe(allowed ? 'allow' : 'deny')
  })

  it('keeps kinds apart, and opens a server entirely by server/*', () => {
    const tools = create([{ allow: ['github/s*'], to: ['*'] }])
    const whole = create([{ allow: ['github/*'], to: ['*'] }])
    for (const kind of ['prompt', 'resource'] as const) {
      expect(tools.decide(call(person(), 'github', kind, 'search')).effect).toBe('deny')
      expect(whole.decide(call(person(), 'github', kind, 'search')).effect).toBe('allow')
    }
    expect(whole.decide(call(person(), 'gitlab', 'tool', 'search')).effect).toBe('deny')
  })

  it('opens bare methods to whoever sees part of the server, unless a rule names them', () => {
    const rules = [{ allow: ['github/search'], to: ['group:eng'] }]
    const level = (principal: Principal, all: unknown[]) =>
      create(all).decide(call(principal, 'github', 'method', 'logging/setLevel'))
    const engineer = person({ groups: ['eng'] })
    expect(level(engineer, rules)).toMatchObject({ effect: 'allow', rule: 'rule-1' })
    expect(level(person(), rules)).toMatchObject({ effect: 'deny', reason: 'no_rule_allows' })
    expect(level(engineer, [...rules, { deny: ['method:*/logging/*'], to: ['*'] }])).toMatchObject({
      effect: 'deny',
      rule: 'rule-2',
    })
    expect(level(engineer, [...rules, { deny: ['github/sea*'], to: ['*'] }]).effect).toBe('deny')
  })

  it('takes one spelling of a resource only, where rules tell resources apart', () => {
    const read = (all: unknown[], uri: string) => create(all).decide(call(person(), 'files', 'resource', uri))
    const open = [{ allow: ['resource:files/file:///public/*'], to: ['*'] }]
    expect(read(open, 'file:///public/a%20b.txt').effect).toBe('allow')
    for (const uri of [
      'file:///public/../private',
      'file:///public/%2e%2e/x',
      'file:///public/..%2fx',
      'file:///public/..\\x',
    ])
      expect(read(open, uri)).toMatchObject({ effect: 'deny', reason: 'resource_uri_not_normal' })
    const fenced = [
      { allow: ['files/*'], to: ['*'] },
      { deny: ['resource:files/file:///private/*'], to: ['*'] },
    ]
    expect(read(fenced, 'FILE:///private/a').effect).toBe('deny')
    expect(read(fenced, 'file:///%70rivate/a').effect).toBe('deny')
    expect(read(fenced, 'file:///public/a').effect).toBe('allow')
    // Nothing to slip past: the whole server is open.
    expect(read([{ allow: ['files/*'], to: ['*'] }], 'file:///public/../private').effect).toBe('allow')
  })

  const fenced = create([
    { allow: ['files/*'], to: ['*'] },
    {
      deny: ['resource:files/file:///secret/*', 'resource:files/https://intra.example/*', 'resource:files/file:///é!'],
      to: ['*'],
    },
  ])
  const readFenced = (uri: string) => fenced.decide(call(person(), 'files', 'resource', uri)).effect
  it.each([
    'file:/secret/a',
    'file:secret/a',
    'file://localhost/secret/a',
    'file:////secret/a',
    'file:///secret%2fa',
    ' file:///secret/a',
    '\u00a0file:///secret/a',
    'file:///secret/a\0',
    'fi\tle:///secret/a',
    'file:///x\t/../secret/a',
    'file:///.\n./secret/a',
    'https:intra.example/a',
    'https:///intra.example/a',
    'https://INTRA.example/a',
    'https://intra.example:443/a',
    'https://intra.example./a',
    'https://intra。example/a',
    'https://ｉntra.example/a',
    'https://u@intra.example/a',
    'file:///%c3%a9%21',
    'file:///é!?x#y',
  ])('denies another spelling of what is denied: %j', (uri) => {
    expect(readFenced(uri)).toBe('deny')
  })

  it.each([
    'file:///public/a',
    'file:/public/a',
    'file:///docs/{path}',
    'https://x',
    'https://X.example:443/a?b=https%3A%2F%2Fy#c',
    'https://x/{user}@y',
    'postgres://user@host/db',
    'note://Mine/a%2fb',
    'greeting',
  ])('allows any spelling of what is not: %j', (uri) => {
    expect(readFenced(uri)).toBe('allow')
  })

  it('allows what a rule names in either form, and nothing that a parser takes out of it', () => {
    const rules = create([
      {
        allow: [
          'resource:files/https://x',
          'resource:files/file:///docs/{id}',
          'resource:files/https://a.example*',
          'resource:files/file:///pub/../*',
        ],
        to: ['*'],
      },
    ])
    const read = (uri: string) => rules.decide(call(person(), 'files', 'resource', uri)).effect
    for (const uri of ['https://x', 'https://x/', 'file:///docs/{id}', 'file:///docs/%7Bid%7D', 'https://a.example'])
      expect([uri, read(uri)]).toEqual([uri, 'allow'])
    for (const uri of ['https://x/y', 'file:///docs/a/b', 'file:///etc', 'https://a.example:80@b/', 'https://y'])
      expect([uri, read(uri)]).toEqual([uri, 'deny'])
  })

  it('opens a method that the standard does not know by a rule for it, or for the whole server', () => {
    const wipe = (...allow: string[]) =>
      create([{ allow, to: ['*'] }]).decide(call(person(), 'u', 'method', 'vendor/wipe'))
    expect(wipe('u/one', 'prompt:u/*', 'method:u/vendor/read')).toMatchObject({
      effect: 'deny',
      reason: 'no_rule_allows',
    })
    expect(wipe('u/one', 'method:u/vendor/*').effect).toBe('allow')
    expect(wipe('u/*').effect).toBe('allow')
  })

  it('gives a role of the configuration to its members', () => {
    const { decide } = create([{ allow: ['github/*'], to: ['role:analyst'] }], { analyst: ['group:data'] })
    expect(decide(call(person({ groups: ['data'] }), 'github', 'tool', 'x')).effect).toBe('allow')
    expect(decide(call(person(), 'github', 'tool', 'x')).effect).toBe('deny')
  })
})

describe('view', () => {
  const view = (rules: unknown[], principal = person()) => create(rules).view(principal, 'github')
  it.each([
    ['no rule', [], 'none'],
    ['another server', [{ allow: ['gitlab/*'], to: ['*'] }], 'none'],
    ['all of it', [{ allow: ['github/*'], to: ['*'] }], 'all'],
    ['all of all', [{ allow: ['*/*'], to: ['*'] }], 'all'],
    ['some tools', [{ allow: ['github/s*'], to: ['*'] }], 'some'],
    [
      'all but some',
      [
        { allow: ['*/*'], to: ['*'] },
        { deny: ['git*/w*'], to: ['*'] },
      ],
      'some',
    ],
    [
      'a deny for others',
      [
        { allow: ['*/*'], to: ['*'] },
        { deny: ['*/w*'], to: ['group:x'] },
      ],
      'all',
    ],
    [
      'a deny of methods',
      [
        { allow: ['*/*'], to: ['*'] },
        { deny: ['method:*/logging/*'], to: ['*'] },
      ],
      'all',
    ],
    [
      'all denied',
      [
        { allow: ['*/*'], to: ['*'] },
        { deny: ['github/*'], to: ['*'] },
      ],
      'none',
    ],
    [
      'each allow denied',
      [
        { allow: ['github/a*', 'github/b'], to: ['*'] },
        { deny: ['*/a*', '*/b*'], to: ['*'] },
      ],
      'none',
    ],
    [
      'one allow alive',
      [
        { allow: ['github/a*', 'github/b'], to: ['*'] },
        { deny: ['*/a*'], to: ['*'] },
      ],
      'some',
    ],
  ])('%s: %s → %s', (_, rules, expected) => {
    expect(view(rules)).toBe(expected)
  })
})

// The reference: every rule read in order, patterns matched by definition.
function matches(pattern: string, text: string): boolean {
  if (pattern === '') return text === ''
  if (pattern.startsWith('*')) {
    return matches(pattern.slice(1), text) || (text !== '' && matches(pattern, text.slice(1)))
  }
  return text.startsWith(pattern.charAt(0)) && text !== '' && matches(pattern.slice(1), text.slice(1))
}

/** An anonymous caller is nobody else: neither `*` nor a user who happens to have that name. */
function isSubject(subject: Subject, principal: Principal): boolean {
  if (principal.kind === 'anonymous') return subject.type === 'anonymous'
  switch (subject.type) {
    case 'signed_in':
      return true
    case 'anonymous':
      return false
    case 'user':
      return subject.value === principal.email || subject.value === principal.subject
    case 'client':
      return subject.value === principal.client
    case 'group':
      return principal.groups.includes(subject.value)
    case 'role':
      return principal.roles.includes(subject.value)
    case 'team':
      return principal.teams.includes(subject.value)
    case 'token':
      return subject.value === principal.tokenId
    case 'claim':
      return principal.claims?.[subject.path] === subject.value
  }
}

function reads(rule: Rule, { principal, server, kind, name }: Call): boolean {
  return (
    rule.subjects.some((subject) => isSubject(subject, principal)) &&
    rule.targets.some(
      (target) =>
        matches(target.server.pattern, server) &&
        (target.kind === 'everything' || (target.kind === kind && matches(target.name.pattern, name))),
    )
  )
}

/** For calls that name something; bare methods and odd URIs have their own tests above. */
function slowDecide(rules: readonly Rule[], of: Call): Decision {
  const deny = rules.find((rule) => rule.effect === 'deny' && reads(rule, of))
  if (deny) return { effect: 'deny', reason: 'denied_by_rule', rule: deny.id }
  const allow = rules.find((rule) => rule.effect === 'allow' && reads(rule, of))
  if (allow) return { effect: 'allow', reason: 'allowed_by_rule', rule: allow.id }
  return { effect: 'deny', reason: 'no_rule_allows', rule: undefined }
}

const pattern = fc.stringMatching(/^[ab*]{1,4}$/)
const word = fc.stringMatching(/^[ab*]{1,5}$/)
const value = fc.constantFrom('a', 'b', 'ann@example.com')
const target = fc
  .tuple(fc.constantFrom('', 'prompt:', 'resource:'), fc.oneof(fc.constantFrom('a', 'b', '*'), pattern), pattern)
  .map(([prefix, server, name]) => `${prefix}${server}/${name}`)
const subject = fc.oneof(
  fc.constantFrom('*', 'anonymous'),
  fc.tuple(fc.constantFrom('user', 'group', 'role', 'team', 'client'), value).map(([type, name]) => `${type}:${name}`),
)
const rule = fc
  .tuple(
    fc.boolean(),
    fc.array(target, { minLength: 1, maxLength: 3 }),
    fc.array(subject, { minLength: 1, maxLength: 2 }),
  )
  .map(([allow, targets, to]) => (allow ? { allow: targets, to } : { deny: targets, to }))
const names = fc.subarray(['a', 'b'])
const principal = fc.oneof(
  { weight: 1, arbitrary: fc.constant(ANONYMOUS) },
  {
    weight: 6,
    arbitrary: fc
      .record({
        subject: value,
        groups: names,
        roles: names,
        teams: names,
        client: fc.option(value, { nil: undefined }),
      })
      .map(person),
  },
)
const named = fc
  .tuple(
    principal,
    fc.constantFrom('a', 'b', 'ab', 'ba'),
    fc.constantFrom<TargetKind>('tool', 'prompt', 'resource'),
    word,
  )
  .map(([who, server, kind, name]) => call(who, server, kind, name))

describe('decide, for any rules and calls', () => {
  const configurations = fc.record({
    rules: fc.array(rule, { maxLength: 8 }),
    servers: fc.subarray(['a', 'ab']),
    calls: fc.array(named, { minLength: 8, maxLength: 8 }),
  })
  const build = (rules: unknown[], ids: string[]) =>
    createPolicy({
      policy: policy.parse({ rules }),
      roles: {},
      servers: ids.map((id) => stdioConfig({ id, command: ['true'] })),
    })

  it('answers as reading every rule would: 16,000 cases', () => {
    fc.assert(
      fc.property(configurations, ({ rules, servers, calls }) => {
        const built = build(rules, servers)
        const written = compileRules(policy.parse({ rules }), {})
        for (const each of calls) expect(built.decide(each)).toEqual(slowDecide(written, each))
      }),
      { numRuns: 2000 },
    )
  })

  it('agrees with the view: nothing callable where it is none, everything where it is all', () => {
    fc.assert(
      fc.property(configurations, ({ rules, servers, calls }) => {
        const built = build(rules, servers)
        for (const each of calls) {
          const view = built.view(each.principal, each.server)
          const { effect } = built.decide(each)
          if (view === 'none') expect(effect).toBe('deny')
          if (view === 'all') expect(effect).toBe('allow')
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('never throws, whatever the names', () => {
    const anything = fc.string({ unit: 'binary', maxLength: 40 })
    fc.assert(
      fc.property(
        anything,
        anything,
        fc.constantFrom<TargetKind>('tool', 'prompt', 'resource', 'method'),
        (server, name, kind) => {
          const built = create([
            { allow: ['*/a*', 'resource:*/*b', 'method:*/*'], to: ['*'] },
            { deny: ['*/*z'], to: ['*'] },
          ])
          expect(['allow', 'deny']).toContain(built.decide(call(person(), server, kind, name)).effect)
        },
      ),
    )
  })
})

describe('isNormalUri', () => {
  it.each([
    ['file:///a/b.txt', true],
    ['file:///a/..b/c..', true],
    ['file:///a/.hidden', true],
    ['note://MyNote/a%20b', true],
    ['greeting', true],
    ['file:///a/./b', false],
    ['file:///a/..', false],
    ['file:///a/.%2E/b', false],
    ['file:///a%2f..%2Fb', false],
    ['file:..', false],
    ['..', false],
    ['file:///a\\b', false],
    ['file:///%61', false],
    ['File:///a', false],
  ])('%s: %s', (uri, normal) => {
    expect(isNormalUri(uri)).toBe(normal)
  })
})
