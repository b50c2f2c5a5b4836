import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
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
