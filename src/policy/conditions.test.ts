// Rules with conditions, one rule of the guide a test: what a call is told, what a list shows, and what is kept of it.
import { describe, expect, it } from 'vitest'
import { policy } from '../config/policy.ts'
import { servers } from '../config/servers.ts'
import { compileCondition } from '../protocol/condition/compile.ts'
import type { Call } from '../protocol/decision.ts'
import { ANONYMOUS, type Principal } from '../protocol/principal.ts'
import { createPolicy, type PolicyNeeds } from './create.ts'

const ann: Principal = {
  ...ANONYMOUS,
  kind: 'person',
  subject: 'u1',
  email: 'ann@example.com',
  method: 'access_token',
  groups: ['finance'],
}
const POINTS = { opa: { type: 'opa', url: 'http://127.0.0.1:8181/v1/data/mcp/allow' } }
const create = (rules: unknown[], needs: PolicyNeeds = {}, more: object = {}) =>
  createPolicy(
    {
      policy: policy.parse({ rules, decisionPoints: POINTS, ...more }),
      roles: {},
      servers: servers.parse([
        { id: 'pay', url: 'http://127.0.0.1:1/mcp', name: 'ns/pay' },
        { id: 'github', url: 'http://127.0.0.1:2/mcp' },
        { id: 'support', tools: ['github/search_*'] },
      ]),
    },
    { compile: compileCondition, ...needs },
  )
const tool = (name: string, over: Partial<Call> = {}): Call => ({
  principal: ann,
  server: 'pay',
  method: 'tools/call',
  kind: 'tool',
  name,
  ...over,
})
const resource = (name: string, over: Partial<Call> = {}): Call => ({
  ...tool(name, over),
  method: 'resources/read',
  kind: 'resource',
})

describe('an allow with a condition', () => {
  const transfer = { id: 'small', allow: ['pay/transfer'], to: ['group:finance'], when: 'args.amount <= 1000' }

  it('holds for arguments that meet it, and shows the tool', () => {
    const { decide, couldAllow } = create([transfer])
    expect(decide(tool('transfer', { args: { amount: 1000 } }))).toEqual({
      effect: 'allow',
      reason: 'allowed_by_rule',
      rule: 'small',
    })
    expect(decide(tool('transfer', { args: { amount: 1000.5 } }))).toEqual({
      effect: 'deny',
      reason: 'no_rule_allows',
      rule: undefined,
    })
    expect(couldAllow(tool('transfer'))).toEqual({ effect: 'allow', reason: 'could_be_allowed', rule: 'small' })
    expect(couldAllow(tool('transfer', { principal: { ...ann, groups: [] } })).effect).toBe('deny')
  })

  it('does not hold where it cannot be evaluated', () => {
    const { decide } = create([transfer])
    for (const args of [undefined, {}, { amount: '5' }, { amount: null }, { amount: 2 ** 60 }])
      expect(decide(tool('transfer', { args }))).toEqual({ effect: 'deny', reason: 'condition_failed', rule: 'small' })
  })

  it('takes nothing for a yes but true', () => {
    const { decide } = create([{ allow: ['pay/*'], to: ['*'], when: 'args.confirm' }])
    const confirmed = (confirm: unknown) => decide(tool('transfer', { args: { confirm } })).effect
    expect(confirmed(true)).toBe('allow')
    for (const other of [false, 'true', 1, {}, [true], null]) expect(confirmed(other)).toBe('deny')
  })

  it('is not asked where a rule without one allows', () => {
    const { decide } = create([
      { allow: ['pay/*'], to: ['*'], when: 'args.x == 1' },
      { allow: ['pay/transfer'], to: ['*'] },
    ])
    expect(decide(tool('transfer')).rule).toBe('rule-2')
    expect(decide(tool('other')).reason).toBe('condition_failed')
  })
})

