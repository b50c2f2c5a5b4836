// Where the record lies on this machine: what is decided is in it, or does not happen.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { StoreUnavailable } from '../protocol/errors.ts'
import { ANSWERED, act, call, ended } from './events.support.ts'
import { idOf, open, REFUSED } from './journal.support.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
})
afterEach(() => {
  vi.useRealTimers()
})

const issued = act(99)

describe('calls', () => {
  it('are written when decide resolves, with their outcome on the disk moments later, and printed with it', async () => {
    const { recorder, disk, printed } = open()
    const one = await recorder.decide(call(1))
    expect(disk.events().get(idOf(1))).toEqual(call(1))
    expect(disk.synced).toEqual([])
    expect(printed()).toEqual([])
    recorder.finish(one, call(1), ANSWERED)
    expect(recorder.state()).toEqual({ healthy: true, waiting: 2 })
    await vi.advanceTimersByTimeAsync(10)
    expect(disk.events(disk.synced)).toEqual(new Map([[idOf(1), ended(1)]]))
    expect(printed()).toEqual([ended(1)])
    expect(recorder.state()).toEqual({ healthy: true, waiting: 0 })
    await recorder.close()
  })

  it('that are told at once are written and printed with their outcome', async () => {
    const { recorder, disk, printed } = open()
    await recorder.record(ended(1))
    expect(disk.events().get(idOf(1))).toEqual(ended(1))
    expect(printed()).toEqual([ended(1)])
    await recorder.close()
    expect(disk.events(disk.synced).size).toBe(1)
  })

  it('wait for one sync at a time, however long it takes', async () => {
    const { recorder, disk } = open()
    for (let count = 1; count <= 5; count += 1) {
      const pause = Promise.withResolvers<void>()
      disk.slow = pause.promise
      recorder.finish(await recorder.decide(call(count)), call(count), ANSWERED)
      await vi.advanceTimersByTimeAsync(35)
      expect(disk.syncing).toBe(1)
      pause.resolve()
      await vi.advanceTimersByTimeAsync(0)
    }
    disk.slow = undefined
    await vi.advanceTimersByTimeAsync(50)
    expect(recorder.state()).toEqual({ healthy: true, waiting: 0 })
    await recorder.close()
  })

  it('take as much room as waits for the disk, and not more with time', async () => {
    const { recorder, disk } = open({ limit: 3000 })
    for (let count = 1; count <= 20; count += 1) {
      const pause = Promise.withResolvers<void>()
      disk.slow = pause.promise
      recorder.finish(await recorder.decide(call(count)), call(count), ANSWERED)
      await vi.advanceTimersByTimeAsync(35)
      pause.resolve()
      await vi.advanceTimersByTimeAsync(0)
    }
    await recorder.close()
    expect(disk.events(disk.synced).size).toBe(20)
  })

  it('of one turn share a write, with the outcomes that came before', async () => {
    const { recorder, disk } = open()
    const calls = await Promise.all([recorder.decide(call(1)), recorder.decide(call(2))])
    expect(disk.writes).toBe(1)
    for (const [at, one] of calls.entries()) recorder.finish(one, call(at + 1), ANSWERED)
    expect(disk.writes).toBe(1)
    await recorder.decide(call(3))
    expect(disk.writes).toBe(2)
    expect([...disk.events().values()]).toEqual([ended(1), ended(2), call(3)])
    await recorder.close()
  })

  it('keep what changed after the decision, and the last of two outcomes', async () => {
    const { recorder, disk, printed } = open()
    const one = await recorder.decide(call(1))
    const refused = call(1, { decision: 'deny', reason: 'too_late', outcome: 'refused', status: 503 })
    recorder.finish(one, refused, refused)
    const two = await recorder.decide(call(2))
    recorder.finish(two, call(2), { outcome: 'upstream_error' })
    recorder.finish(two, call(2), ANSWERED)
    await recorder.close()
    expect([...disk.events().values()]).toEqual([refused, ended(2)])
    expect(printed()).toEqual([refused, call(2, { outcome: 'upstream_error' }), ended(2)])
  })

  it('that end while the record is closed have their outcome in it', async () => {
    const { recorder, disk, reported } = open()
    const one = await recorder.decide(call(1))
    const last = Promise.withResolvers<void>()
    disk.slow = last.promise
    const closed = recorder.close()
    await vi.advanceTimersByTimeAsync(0)
    recorder.finish(one, call(1), ANSWERED)
    last.resolve()
    await closed
    expect(disk.events(disk.synced)).toEqual(new Map([[idOf(1), ended(1)]]))
    expect(reported).toEqual([])
  })

  it('without an outcome are printed at the end, and nothing is taken after it', async () => {
    const { recorder, disk, printed } = open()
    const last = recorder.decide(call(1))
    await Promise.all([recorder.close(), last])
    expect(disk.events(disk.synced).get(idOf(1))).toEqual(call(1))
    expect(printed()).toEqual([call(1)])
    await expect(recorder.decide(call(2))).rejects.toEqual(REFUSED)
    await expect(recorder.act(issued)).rejects.toEqual(REFUSED)
  })
})

describe('acts', () => {
  it('are on the disk when they resolve, and printed', async () => {
    const { recorder, disk, printed } = open()
    await recorder.act(issued)
    expect(disk.events(disk.synced).get(issued.id)).toEqual(issued)
    expect(printed()).toEqual([issued])
    await recorder.close()
  })

  it('reject when the disk does not take them, and are printed by nobody', async () => {
    const { recorder, disk, printed } = open()
    disk.full = true
    await expect(recorder.act(issued)).rejects.toThrow(StoreUnavailable)
    expect(printed()).toEqual([])
    await recorder.close()
  })
})

it('prints nothing where stdout is no sink', async () => {
  const { recorder, printed } = open({ sink: ['store'] })
  recorder.finish(await recorder.decide(call(1)), call(1), ANSWERED)
  await recorder.record(ended(2))
  await recorder.act(issued)
  await recorder.decide(call(3))
  await recorder.close()
  expect(printed()).toEqual([])
})
