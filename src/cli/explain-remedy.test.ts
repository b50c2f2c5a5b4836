// What would have allowed a call, by the reason of its refusal. The journeys are in test/flows/explain.test.ts.
import { describe, expect, it } from 'vitest'
import type { CallEvent } from '../audit/event.ts'
import { createInput } from '../config/input.ts'
import { Config, type ConfigInput } from '../config/schema.ts'
import { remedyFor } from './explain-remedy.ts'
import { madeBy } from './policy-replay.ts'

const parsed = Config.parse({
  servers: [
    { id: 'pay', url: 'http://127.0.0.1:1/mcp' },
    { id: 'desk', tools: [{ from: 'pay/find', name: 'search' }, 'pay/list'] },
  ],
  policy: {
    rules: [
      { id: 'view', allow: ['desk/search'], to: ['group:desk'] },
      { id: 'sealed', deny: ['pay/find'], to: ['*'], unless: "'night' in principal.roles" },
      { id: 'open', allow: ['pay/read'], to: ['*'] },
    ],
  },
  scopes: { read: { title: 'Read', covers: ['pay/read'] }, all: { title: 'All', covers: ['*/*'] } },
  limits: [{ id: 'few', match: 'pay/*', rate: '1/s' }],
} as ConfigInput)
const config: Config = {
  ...parsed,
  server: { ...parsed.server, url: 'http://127.0.0.1:4444', allowedOrigins: 'loopback' },
}

const event = (over: Partial<CallEvent>): CallEvent => ({
  kind: 'call',
  id: '0190c0de-0000-7000-8000-000000000000',
  time: '2026-11-21T07:00:00.000Z',
  subject: 'ann',
  auth: 'access_token',
  attributes: { groups: ['desk'] },
  server: 'pay',
  method: 'tools/call',
  name: 'read',
  decision: 'deny',
  reason: 'no_rule_allows',
  address: '192.0.2.1',
  era: 'modern',
  ...over,
})

async function linesOf(over: Partial<CallEvent>): Promise<string> {
  const remedy = await remedyFor(event(over), { config, input: createInput({}) }, await madeBy(config))
  return remedy === undefined ? '' : [remedy.head, ...remedy.lines].join('\n')
}

describe('what would have allowed a call', () => {
  it('is nothing to tell of one that was allowed', async () => {
    expect(await linesOf({ decision: 'allow', reason: 'allowed_by_rule' })).toBe('')
  })

  it('is the narrowest scope that covers it, or those of its server where only that is known', async () => {
    expect(await linesOf({ reason: 'scope_missing' })).toContain(
      'A token with read; which ones it had is not in the record.',
    )
    const { name: _, ...unnamed } = event({ reason: 'scope_missing' })
    const remedy = await remedyFor(unnamed, { config, input: createInput({}) }, await madeBy(config))
    expect(remedy?.lines.join()).toMatch(/scopes that cover some are read, all/)
  })

  it('is another token, an approval, a slower pace', async () => {
    expect(await linesOf({ reason: 'outside_token' })).toContain('portcullis tokens list')
    expect(await linesOf({ reason: 'tool_quarantined' })).toContain('portcullis tools show')
    expect(await linesOf({ reason: 'rate_limited', rule: 'few' })).toMatch(/^Limit\nfew: \{.*"match":"pay\/\*"/)
  })

  it('names the rules of the virtual server and the denials underneath', async () => {
    const told = await linesOf({ via: 'desk', name: 'find', reason: 'denied_by_rule', rule: 'sealed' })
    expect(told).toMatch(/view allows it to this caller\./)
    expect(told).toMatch(/sealed must not deny it to this caller/)
    expect(await linesOf({ via: 'desk', name: 'list' })).toContain('Write { allow: ["desk/list"], to: […] }')
  })

  it('says what is not known, and what rules say of the server at all', async () => {
    const { attributes: _, ...bare } = event({ via: 'desk', name: 'find' })
    const remedy = await remedyFor(bare, { config, input: createInput({}) }, await madeBy(config))
    expect(remedy?.lines.join('\n')).toContain(
      'view allows it to group:desk, and whether the caller was one is not known',
    )
    const hidden = await linesOf({ reason: 'unknown_server', server: 'pay' })
    expect(hidden).toContain('is not in the record')
    expect(hidden).toContain('open allows some of pay.')
    expect(await linesOf({ reason: 'unknown_server', server: 'gone' })).toContain(
      'No rule allows anything of gone to anybody.',
    )
  })

  it('is seeing some part of the server, for its own methods', async () => {
    const { name: _, ...list } = event({ method: 'tools/list' })
    const remedy = await remedyFor(list, { config, input: createInput({}) }, await madeBy(config))
    expect(remedy?.lines).toEqual([
      'A rule that allows some part of pay: this method is open to whoever sees the server.',
    ])
  })
})