describe('a deny with a condition', () => {
  const rules = [
    { allow: ['pay/*'], to: ['*'] },
    { id: 'large', deny: ['pay/transfer'], to: ['*'], when: 'args.amount > 1000' },
  ]

  it('denies what meets it, leaves the rest, and hides nothing', () => {
    const { decide, couldAllow } = create(rules)
    expect(decide(tool('transfer', { args: { amount: 1001 } }))).toEqual({
      effect: 'deny',
      reason: 'denied_by_rule',
      rule: 'large',
    })
    expect(decide(tool('transfer', { args: { amount: 1000 } })).effect).toBe('allow')
    expect(couldAllow(tool('transfer')).effect).toBe('allow')
  })

  it('denies where it cannot be evaluated', () => {
    const { decide } = create(rules)
    for (const args of [undefined, {}, { amount: '1' }, { amount: [1] }])
      expect(decide(tool('transfer', { args }))).toEqual({ effect: 'deny', reason: 'condition_failed', rule: 'large' })
  })

  it('hides what no arguments could open', () => {
    const { couldAllow, view } = create([
      { allow: ['pay/*'], to: ['*'] },
      { deny: ['pay/*'], to: ['*'], unless: '"finance" in principal.groups' },
    ])
    expect(couldAllow(tool('transfer')).effect).toBe('allow')
    expect(view(ann, 'pay')).toBe('all')
    const bob = { ...ann, groups: [] }
    expect(couldAllow(tool('transfer', { principal: bob })).reason).toBe('denied_by_rule')
    expect(view(bob, 'pay')).toBe('none')
  })

  it('with arguments leaves the server’s own methods alone', () => {
    const { decide, view } = create([
      { allow: ['pay/*'], to: ['*'] },
      { deny: ['pay/*'], to: ['*'], when: 'args.force' },
    ])
    expect(decide(tool('tools/list', { kind: 'method', method: 'tools/list' })).effect).toBe('allow')
    expect(decide(tool('transfer', { args: { force: false } })).effect).toBe('allow')
    expect(decide(tool('transfer', { args: { force: true } })).effect).toBe('deny')
    expect(view(ann, 'pay')).toBe('some')
  })
})

describe('when and unless', () => {
  const { decide } = create([
    { allow: ['pay/*'], to: ['*'], when: 'args.n > 0', unless: 'args.s == "x"' },
    { deny: ['pay/no_*'], to: ['*'], when: 'args.n > 0', unless: 'args.s == "x"' },
  ])
  it.each([
    ['yes', { n: 1, s: 'a' }, 'allow'],
    ['yes', { n: 1, s: 'x' }, 'deny'],
    ['yes', { n: 0, s: 'a' }, 'deny'],
    ['yes', { n: 1 }, 'deny'],
    // What decides stands, whatever became of the other.
    ['no_deny', { n: 0 }, 'deny'],
  ])('%s with %j: %s', (name, args, effect) => {
    expect(decide(tool(name, { args })).effect).toBe(effect)
  })
})

