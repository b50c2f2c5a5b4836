// What the journal does on a disk that is full, does not keep what it took, or hangs.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ANSWERED, act, call, ended } from './events.support.ts'
import { idOf, open, REFUSED } from './journal.support.ts'
import type { JournaledCall } from './journaled-call.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
})
afterEach(() => {
  vi.useRealTimers()
})

describe('a disk that is full', () => {
  it('refuses calls with 503, keeps the outcomes of those under way, and recovers by itself', async () => {
    const { recorder, disk, reported } = open()
    const one = await recorder.decide(call(1))
    disk.full = true
    recorder.finish(one, call(1), ANSWERED)
    const refused = [recorder.decide(call(2)), recorder.decide(call(3)), recorder.record(ended(4))]
    for (const each of refused) await expect(each).rejects.toEqual(REFUSED)
    expect(recorder.state()).toEqual({ healthy: false, reason: 'record_unwritable', waiting: 2 })
    await vi.advanceTimersByTimeAsync(3000)
    expect(recorder.state().healthy).toBe(false)
    disk.full = false
    await vi.advanceTimersByTimeAsync(1010)
    expect(recorder.state()).toEqual({ healthy: true, waiting: 0 })
    expect([...disk.events(disk.synced).values()]).toEqual([ended(1)])
    await recorder.close()
    expect(reported).toEqual([
      'The audit record cannot be written; calls are refused',
      'The audit record can be written again',
    ])
  })

  it('says at the end that something is missing', async () => {
    const { recorder, disk, reported } = open()
    recorder.finish(await recorder.decide(call(1)), call(1), ANSWERED)
    disk.full = true
    await recorder.close()
    expect(disk.events(disk.synced).get(idOf(1))).toEqual(call(1))
    expect(reported).toContain('The last decisions may not be in the audit record')
  })
})

describe('a disk that does not keep what it took', () => {
  it('gets all of it again, in order, until it does', async () => {
    const { recorder, disk, reported } = open()
    disk.broken = true
    const one = await recorder.decide(call(1))
    await vi.advanceTimersByTimeAsync(10)
    recorder.finish(one, call(1), ANSWERED)
    await recorder.decide(call(2))
    expect(recorder.state()).toEqual({ healthy: false, reason: 'record_unsynced', waiting: 4 })
    await vi.advanceTimersByTimeAsync(2000)
    expect(disk.synced).toEqual([])
    disk.broken = false
    await vi.advanceTimersByTimeAsync(540)
    expect(disk.events(disk.synced)).toEqual(
      new Map([
        [idOf(1), ended(1)],
        [idOf(2), call(2)],
      ]),
    )
    expect(recorder.state()).toEqual({ healthy: true, waiting: 1 })
    expect(reported).toEqual([
      'The disk does not take the audit record; it is written again',
      'The disk takes the audit record again',
    ])
    await recorder.close()
  })

  it('gets again, after its decision, an outcome that came while that was found out', async () => {
    const { recorder, disk } = open()
    const one = await recorder.decide(call(1))
    const found = Promise.withResolvers<void>()
    disk.slow = found.promise
    await vi.advanceTimersByTimeAsync(10)
    recorder.finish(one, call(1), ANSWERED)
    await recorder.decide(call(2))
    disk.broken = true
    found.resolve()
    await vi.advanceTimersByTimeAsync(0)
    disk.broken = false
    disk.slow = undefined
    await vi.advanceTimersByTimeAsync(1000)
    expect(disk.events(disk.synced)).toEqual(
      new Map([
        [idOf(1), ended(1)],
        [idOf(2), call(2)],
      ]),
    )
    await recorder.close()
  })

  it('gets the last once more, where the close found that out', async () => {
    const { recorder, disk } = open({ report: () => (disk.broken = false) })
    recorder.finish(await recorder.decide(call(1)), call(1), ANSWERED)
    disk.broken = true
    await recorder.close()
    expect(disk.broken).toBe(false)
    expect(disk.events(disk.synced)).toEqual(new Map([[idOf(1), ended(1)]]))
  })

  it('and then is full, is said to be so once', async () => {
    const { recorder, disk, reported } = open()
    disk.broken = true
    await recorder.decide(call(1))
    await vi.advanceTimersByTimeAsync(10)
    disk.full = true
    await expect(recorder.decide(call(2))).rejects.toEqual(REFUSED)
    await vi.advanceTimersByTimeAsync(5000)
    expect(reported).toEqual([
      'The disk does not take the audit record; it is written again',
      'The audit record cannot be written; calls are refused',
    ])
    disk.full = false
    disk.broken = false
    await vi.advanceTimersByTimeAsync(2000)
    expect(recorder.state()).toEqual({ healthy: true, waiting: 1 })
    expect(disk.events(disk.synced)).toEqual(new Map([[idOf(1), call(1)]]))
    await recorder.close()
  })

  it('is not filled with what is written again', async () => {
    const { recorder, disk } = open()
    disk.broken = true
    for (let count = 1; count <= 20; count += 1) {
      recorder.finish(await recorder.decide(call(count)), call(count), ANSWERED)
      await vi.advanceTimersByTimeAsync(1000)
    }
    expect(disk.written).toBeLessThanOrEqual(40)
    disk.broken = false
    await recorder.close()
    const all = Array.from({ length: 20 }, (_, at) => [idOf(at + 1), ended(at + 1)] as const)
    expect(disk.events(disk.synced)).toEqual(new Map(all))
  })

  it('gets however much there is, a piece at a time', async () => {
    const { recorder, disk, reported } = open({ limit: 1e9, sink: ['store'] })
    disk.broken = true
    const numbers = Array.from({ length: 150_000 }, (_, at) => at)
    await Promise.all(numbers.map((number) => recorder.record(ended(number))))
    await vi.advanceTimersByTimeAsync(10)
    disk.broken = false
    const { writes } = disk
    await vi.advanceTimersByTimeAsync(510)
    expect(disk.writes).toBeGreaterThan(writes)
    expect(disk.synced.length).toBeLessThan(10_000)
    await recorder.close()
    expect(disk.events(disk.synced).size).toBe(150_000)
    expect(reported).not.toContain('The last decisions may not be in the audit record')
  })

  it('is given no more than the limit; then calls are refused until it has taken that', async () => {
    const { recorder, disk } = open({ limit: 1000 })
    disk.broken = true
    let taken = 0
    const fill = async () => {
      while (taken < 100) await recorder.decide(call(++taken))
    }
    await expect(fill()).rejects.toEqual(REFUSED)
    expect(recorder.state()).toMatchObject({ healthy: false, reason: 'record_full' })
    disk.broken = false
    await vi.advanceTimersByTimeAsync(1000)
    await recorder.decide(call(200))
    await recorder.close()
    expect(disk.events(disk.synced).size).toBe(taken)
  })
})

