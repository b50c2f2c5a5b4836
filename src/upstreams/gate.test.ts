import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createGate, verdictOf } from './gate.ts'
import { UpstreamError, type Verdict } from './upstream.ts'

let now = 1_000_000
const changes: boolean[] = []
const open = (over: Partial<Parameters<typeof createGate>[0]> = {}) =>
  createGate({
    concurrency: 2,
    patience: 3000,
    breaker: { failures: 3, rest: 10_000 },
    clock: () => now,
    onChange: (resting) => void changes.push(resting),
    ...over,
  })
const refusalOf = async (enter: () => Promise<void> | undefined | void): Promise<UpstreamError | undefined> => {
  try {
    await enter()
    return undefined
  } catch (error) {
    if (error instanceof UpstreamError) return error
    throw error
  }
}
beforeEach(() => {
  changes.length = 0
  vi.useFakeTimers({ toFake: ['setTimeout', 'performance'] })
})
afterEach(() => vi.useRealTimers())

describe('calls at once', () => {
  it('are let in at once while there is room, then in their order', async () => {
    const gate = open()
    expect([gate.enter(), gate.enter()]).toEqual([undefined, undefined])
    const order: string[] = []
    const third = gate.enter()?.then(() => order.push('third'))
    const fourth = gate.enter()?.then(() => order.push('fourth'))
    expect(gate.figures()).toMatchObject({ inFlight: 2, queued: 2 })
    gate.leave('ok')
    await third
    expect(gate.figures()).toMatchObject({ inFlight: 2, queued: 1 })
    gate.leave('ok')
    await fourth
    expect(order).toEqual(['third', 'fourth'])
    gate.leave('ok')
    gate.leave('ok')
    expect(gate.figures()).toMatchObject({ inFlight: 0, queued: 0 })
  })

  it('wait no longer than their patience, each its own', async () => {
    const gate = open()
    gate.enter()
    gate.enter()
    const first = refusalOf(() => gate.enter())
    await vi.advanceTimersByTimeAsync(2000)
    const second = refusalOf(() => gate.enter())
    await vi.advanceTimersByTimeAsync(1000)
    expect(await first).toMatchObject({ reason: 'busy', retryAfter: 1 })
    expect(gate.figures().queued).toBe(1)
    await vi.advanceTimersByTimeAsync(2000)
    expect(await second).toMatchObject({ reason: 'busy' })
    // Places that nobody waits for any more are free again.
    gate.leave('ok')
    expect(gate.enter()).toBeUndefined()
    expect(gate.figures().refused).toEqual({ busy: 2, resting: 0 })
  })

  it('are sent away at once when the queue is full', async () => {
    const gate = open({ concurrency: 1 })
    gate.enter()
    const waiting = gate.enter()
    expect(await refusalOf(() => gate.enter())).toMatchObject({ reason: 'busy' })
    gate.leave('ok')
    await waiting
  })
})

describe('a server that fails', () => {
  const fail = (gate: ReturnType<typeof open>, times: number, verdict: Verdict = 'failed') => {
    for (let left = times; left > 0; left--) {
      gate.enter()
      gate.leave(verdict)
    }
  }

  it('in a row is left alone, then tried by one call at a time, and called again when that is answered', async () => {
    const gate = open()
    fail(gate, 2)
    expect(gate.figures().breaker).toBe('closed')
    fail(gate, 1)
    expect([gate.figures().breaker, changes]).toEqual(['open', [true]])
    expect(await refusalOf(() => gate.enter())).toMatchObject({ reason: 'resting', retryAfter: 10 })
    expect(await refusalOf(() => gate.check())).toMatchObject({ reason: 'resting' })
    now += 10_000
    expect(await refusalOf(() => gate.check())).toBeUndefined()
    expect(gate.enter()).toBeUndefined()
    expect(gate.figures().breaker).toBe('half-open')
    expect(await refusalOf(() => gate.enter())).toMatchObject({ reason: 'resting' })
    gate.leave('failed')
    expect([gate.figures().breaker, changes]).toEqual(['open', [true]])
    now += 10_000
    expect(gate.enter()).toBeUndefined()
    gate.leave('ok')
    expect([gate.figures().breaker, changes]).toEqual(['closed', [true, false]])
    expect([gate.enter(), gate.enter()]).toEqual([undefined, undefined])
  })

  it('not in a row goes on being called', () => {
    const gate = open()
    for (let round = 0; round < 10; round++) {
      fail(gate, 2)
      fail(gate, 1, 'ok')
    }
    expect(gate.figures().breaker).toBe('closed')
  })

  it('is not judged by what says nothing of it: a probe that is cancelled leaves the next one to find out', () => {
    const gate = open()
    fail(gate, 50, 'neither')
    expect(gate.figures().breaker).toBe('closed')
    fail(gate, 3)
    now += 10_000
    fail(gate, 1, 'neither')
    expect(gate.enter()).toBeUndefined()
    gate.leave('ok')
    expect(gate.figures().breaker).toBe('closed')
  })

  it('keeps nobody waiting', async () => {
    const gate = open({ concurrency: 1, breaker: { failures: 1, rest: 5000 } })
    gate.enter()
    const waiting = refusalOf(() => gate.enter())
    gate.leave('failed')
    expect(await waiting).toMatchObject({ reason: 'resting', retryAfter: 5 })
    expect(gate.figures()).toMatchObject({ inFlight: 0, queued: 0, refused: { busy: 0, resting: 1 } })
  })
})

it.each<[string | undefined, Verdict]>([
  [undefined, 'ok'],
  ['connect', 'failed'],
  ['timeout', 'failed'],
  ['reset', 'failed'],
  ['unavailable', 'failed'],
  ['upstream_error', 'neither'],
  ['spawn', 'failed'],
  ['exited', 'failed'],
  ['cancelled', 'neither'],
  ['too_large', 'neither'],
  ['upstream_unauthorized', 'neither'],
  ['session_lost', 'neither'],
  ['credential_failed', 'neither'],
  ['busy', 'neither'],
  ['resting', 'neither'],
])('%s says %s', (reason, verdict) => {
  expect(verdictOf(reason)).toBe(verdict)
})
