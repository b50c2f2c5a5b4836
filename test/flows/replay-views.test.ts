// What was called through a virtual server and through the aggregate, decided again from the record of a real gate.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { CallEvent } from '../../src/audit/event.ts'
import { decider } from '../../src/cli/policy-replay.ts'
import { isDecidedByRules } from '../../src/cli/recorded-call.ts'
import { policy as policySection } from '../../src/config/policy.ts'
import type { Config, ConfigInput } from '../../src/config/schema.ts'
import { createTally } from '../../src/policy/replay.ts'
import { type Canary, startCanary } from '../support/canary.ts'
import { BOB, startGateway, type TestGateway } from '../support/gateway.ts'
import { callTool } from '../support/mcp.ts'

const RULES = [
  { id: 'desk', allow: ['support/*'], to: ['group:engineering'] },
  { id: 'limit', deny: ['support/add'], to: ['*'], when: 'has(args.text) && args.text.size() > 5' },
  { id: 'reading', allow: ['notes/read_note'], to: ['group:finance'] },
  { id: 'kept', deny: ['notes/delete_note'], to: ['*'] },
]

let canary: Canary
let gateway: TestGateway
let calls: CallEvent[]

beforeAll(async () => {
  canary = await startCanary()
  gateway = await startGateway({
    servers: [
      { id: 'notes', url: `${canary.url}?notes` },
      { id: 'archive', url: `${canary.url}?archive` },
      { id: 'support', tools: ['notes/read_*', { from: 'notes/write_note', name: 'add' }, 'notes/delete_note'] },
    ],
    policy: { rules: RULES } as ConfigInput['policy'],
  })
  const support = gateway.resource('support')
  const ann = await gateway.tokenFor('support')
  await callTool(support, ann, 'read_note')
  await callTool(support, ann, 'add', { text: 'short' })
  await callTool(support, ann, 'add', { text: 'much too long' })
  const everything = gateway.resource('*')
  const bob = await gateway.tokenFor('*', { user: BOB })
  await callTool(everything, bob, 'notes__read_note')
  const ended = (event: { kind: string; outcome?: string }) => event.kind === 'call' && event.outcome !== undefined
  const events = await gateway.audit((all) => all.filter((event) => ended(event as never)).length >= 4)
  calls = events.filter((event): event is CallEvent => event.kind === 'call')
})
afterAll(async () => {
  await gateway?.close()
  await canary?.close()
})

const withRules = (rules: readonly object[]): Config => ({
  ...gateway.config,
  policy: policySection.parse({ rules }),
})
async function replayed(rules: readonly object[]) {
  const decide = await decider(gateway.config, withRules(rules))
  const tally = createTally()
  for (const event of calls.filter(isDecidedByRules)) tally.add(decide(event))
  return tally.report()
}

describe('what was called through a view', () => {
  it('was recorded with where it was asked for', () => {
    expect(calls.map(({ via, server, name, decision }) => [via, server, name, decision])).toEqual([
      ['support', 'notes', 'read_note', 'allow'],
      ['support', 'notes', 'write_note', 'allow'],
      ['support', 'notes', 'write_note', 'deny'],
      ['*', 'notes', 'read_note', 'allow'],
    ])
  })

  it('finds no difference by the same rules', async () => {
    expect(await replayed(RULES)).toMatchObject({ same: 4, newlyDenied: 0, newlyAllowed: 0, undecidable: 0 })
  })

  it('is judged by the virtual server’s rules, and by the denials of the server underneath', async () => {
    const sealed = { id: 'sealed', deny: ['notes/read_note'], to: ['*'] }
    const report = await replayed([sealed, ...RULES])
    expect(report).toMatchObject({ same: 2, newlyDenied: 2, newlyAllowed: 0 })
    expect(
      report.people.flatMap(({ newlyDenied }) => newlyDenied.examples.map(({ what, rule }) => [what, rule])),
    ).toEqual([
      ['support: notes/read_note', 'sealed'],
      ['*: notes/read_note', 'sealed'],
    ])
    // The underlying server's allow is not asked for at the view, and is all there is at the aggregate.
    expect(await replayed(RULES.filter(({ id }) => id !== 'reading'))).toMatchObject({ same: 3, newlyDenied: 1 })
    expect(await replayed(RULES.filter(({ id }) => id !== 'limit'))).toMatchObject({ same: 3, newlyAllowed: 1 })
  })
})