describe('the limit of what waits for the disk', () => {
  /** Decides until it is refused; then the disk has been broken for long. */
  async function fill() {
    const opened = open({ limit: 10_000, sink: ['store'] })
    opened.disk.broken = true
    const calls: JournaledCall[] = []
    while (calls.length < 1000) {
      const next = await opened.recorder.decide(call(calls.length + 1)).catch(() => undefined)
      if (next === undefined) return { ...opened, calls }
      calls.push(next)
    }
    throw new Error('There is no limit.')
  }

  it('holds for outcomes, too: those under way end, each with one, and no call begins', async () => {
    const { recorder, disk, calls } = await fill()
    for (const [at, one] of calls.entries()) recorder.finish(one, call(at + 1), ANSWERED)
    for (let round = 0; round < 10; round += 1) {
      await expect(recorder.decide(call(999))).rejects.toEqual(REFUSED)
      await expect(recorder.record(ended(999))).rejects.toEqual(REFUSED)
      await vi.advanceTimersByTimeAsync(500)
      expect(recorder.state()).toEqual({ healthy: false, reason: 'record_full', waiting: 2 * calls.length })
    }
    disk.broken = false
    await vi.advanceTimersByTimeAsync(1100)
    expect(recorder.state()).toEqual({ healthy: true, waiting: 0 })
    expect([...disk.events(disk.synced).values()]).toEqual(calls.map((_, at) => ended(at + 1)))
    await recorder.close()
  })

  it('is as large as before when all of it is on the disk', async () => {
    const { recorder, disk, calls } = await fill()
    disk.broken = false
    await vi.advanceTimersByTimeAsync(1100)
    for (const at of calls.keys()) await recorder.decide(call(100 + at))
    await expect(recorder.decide(call(999))).rejects.toEqual(REFUSED)
    await recorder.close()
  })
})

describe('a disk that hangs', () => {
  it('holds up the end for two seconds, in which all is written that can be', async () => {
    const { recorder, disk, reported } = open()
    const [one, two] = [await recorder.decide(call(1)), await recorder.decide(call(2))]
    disk.slow = new Promise(() => undefined)
    await vi.advanceTimersByTimeAsync(10)
    recorder.finish(one, call(1), ANSWERED)
    recorder.finish(two, call(2), ANSWERED)
    const closed = vi.fn()
    void recorder.close().then(closed)
    await vi.advanceTimersByTimeAsync(1999)
    expect([closed.mock.calls.length, reported]).toEqual([0, []])
    await vi.advanceTimersByTimeAsync(1)
    expect(closed).toHaveBeenCalled()
    // With the system: a kill loses nothing of it.
    expect([...disk.events().values()]).toEqual([ended(1), ended(2)])
    expect(reported).toEqual(['The last decisions may not be in the audit record'])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('is waited for where it is only slow', async () => {
    const { recorder, disk, reported } = open()
    recorder.finish(await recorder.decide(call(1)), call(1), ANSWERED)
    const pause = Promise.withResolvers<void>()
    disk.slow = pause.promise
    const closed = recorder.close()
    await vi.advanceTimersByTimeAsync(1900)
    pause.resolve()
    await closed
    expect(disk.events(disk.synced)).toEqual(new Map([[idOf(1), ended(1)]]))
    expect([reported, vi.getTimerCount()]).toEqual([[], 0])
  })

  it('gets nothing more when it comes back after that', async () => {
    const { recorder, disk, reported } = open()
    await recorder.decide(call(1))
    const pause = Promise.withResolvers<void>()
    disk.slow = pause.promise
    await vi.advanceTimersByTimeAsync(10)
    const late = recorder.decide(call(2))
    const closed = recorder.close()
    await vi.advanceTimersByTimeAsync(2000)
    await closed
    const { writes } = disk
    recorder.finish(await late, call(2), ANSWERED)
    disk.full = true
    pause.resolve()
    await vi.advanceTimersByTimeAsync(10_000)
    expect([disk.writes, vi.getTimerCount(), reported.length]).toEqual([writes, 0, 1])
  })

  it('holds up the end for no longer where an act waits for it', async () => {
    const { recorder, reported } = open({ log: { append: () => new Promise(() => undefined) } })
    void recorder.act(act(99))
    const closed = vi.fn()
    void recorder.close().then(closed)
    await vi.advanceTimersByTimeAsync(2000)
    expect(closed).toHaveBeenCalled()
    expect(reported).toHaveLength(1)
  })
})
