// What a message is asked about: policy for what it touches, scopes for the same things.
import { describe, expect, it } from 'vitest'
import type { Call } from '../protocol/decision.ts'
import { BearerError } from '../protocol/errors.ts'
import { ANONYMOUS } from '../protocol/principal.ts'
import { decideInquiry } from './decide.ts'
import { targetOf } from './target.ts'

/** Policy denies bare methods, scopes deny the secret resource. */
function inquire(method: string, params?: Record<string, unknown>, wordless = false) {
  const scoped: Call[] = []
  const needs = {
    policy: {
      decide: ({ kind, method: asked }: Call) => ({
        effect: kind === 'method' && asked !== 'subscriptions/listen' ? ('deny' as const) : ('allow' as const),
        reason: 'test',
        rule: undefined,
      }),
      view: () => 'some' as const,
    },
    checkScopes(_: unknown, call: Call) {
      scoped.push(call)
      if (call.name === 'file:///secret') throw new BearerError('insufficient_scope', 'scope_missing', 'More.')
    },
  }
  const target = targetOf(method, params)
  const { effect } = decideInquiry(needs, { principal: ANONYMOUS, server: 'u', method, wordless, params, target })
  return { effect, scoped: scoped.map(({ kind, name }) => [kind, name]) }
}

describe('decideInquiry', () => {
  it.each(['initialize', 'ping', 'server/discover', 'notifications/initialized', 'notifications/cancelled'])(
    'asks no policy for %s',
    (method) => expect(inquire(method).effect).toBe('allow'),
  )

  it.each(['notifications/vendor/wipe', 'notifications/tasks/status', 'tools/list', 'GET', 'DELETE', 'response'])(
    'asks policy for a message named %s',
    (method) => expect(inquire(method).effect).toBe('deny'),
  )

  it('asks no policy for a stream, its end, or an answer to the server', () => {
    for (const method of ['GET', 'DELETE', 'response']) expect(inquire(method, undefined, true).effect).toBe('allow')
  })

  it('asks scopes for each resource that is listened to', () => {
    const listen = (...uris: string[]) =>
      inquire('subscriptions/listen', { notifications: { resourceSubscriptions: uris } })
    expect(listen('file:///a', 'file:///b').scoped).toEqual([
      ['method', 'subscriptions/listen'],
      ['resource', 'file:///a'],
      ['resource', 'file:///b'],
    ])
    expect(() => listen('file:///a', 'file:///secret')).toThrow(BearerError)
  })
})
