import { describe, expect, it } from 'vitest'
import { createSubscriptions } from './subscriptions.ts'

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

  it('are bounded in length', () => {
    const subscriptions = createSubscriptions()
    const long = (at: number) => `${at}`.padEnd(8192, 'x')
    for (let at = 0; at < 32; at++) expect(subscriptions.add('s', 'a', long(at))).toBe(true)
    expect(subscriptions.add('s', 'b', long(32))).toBe(false)
    subscriptions.remove('s', 'a', long(0))
    expect(subscriptions.add('s', 'b', long(32))).toBe(true)
    expect(subscriptions.add('t', 'b', long(33))).toBe(true)
  })
})