describe('what conditions are told', () => {
  const decides = (when: string, of: Call) => create([{ allow: ['*/*', 'resource:*/*'], to: ['*'], when }]).decide(of)

  it.each<[string, Partial<Call>, string]>([
    ['principal.email.endsWith("@example.com") && !has(principal.client)', {}, 'allow'],
    ['principal.client == "cli"', {}, 'deny'],
    ['client.id == "cli" && principal.client == "cli"', { principal: { ...ann, client: 'cli' } }, 'allow'],
    ['server.id == "pay" && tool.name == "transfer"', {}, 'allow'],
    ['tool.annotations.readOnlyHint', { tool: { annotations: { readOnlyHint: true } } }, 'allow'],
    ['tool.annotations.readOnlyHint', { tool: {} }, 'deny'],
    ['!has(tool.annotations)', { tool: {} }, 'allow'],
    // Nobody has seen the definition: nobody can say what is not in it.
    ['!has(tool.annotations)', {}, 'deny'],
    ['tool.name == "other"', { tool: { name: 'other' } }, 'deny'],
    ['request.time.getHours() == 0', { request: { address: '192.0.2.1', at: 0, era: 'modern' } }, 'allow'],
    ['request.address.startsWith("192.0.2.")', { request: { address: '192.0.2.1', at: 0, era: 'modern' } }, 'allow'],
    ['request.era == "modern"', {}, 'deny'],
    ['principal.claims.unit == "a"', { principal: { ...ann, claims: { unit: 'a' } } }, 'allow'],
    ['principal.claims.unit == "a"', {}, 'deny'],
    ['"groups" in principal.claims', { principal: { ...ann, claims: { groups: [] } } }, 'allow'],
  ])('%s', (when, over, effect) => {
    expect(decides(when, tool('transfer', over)).effect).toBe(effect)
  })

  it('knows no tool where there is none', () => {
    const prompt: Call = { ...tool('greet'), kind: 'prompt', method: 'prompts/get' }
    expect(decides('!has(tool.name)', prompt).effect).toBe('allow')
    expect(decides('tool.name == "greet"', prompt).effect).toBe('deny')
  })
})

describe('resources by URI template', () => {
  const rules = [
    {
      id: 'own',
      allow: ['resource:pay/file:///home/{user}/{+path}'],
      to: ['*'],
      when: 'resource.params.user == principal.subject',
    },
    { id: 'reports', allow: ['resource:pay/https://x.example/{year}/report-{name}.pdf'], to: ['*'] },
  ]
  const { decide, couldAllow } = create(rules)
  it.each([
    ['file:///home/u1/a/b.txt', 'own'],
    ['file:///home/u1/', 'own'],
    ['file:///home/u2/a', undefined],
    ['file:///home/u1', undefined],
    ['file:///home/u1/../u2/a', undefined],
    ['file:///home/u1%2fa/b', undefined],
    ['file:///home/u1/%2e%2e/u2/a', undefined],
    ['https://x.example/2026/report-a.pdf', 'reports'],
    ['https://X.example:443/2026/report-a.pdf', undefined],
    ['https://x.example/2026/1/report-a.pdf', undefined],
    ['https://x.example/2026/report-.pdf', undefined],
    ['https://x.example/2026/report-a.pdf?x=.pdf', undefined],
  ])('%s: %s', (uri, rule) => {
    expect(decide(resource(uri)).rule).toBe(rule)
  })

  it('shows a template that stands for some that could be read', () => {
    expect(couldAllow(resource('file:///home/{user}/{name}')).effect).toBe('allow')
    expect(couldAllow(resource('file:///etc/{name}')).effect).toBe('deny')
  })
})

describe('subjects', () => {
  const isFor = (to: string, over: Partial<Principal>) =>
    create([{ allow: ['pay/*'], to: [to] }]).decide(tool('x', { principal: { ...ann, ...over } })).effect === 'allow'

  it.each<[string, Partial<Principal>, boolean]>([
    ['token:t1', { tokenId: 't1' }, true],
    ['token:t1', { tokenId: 't2' }, false],
    // An API token is known by its own id, whichever of its secrets was shown.
    ['token:t1', { tokenId: 's1', family: 't1', method: 'api_token' }, true],
    ['token:t1', { tokenId: 's1', family: 't1' }, false],
    ['claim:unit=a', { claims: { unit: 'a' } }, true],
    ['claim:unit=a', { claims: { unit: ['b', 'a'] } }, true],
    ['claim:unit=a', { claims: { unit: 'b' } }, false],
    ['claim:unit=a', {}, false],
    ['claim:org.unit=a=b', { claims: { org: { unit: 'a=b' } } }, true],
    ['claim:https://x.example/unit=a', { claims: { 'https://x.example/unit': 'a' } }, true],
    ['claim:level=3', { claims: { level: 3 } }, true],
    ['claim:staff=true', { claims: { staff: true } }, true],
    ['claim:unit=[object Object]', { claims: { unit: {} } }, false],
    ['claim:__proto__.unit=a', { claims: JSON.parse('{"unit":"a"}') }, false],
    ['claim:constructor.name=Object', { claims: {} }, false],
  ])('%s for %j: %s', (to, over, expected) => {
    expect(isFor(to, over)).toBe(expected)
  })
})

