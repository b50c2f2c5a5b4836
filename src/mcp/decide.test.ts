// What a message is asked about: policy for what it touches, scopes for the same things.
import { describe, expect, it } from 'vitest'
import { policyOfNames } from '../policy/policy.support.ts'
import type { Call } from '../protocol/decision.ts'
import { BearerError } from '../protocol/errors.ts'
import { ANONYMOUS } from '../protocol/principal.ts'
import { decideInquiry } from './decide.ts'
import { targetOf } from './target.ts'

/** Policy denies bare methods, scopes deny the secret resource. */
async function inquire(method: string, params?: Record<string, unknown>, wordless = false) {
  const scoped: Call[] = []
  const needs = {
    policy: policyOfNames({
      decide: ({ kind, method: asked }) => ({
        effect: kind === 'method' && asked !== 'subscriptions/listen' ? 'deny' : 'allow',
        reason: 'test',
        rule: undefined,
      }),
      view: () => 'some',
    }),
    checkScopes(_: unknown, call: Call) {
      scoped.push(call)
      if (call.name === 'file:///secret') throw new BearerError('insufficient_scope', 'scope_missing', 'More.')
    },
  }
  const target = targetOf(method, params)
  const request = { address: '192.0.2.1', at: 0, era: 'modern' } as const
  const inquiry = { principal: ANONYMOUS, server: 'u', method, wordless, params, target, request }
  const { effect } = await decideInquiry(needs, inquiry)
  return { effect, scoped: scoped.map(({ kind, name }) => [kind, name]) }
}

type Asked = Parameters<typeof decideInquiry>[1]

/** A rule that looks at the amount, one that asks outside, one that looks at the tool. */
function inquireOf(
  method: string,
  params: Record<string, unknown>,
  reads = { args: true, tool: false },
  definition?: () => Promise<Record<string, unknown>> | undefined,
) {
  const asked: Call[] = []
  const policy: Parameters<typeof decideInquiry>[0]['policy'] = {
    decide(call) {
      asked.push(call)
      const amount = call.args?.['amount']
      const open = typeof amount === 'number' && amount <= 1000
      const yes = open || call.answers?.get('pdp') === true || call.tool?.['safe'] === true
      return { effect: yes ? 'allow' : 'deny', reason: yes ? 'allowed_by_rule' : 'condition_failed', rule: 'r' }
    },
    couldAllow: (thing) => {
      expect(thing).not.toHaveProperty('args')
      expect(thing).not.toHaveProperty('answers')
      return { effect: thing.name === 'hidden' ? 'deny' : 'allow', reason: 'test', rule: undefined }
    },
    reads: () => reads,
    argumentsRead: ({ args }) => ({ amount: args?.['amount'] }),
    consult: (call) =>
      call.name === 'outside' ? Promise.resolve({ ...call, answers: new Map([['pdp', true]]) }) : undefined,
    version: 'v1',
  }
  const target = targetOf(method, params)
  const request = { address: '192.0.2.1', at: 7, era: 'modern' } as const
  const inquiry: Asked = { principal: ANONYMOUS, server: 'u', method, wordless: false, params, target, request }
  const needs = { policy, checkScopes: () => undefined, ...(definition && { definitionOf: definition }) }
  return { verdict: decideInquiry(needs, inquiry), asked, request }
}
const pay = (amount: unknown, name = 'pay') => inquireOf('tools/call', { name, arguments: { amount } })

describe('arguments', () => {
  it('reach policy with the request, and the record with the policy that judged them', () => {
    const { verdict, asked, request } = pay(5)
    expect(verdict).toMatchObject({ effect: 'allow', args: { amount: 5 }, policy: 'v1' })
    expect(asked).toMatchObject([{ args: { amount: 5 }, request }])
  })

  it('are what is refused where the thing is listed, and nothing is said where it is hidden', () => {
    expect(pay(5000).verdict).toMatchObject({ effect: 'deny', listed: true, args: { amount: 5000 } })
    expect(pay(5000, 'hidden').verdict).toMatchObject({ effect: 'deny', listed: false })
  })

  it('are kept out of the record where no rule reads them', () => {
    const params = { name: 'pay', arguments: { amount: 5 } }
    expect(inquireOf('tools/call', params, { args: false, tool: false }).verdict).toMatchObject({ args: undefined })
  })

  it('of a completion are what is filled in so far', () => {
    const ref = { type: 'ref/prompt', name: 'report' }
    const params = { ref, argument: { name: 'amount', value: '5' }, context: { arguments: { year: '2026' } } }
    expect(inquireOf('completion/complete', params).asked).toMatchObject([{ args: { year: '2026', amount: '5' } }])
  })

  it.each([null, undefined])('may be missing: %j', (given) => {
    expect(inquireOf('tools/call', { name: 'pay', arguments: given }).asked[0]?.args).toBeUndefined()
  })

  it.each(['x', 1, [], true])('are an object or nothing: %j', (given) => {
    expect(() => inquireOf('tools/call', { name: 'pay', arguments: given })).toThrow(/arguments/)
  })
})

describe('what has to be asked for first', () => {
  it('a decision point outside', async () => {
    expect(pay(5000, 'outside').verdict).toBeInstanceOf(Promise)
    expect(await pay(5000, 'outside').verdict).toMatchObject({ effect: 'allow' })
    expect(pay(5, 'pay').verdict).not.toBeInstanceOf(Promise)
  })

  it('the tool’s definition, where a rule reads it', async () => {
    const known = async () => ({ safe: true })
    const params = { name: 'look', arguments: {} }
    expect(await inquireOf('tools/call', params, { args: false, tool: true }, known).verdict).toMatchObject({
      effect: 'allow',
    })
    const unread = inquireOf('tools/call', params, { args: false, tool: false }, known)
    expect(unread.verdict).toMatchObject({ effect: 'deny' })
    const unknown = inquireOf('tools/call', params, { args: false, tool: true }, () => undefined)
    expect(unknown.verdict).toMatchObject({ effect: 'deny' })
  })
})

describe('decideInquiry', () => {
  it.each(['initialize', 'ping', 'server/discover', 'notifications/initialized', 'notifications/cancelled'])(
    'asks no policy for %s',
    async (method) => expect((await inquire(method)).effect).toBe('allow'),
  )

  it.each(['notifications/vendor/wipe', 'notifications/tasks/status', 'tools/list', 'GET', 'DELETE', 'response'])(
    'asks policy for a message named %s',
    async (method) => expect((await inquire(method)).effect).toBe('deny'),
  )

  it('asks no policy for a stream, its end, or an answer to the server', async () => {
    for (const method of ['GET', 'DELETE', 'response'])
      expect((await inquire(method, undefined, true)).effect).toBe('allow')
  })

  it('asks scopes for each resource that is listened to', async () => {
    const listen = (...uris: string[]) =>
      inquire('subscriptions/listen', { notifications: { resourceSubscriptions: uris } })
    expect((await listen('file:///a', 'file:///b')).scoped).toEqual([
      ['method', 'subscriptions/listen'],
      ['resource', 'file:///a'],
      ['resource', 'file:///b'],
    ])
    await expect(listen('file:///a', 'file:///secret')).rejects.toThrow(BearerError)
  })
})
