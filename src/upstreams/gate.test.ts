import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { UpstreamConfig } from '../config/servers.ts'
import { createGate, gateOf, verdictOf } from './gate.ts'
import { UpstreamError, type Verdict } from './upstream.ts'

let now = 1_000_000
const changes: boolean[] = []
const open = (over: Partial<Parameters<typeof createGate>[0]> = {}) =>
  createGate({
    concurrency: 2,
    mostOfOne: 2,
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
    expect(gate.figures().refused).toEqual({ busy: 2, busy_principal: 0, resting: 0 })
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

describe('the calls of one caller', () => {
  const narrow = () => open({ concurrency: 4, mostOfOne: 2 })

  it('take their share at most; the places left are everybody else’s, and had at once', async () => {
    const gate = narrow()
    const [ann, ben] = [gate.of('ann'), gate.of('ben')]
    expect([ann.enter(), ann.enter()]).toEqual([undefined, undefined])
    const waiting = [refusalOf(() => ann.enter()), refusalOf(() => ann.enter())]
    // As many wait as may be under way; the next ones are sent away at once.
    expect(await refusalOf(() => ann.enter())).toMatchObject({ reason: 'busy_principal', retryAfter: 1 })
    expect(gate.figures()).toMatchObject({ inFlight: 2, queued: 2 })
    expect([ben.enter(), ben.enter()]).toEqual([undefined, undefined])
    await vi.advanceTimersByTimeAsync(3000)
    for (const late of waiting) expect(await late).toMatchObject({ reason: 'busy_principal' })
    expect(gate.figures().refused).toEqual({ busy: 0, busy_principal: 3, resting: 0 })
  })

  it('alone reach it, and go on one by one', async () => {
    const ann = narrow().of('ann')
    ann.enter()
    ann.enter()
    const third = ann.enter()
    ann.leave('ok')
    await third
    expect(ann.figures()).toMatchObject({ inFlight: 2, queued: 0 })
    ann.leave('ok')
    ann.leave('ok')
    expect([ann.enter(), ann.enter(), ann.figures().inFlight]).toEqual([undefined, undefined, 2])
  })

  it('that wait for their own do not hold up others behind them', async () => {
    const gate = narrow()
    const [ann, ben, eve] = [gate.of('ann'), gate.of('ben'), gate.of('eve')]
    for (const one of [ann, ann, ben, ben]) one.enter()
    const order: string[] = []
    const first = ann.enter()?.then(() => order.push('ann'))
    const second = eve.enter()?.then(() => order.push('eve'))
    ben.leave('ok')
    await second
    ann.leave('ok')
    await first
    expect(order).toEqual(['eve', 'ann'])
  })

  it('are no limit to what the gate asks for itself', () => {
    const gate = narrow()
    expect([gate.enter(), gate.enter(), gate.enter(), gate.enter()]).toEqual(Array(4).fill(undefined))
  })

  it('of whom a person is asked leave their place to others, and count for their caller all the same', async () => {
    const gate = open({ concurrency: 2, mostOfOne: 1 })
    const [ann, ben, eve] = [gate.of('ann'), gate.of('ben'), gate.of('eve')]
    ann.enter()
    ben.enter()
    const third = eve.enter()
    const goOn = ann.aside()
    await third
    const again = refusalOf(() => ann.enter())
    eve.leave('ok')
    await vi.advanceTimersByTimeAsync(3000)
    expect(await again).toMatchObject({ reason: 'busy_principal' })
    goOn()
    expect(gate.figures().inFlight).toBe(2)
    ann.leave('ok')
    ben.leave('ok')
    expect(gate.figures()).toMatchObject({ inFlight: 0, queued: 0 })
  })

  it('are a server’s: whoever it fails for, it rests for all', async () => {
    const gate = open({ breaker: { failures: 1, rest: 5000 } })
    const ann = gate.of('ann')
    ann.enter()
    ann.leave('failed')
    expect(await refusalOf(() => gate.of('ben').enter())).toMatchObject({ reason: 'resting' })
    expect(await refusalOf(() => gate.of('ben').check())).toMatchObject({ reason: 'resting' })
  })
})

describe('what a server’s configuration leaves to one', () => {
  const remote = { id: 'a', url: 'https://a.example/mcp', concurrency: 256, connections: 128, concurrencyShare: 0.5 }
  const child = { id: 'a', command: ['a'], concurrency: 256, concurrencyShare: 0.5 }
  it.each<[string, object, number]>([
    ['half of its connections, of which each call takes one', remote, 64],
    ['half of its places, where many share a connection', { ...remote, http2: true }, 128],
    ['half of its places, where all share one', child, 128],
    ['rounded down', { ...child, concurrency: 3 }, 1],
    ['at least one', { ...child, concurrency: 1 }, 1],
    ['all', { ...child, concurrency: 3, concurrencyShare: 1 }, 3],
  ])('%s', (_, config, most) => {
    const gate = gateOf(
      { breaker: { failures: 3, rest: 1 }, connectTimeout: 1, ...config } as unknown as UpstreamConfig,
      { clock: () => 0, log: { info() {}, warn() {} } },
    ).of('ann')
    let taken = 0
    while (gate.enter() === undefined) taken += 1
    expect(taken).toBe(most)
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

  it('is tried by one who comes in: whoever has taken their share does not keep it from the others', async () => {
    const gate = open({ concurrency: 8 })
    const [eve, ann] = [gate.of('eve'), gate.of('ann')]
    eve.enter()
    eve.enter()
    for (let call = 0; call < 3; call++) {
      ann.enter()
      ann.leave('failed')
    }
    now += 10_000
    expect(await refusalOf(() => eve.enter())).toMatchObject({ reason: 'busy_principal' })
    expect(ann.enter()).toBeUndefined()
    expect(await refusalOf(() => gate.of('ben').enter())).toMatchObject({ reason: 'resting' })
    ann.leave('ok')
    expect([gate.figures().breaker, gate.of('ben').enter()]).toEqual(['closed', undefined])
  })

  it('keeps nobody waiting', async () => {
    const gate = open({ concurrency: 1, breaker: { failures: 1, rest: 5000 } })
    gate.enter()
    const waiting = refusalOf(() => gate.enter())
    gate.leave('failed')
    expect(await waiting).toMatchObject({ reason: 'resting', retryAfter: 5 })
    expect(gate.figures()).toMatchObject({
      inFlight: 0,
      queued: 0,
      refused: { busy: 0, busy_principal: 0, resting: 1 },
    })
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
  ['busy_principal', 'neither'],
  ['resting', 'neither'],
])('%s says %s', (reason, verdict) => {
  expect(verdictOf(reason)).toBe(verdict)
})
