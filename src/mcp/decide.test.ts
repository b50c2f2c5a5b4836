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
