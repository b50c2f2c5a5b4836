// Where the record lies on this machine: what is decided is in it, or does not happen.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { StoreUnavailable } from '../protocol/errors.ts'
import type { Journal, RecordEntry, RecordLine } from '../store/record-log.ts'
import { act, call, ended } from './events.support.ts'
import { openJournal } from './journal.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
})
afterEach(() => {
  vi.useRealTimers()
})

const idOf = (number: number) => call(number).id
const issued = act(99)

interface Disk {
  full: boolean
  broken: boolean
  /** What a sync waits for. */
  slow: Promise<void> | undefined
  syncing: number
  writes: number
  written: number
  synced: RecordEntry[]
  /** By id, as a reader puts them together. */
  events(entries?: readonly RecordEntry[]): Map<string, unknown>
  append(lines: readonly RecordLine[]): Promise<void>
  readonly journal: Journal
}

/** A disk behind a cache: what was written is lost with the power until it was synced. */
function startDisk(): Disk {
  let cached: RecordEntry[] = []
  const disk: Disk = {
    full: false,
    broken: false,
    slow: undefined,
    syncing: 0,
    writes: 0,
    written: 0,
    synced: [],
    events(entries = [...disk.synced, ...cached]) {
      const lines = new Map<string, string>()
      const endings = new Map<string, string>()
      for (const entry of entries) {
        if ('line' in entry) {
          lines.set(entry.id, entry.line)
          endings.delete(entry.id)
        } else endings.set(entry.id, entry.ending)
      }
      return new Map(
        [...lines].map(([id, line]) => [id, JSON.parse(line.slice(0, -1) + (endings.get(id) ?? '}'))] as const),
      )
    },
    async append(lines) {
      if (disk.full) throw new StoreUnavailable('The disk is full.')
      disk.synced.push(...lines)
    },
    journal: {
      write(entries) {
        if (entries.length === 0) return
        if (disk.full) throw new StoreUnavailable('The disk is full.')
        disk.writes += 1
        disk.written += entries.length
        for (const entry of entries) cached.push('line' in entry ? { id: entry.id, line: entry.line } : { ...entry })
      },
      async sync() {
        const batch = cached
        cached = []
        disk.syncing += 1
        await disk.slow
        disk.syncing -= 1
        if (disk.broken) throw new StoreUnavailable('The disk cannot be written.')
        disk.synced.push(...batch)
      },
      probe() {
        if (disk.full) throw new StoreUnavailable('The disk is full.')
      },
    },
  }
  return disk
}

function open(over: Partial<Parameters<typeof openJournal>[0]> = {}) {
  const disk = startDisk()
  const printed: string[] = []
  const reported: string[] = []
  const recorder = openJournal({
    log: disk,
    journal: disk.journal,
    sink: ['store', 'stdout'],
    limit: 1024 ** 2,
    stdout: (line) => printed.push(line),
    report: (_, message) => reported.push(message),
    ...over,
  })
  return { recorder, disk, printed: () => printed.map((line) => JSON.parse(line)), reported }
}

const REFUSED = expect.objectContaining({ status: 503, reason: 'audit_unavailable', retryAfter: 5 })

describe('calls', () => {
  it('are written when decide resolves, with their outcome on the disk moments later, and printed with it', async () => {
    const { recorder, disk, printed } = open()
    const one = await recorder.decide(call(1))
    expect(disk.events().get(idOf(1))).toEqual(call(1))
    expect(disk.synced).toEqual([])
    expect(printed()).toEqual([])
    recorder.finish(one, ended(1))
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
      recorder.finish(await recorder.decide(call(count)), ended(count))
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
      recorder.finish(await recorder.decide(call(count)), ended(count))
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
    for (const [at, one] of calls.entries()) recorder.finish(one, ended(at + 1))
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
    recorder.finish(one, refused)
    const two = await recorder.decide(call(2))
    recorder.finish(two, call(2, { outcome: 'upstream_error' }))
    recorder.finish(two, ended(2))
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
    recorder.finish(one, ended(1))
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

describe('a disk that is full', () => {
  it('refuses calls with 503, keeps the outcomes of those under way, and recovers by itself', async () => {
    const { recorder, disk, reported } = open()
    const one = await recorder.decide(call(1))
    disk.full = true
    recorder.finish(one, ended(1))
    const refused = [recorder.decide(call(2)), recorder.decide(call(3)), recorder.record(ended(4))]
    for (const each of refused) await expect(each).rejects.toEqual(REFUSED)
    expect(recorder.state()).toEqual({ healthy: false, reason: 'spool_unwritable', waiting: 2 })
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
    recorder.finish(await recorder.decide(call(1)), ended(1))
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
    recorder.finish(one, ended(1))
    await recorder.decide(call(2))
    expect(recorder.state()).toEqual({ healthy: false, reason: 'store_unavailable', waiting: 4 })
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
    recorder.finish(one, ended(1))
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
    recorder.finish(await recorder.decide(call(1)), ended(1))
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
      recorder.finish(await recorder.decide(call(count)), ended(count))
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
    expect(recorder.state()).toMatchObject({ healthy: false, reason: 'spool_full' })
    disk.broken = false
    await vi.advanceTimersByTimeAsync(1000)
    await recorder.decide(call(200))
    await recorder.close()
    expect(disk.events(disk.synced).size).toBe(taken)
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
  recorder.finish(await recorder.decide(call(1)), ended(1))
  await recorder.record(ended(2))
  await recorder.act(issued)
  await recorder.decide(call(3))
  await recorder.close()
  expect(printed()).toEqual([])
})