describe('decision points outside', () => {
  const rules = [
    { id: 'asked', allow: ['pay/transfer'], to: ['*'], consult: 'opa' },
    { id: 'free', allow: ['pay/read'], to: ['*'] },
    { id: 'veto', deny: ['pay/veto'], to: ['*'], consult: 'opa' },
    { id: 'all', allow: ['pay/veto'], to: ['*'] },
    { id: 'closed', deny: ['pay/transfer'], to: ['group:closed'] },
  ]
  const asking = (answer: boolean) => {
    const asked: string[] = []
    const built = create(rules, {
      ask: async (point, { name }) => {
        asked.push(`${point} ${name}`)
        return answer
      },
    })
    return { ...built, asked }
  }

  it('are asked for a call, and their yes opens it', async () => {
    for (const [answer, effect] of [
      [true, 'allow'],
      [false, 'deny'],
    ] as const) {
      const { consult, decide, asked } = asking(answer)
      for (const name of ['transfer', 'veto']) {
        const call = tool(name, { args: { amount: 5 } })
        expect(decide(call).effect).toBe('deny')
        expect(decide((await consult(call)) ?? call).effect).toBe(effect)
      }
      expect(asked).toEqual(['opa transfer', 'opa veto'])
    }
  })

  it('are not asked where nothing hangs on it', () => {
    const { consult, couldAllow, reads } = asking(true)
    expect(consult(tool('read'))).toBeUndefined()
    expect(consult(tool('transfer', { principal: { ...ann, groups: ['closed'] } }))).toBeUndefined()
    expect(consult(tool('transfer', { principal: ANONYMOUS }))).toBeUndefined()
    expect(couldAllow(tool('transfer')).effect).toBe('allow')
    expect(couldAllow(tool('veto')).effect).toBe('allow')
    expect(reads('pay')).toMatchObject({ args: true, tool: false })
  })
})

describe('resourceAccess', () => {
  const { decide, couldAllow, view } = create([{ deny: ['pay/delete'], to: ['*'] }], {}, { resourceAccess: {} })
  const holder = (resource_access: unknown): Principal => ({ ...ann, claims: { resource_access } })
  const keycloak = holder({
    'ns/pay': { roles: ['tool:add', 'sum', 'prompt:greet', 'delete'] },
    github: { roles: 'add' },
  })

  it.each([
    ['add', 'pay', true],
    ['sum', 'pay', true],
    ['tool:add', 'pay', false],
    ['prompt:greet', 'pay', false],
    ['greet', 'pay', false],
    ['delete', 'pay', false],
    ['add', 'github', false],
  ])('tool %s of %s: %s', (name, server, allowed) => {
    const decision = decide(tool(name, { principal: keycloak, server }))
    expect(decision.effect).toBe(allowed ? 'allow' : 'deny')
    if (allowed) expect(decision.rule).toBe('resource_access')
    expect(couldAllow(tool(name, { principal: keycloak, server })).effect).toBe(decision.effect)
  })

  it('opens prompts by their prefix, and shows the server of which something is open', () => {
    expect(decide({ ...tool('greet', { principal: keycloak }), kind: 'prompt' }).effect).toBe('allow')
    expect(decide({ ...tool('add', { principal: keycloak }), kind: 'prompt' }).effect).toBe('deny')
    const list: Partial<Call> = { kind: 'method', method: 'tools/list', principal: keycloak }
    expect(decide(tool('tools/list', list)).effect).toBe('allow')
    expect(view(keycloak, 'pay')).toBe('some')
    expect(view(keycloak, 'github')).toBe('none')
    expect(view(holder({ 'ns/pay': { roles: ['delete'] } }), 'pay')).toBe('none')
  })

  it.each([
    undefined,
    null,
    'x',
    [],
    {},
    { 'ns/pay': ['add'] },
    { 'ns/pay': { roles: { 0: 'add' } } },
    { pay: { roles: ['add'] } },
  ])('opens nothing for %j', (claim) => {
    expect(decide(tool('add', { principal: holder(claim) })).reason).toBe('no_rule_allows')
  })
})

