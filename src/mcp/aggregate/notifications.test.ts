import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createSubscriptions } from '../subscriptions.ts'
import { coalesce, type Hearer, mayHear } from './notifications.ts'

const hearer: Hearer = {
  sees: (server) => server !== 'hidden',
  mayRead: (_, uri) => uri !== 'file:///secret',
  isSubscribed: (server, uri) => server === 'a' && uri !== 'file:///other',
  isProgressOf: (server, token) => server === 'a' && token === 'mine',
}
const own = { server: 'a', own: true }
const shared = { server: 'a', own: false }
const updated = (uri: unknown) => ['notifications/resources/updated', { uri }] as const

describe('what a client hears (row E18)', () => {
  it.each([
    [own, 'notifications/tools/list_changed', undefined],
    [shared, 'notifications/prompts/list_changed', {}],
    [shared, 'notifications/resources/list_changed', {}],
    [shared, ...updated('file:///docs')],
    [own, ...updated('file:///docs')],
    [own, 'notifications/message', { level: 'info' }],
    [own, 'notifications/progress', { progressToken: 'mine', progress: 1 }],
    [own, 'notifications/elicitation/complete', { elicitationId: 'e' }],
  ])('%o says %s %o', (origin, method, params) => {
    expect(mayHear(origin, method, params, hearer)).toBe(true)
  })

  it.each([
    [{ server: 'hidden', own: false }, 'notifications/tools/list_changed', {}],
    [{ server: 'hidden', own: true }, 'notifications/message', {}],
    [shared, ...updated('file:///secret')],
    [shared, ...updated('file:///other')],
    [{ server: 'b', own: false }, ...updated('file:///docs')],
    [own, ...updated(undefined)],
    [own, ...updated(['file:///docs'])],
    // Of whoever called: a process is shared, and its log and progress may be about another's call.
    [shared, 'notifications/message', { level: 'info' }],
    [shared, 'notifications/progress', { progressToken: 'mine' }],
    [own, 'notifications/progress', { progressToken: 'theirs' }],
    [{ server: 'b', own: true }, 'notifications/progress', { progressToken: 'mine' }],
    [own, 'notifications/tasks/status', {}],
    [own, 'notifications/of_its_own', {}],
    [own, 'constructor', {}],
  ])('but not when %o says %s %o', (origin, method, params) => {
    expect(mayHear(origin, method, params, hearer)).toBe(false)
  })
})

describe('changes of lists', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('are told at once, and those that follow closely once together', () => {
    const told: string[] = []
    const changes = coalesce((method) => told.push(method), 200)
    for (let change = 0; change < 500; change++) changes.changed('tools')
    changes.changed('prompts')
    expect(told).toEqual(['notifications/tools/list_changed', 'notifications/prompts/list_changed'])
    vi.advanceTimersByTime(200)
    expect(told.slice(2)).toEqual(['notifications/tools/list_changed'])
    vi.advanceTimersByTime(1000)
    expect(told).toHaveLength(3)
    changes.changed('tools')
    expect(told).toHaveLength(4)
  })

  it('are told no more after the end', () => {
    const told: string[] = []
    const changes = coalesce((method) => told.push(method), 200)
    changes.changed('tools')
    changes.changed('tools')
    changes.end()
    vi.advanceTimersByTime(1000)
    expect(told).toHaveLength(1)
  })
})

describe('subscriptions', () => {
  it('are of one holder at one server, and wanted as long as anybody wants them', () => {
    const subscriptions = createSubscriptions()
    expect(subscriptions.add('s1', 'a', 'u')).toBe(true)
    expect(subscriptions.add('s1', 'a', 'u')).toBe(true)
    subscriptions.add('s2', 'a', 'u')
    expect(subscriptions.has('s1', 'a', 'u')).toBe(true)
    expect(subscriptions.has('s1', 'b', 'u')).toBe(false)
    expect(subscriptions.has('s3', 'a', 'u')).toBe(false)
    subscriptions.remove('s1', 'a', 'u')
    subscriptions.remove('s1', 'a', 'u')
    expect(subscriptions.isWanted('a', 'u')).toBe(true)
    expect(subscriptions.end('s2')).toEqual([['a', 'u']])
    expect(subscriptions.isWanted('a', 'u')).toBe(false)
    expect([...subscriptions.of('s2', 'a')]).toEqual([])
  })

  it('are bounded for each holder, and the oldest holder goes first', () => {
    const subscriptions = createSubscriptions()
    for (let at = 0; at < 1000; at++) expect(subscriptions.add('s', 'a', `u${at}`)).toBe(true)
    expect(subscriptions.add('s', 'b', 'more')).toBe(false)
    expect(subscriptions.add('s', 'a', 'u1')).toBe(true)
    for (let at = 0; at < 10_000; at++) subscriptions.add(`t${at}`, 'a', 'v')
    expect(subscriptions.has('s', 'a', 'u1')).toBe(false)
    expect(subscriptions.has('t0', 'a', 'v')).toBe(true)
  })
})