describe('capabilities', () => {
  const { decide, couldAllow, view } = create([{ allow: ['*/*'], to: ['*'] }])
  const confined = (capabilities: Principal['capabilities']) => ({ ...ann, capabilities })
  const only = confined({ tools: new Map([['ns/pay', new Set(['add'])]]) })

  it('hide what the list does not name', () => {
    expect(decide(tool('add', { principal: only })).effect).toBe('allow')
    expect(decide(tool('sum', { principal: only }))).toEqual({
      effect: 'deny',
      reason: 'outside_capabilities',
      rule: undefined,
    })
    expect(couldAllow(tool('sum', { principal: only })).effect).toBe('deny')
    expect(decide(tool('add', { principal: only, server: 'github' })).effect).toBe('deny')
    // A kind that the list does not speak of is not confined.
    expect(decide({ ...tool('greet', { principal: only }), kind: 'prompt' }).effect).toBe('allow')
    expect(view(only, 'pay')).toBe('some')
  })

  it('allow nothing where the list is empty', () => {
    expect(decide(tool('add', { principal: confined({}) })).reason).toBe('outside_capabilities')
    expect(decide(tool('add', { principal: confined({ tools: new Map() }) })).reason).toBe('outside_capabilities')
    expect(decide(tool('add', { principal: confined({ tools: new Map(), prompts: new Map() }) })).effect).toBe('deny')
  })
})

describe('decideThrough', () => {
  const through = (rules: unknown[], over: Partial<Call> = {}) =>
    create(rules).decideThrough(
      tool('find', { server: 'support', ...over }),
      tool('search_code', { server: 'github', ...over }),
    )

  it('asks the view for the allow, and both for denials', () => {
    const view = { allow: ['support/find'], to: ['*'] }
    expect(through([view]).effect).toBe('allow')
    expect(through([{ allow: ['github/*'], to: ['*'] }]).reason).toBe('no_rule_allows')
    expect(through([view, { deny: ['github/search_*'], to: ['*'] }])).toMatchObject({ effect: 'deny', rule: 'rule-2' })
    expect(through([view, { deny: ['support/*'], to: ['*'] }])).toMatchObject({ effect: 'deny', rule: 'rule-2' })
    const conditional = [view, { deny: ['github/*'], to: ['*'], when: 'args.all' }]
    expect(through(conditional, { args: { all: false } }).effect).toBe('allow')
    expect(through(conditional)).toMatchObject({ effect: 'deny', reason: 'condition_failed' })
  })

  it('filters what a view shows, even where its own rules allow all', () => {
    const { view, couldAllowThrough } = create([{ allow: ['*/*'], to: ['*'] }])
    expect(view(ann, 'github')).toBe('all')
    expect(view(ann, 'support')).toBe('some')
    expect(couldAllowThrough(tool('find', { server: 'support' }), tool('search', { server: 'github' })).effect).toBe(
      'allow',
    )
  })

  it('reads a resource underneath in one spelling, where rules speak of resources there', () => {
    const rules = [
      { allow: ['support/*'], to: ['*'] },
      { deny: ['resource:github/file:///secret/*'], to: ['*'] },
    ]
    const read = (uri: string) =>
      create(rules).decideThrough(resource(uri, { server: 'support' }), resource(uri, { server: 'github' })).effect
    expect(read('file:///open/a')).toBe('allow')
    for (const uri of ['file:///secret/a', 'file:/secret/a', 'file:///open/../secret/a', 'FILE:///secret/a'])
      expect([uri, read(uri)]).toEqual([uri, 'deny'])
  })

  it('takes a proxy’s list for either name, and a token’s reach for the view’s', () => {
    const rules = [{ allow: ['*/*'], to: ['*'] }]
    const capable = (server: string, name: string) => ({
      principal: { ...ann, capabilities: { tools: new Map([[server, new Set([name])]]) } },
    })
    expect(through(rules, capable('github', 'search_code')).effect).toBe('allow')
    expect(through(rules, capable('github', 'other')).effect).toBe('deny')
    expect(through(rules, { principal: { ...ann, reach: ['support/*'] } }).effect).toBe('allow')
    expect(through(rules, { principal: { ...ann, reach: ['github/*'] } }).reason).toBe('outside_token')
  })
})

describe('reads and argumentsRead', () => {
  const { reads, argumentsRead, version } = create([
    { allow: ['pay/transfer'], to: ['*'], when: 'args.amount <= 1000 && args.to.bank == "x"' },
    { deny: ['*/log'], to: ['*'], when: 'args.all(name, name != "x")' },
    { allow: ['github/*'], to: ['*'], when: 'tool.annotations.readOnlyHint' },
  ])

  it('say what must be known of a call', () => {
    expect(reads('pay')).toMatchObject({ args: true, tool: false })
    expect(reads('github')).toMatchObject({ args: true, tool: true })
    expect(reads('elsewhere')).toMatchObject({ args: true, tool: false })
    expect(create([{ allow: ['pay/*'], to: ['*'] }]).reads('pay')).toEqual({ args: false, tool: false })
  })

  it('keep what was read, and no more', () => {
    const args = { amount: 5, to: { bank: 'x', account: 'secret' }, note: 'secret' }
    expect(argumentsRead(tool('transfer', { args }))).toEqual({ amount: 5, to: { bank: 'x' } })
    expect(argumentsRead(tool('other', { args }))).toBeUndefined()
    expect(argumentsRead(tool('log', { args: { a: 1 } }))).toEqual({ a: 1 })
    expect(argumentsRead(tool('transfer'))).toEqual({})
  })

  it('name what is too large to keep', () => {
    expect(argumentsRead(tool('transfer', { args: { amount: 'x'.repeat(300), to: { bank: 'x' } } }))).toEqual({
      to: { bank: 'x' },
      '…': ['amount'],
    })
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`field${at}`, at]))
    const kept = argumentsRead(tool('log', { args: many })) ?? {}
    expect(Object.keys(kept)).toHaveLength(33)
    expect(kept['…']).toHaveLength(32)
    const long = Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`field${at}`, 'y'.repeat(200)]))
    expect(JSON.stringify(argumentsRead(tool('log', { args: long }))).length).toBeLessThan(2400)
  })

  it('name what is a secret, by its name or by its looks', () => {
    const kept = (args: Record<string, unknown>) => argumentsRead(tool('log', { args }))
    expect(kept({ user: 'ann', password: 'seven green bottles', max_tokens: 5 })).toEqual({
      user: 'ann',
      max_tokens: 5,
      '…': ['password'],
    })
    expect(kept({ a: 'Bearer abcdefghijkl', b: [{ api_key: 'k-1' }], c: [{ kind: 'x' }] })).toEqual({
      c: [{ kind: 'x' }],
      '…': ['a', 'b'],
    })
  })

  it('change the version with the rules', () => {
    expect(version).toMatch(/^[0-9a-f]{16}$/)
    expect(create([]).version).not.toBe(version)
    expect(create([]).version).toBe(create([]).version)
  })
})
