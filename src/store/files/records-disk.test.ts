// The record on disks that are full, lose what they took, or hang.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { StoreUnavailable } from '../../protocol/errors.ts'
import { syncFile } from './disk.ts'
import { HOUR, idOf, line, lines, recordFolder } from './records.support.ts'

/** What the disk does to the next writes: takes so many bytes, as the system says without an error, and is full then. */
const disk = vi.hoisted(() => ({ takes: Number.POSITIVE_INFINITY }))
vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>()
  const writeSync = (file: number, bytes: Buffer, from: number, size: number): number => {
    if (disk.takes === Number.POSITIVE_INFINITY) return fs.writeSync(file, bytes, from, size)
    const { takes } = disk
    disk.takes = 0
    if (takes > 0) return fs.writeSync(file, bytes, from, Math.min(takes, size))
    throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
  }
  return { ...fs, writeSync }
})

const here = recordFolder()
afterEach(() => {
  disk.takes = Number.POSITIVE_INFINITY
  vi.useRealTimers()
})

/** A disk that loses the first that it gets, and says so once. */
function lossy(): typeof syncFile {
  let told = false
  return async () => {
    if (told) return
    told = true
    throw Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' })
  }
}

describe('a journal', () => {
  it('learns of a sync that failed, whoever waited for it', async () => {
    const [one, other] = [here.records.openJournal?.(), here.records.openJournal?.()]
    one?.write([line(idOf(here.now, 1))])
    other?.write([line(idOf(here.now, 2))])
    here.sync = lossy()
    await expect(one?.sync()).rejects.toThrow(StoreUnavailable)
    await expect(other?.sync()).rejects.toThrow(StoreUnavailable)
    other?.write([line(idOf(here.now, 2), 'again')])
    await other?.sync()
    await one?.sync()
    expect(lines(await here.records.read('', 9))).toEqual([idOf(here.now, 1), 'again'])
  })

  it('does not trust a sync that comes after one that failed', async () => {
    here.sync = lossy()
    const lost = here.records.append([line(idOf(here.now, 1))])
    const behind = here.records.append([line(idOf(here.now, 2))])
    await expect(lost).rejects.toThrow(StoreUnavailable)
    await expect(behind).rejects.toThrow(StoreUnavailable)
    await here.records.append([line(idOf(here.now, 2))])
  })

  it('that failed is told once of it: all of it comes again', async () => {
    const journal = here.records.openJournal?.()
    here.sync = lossy()
    const id = idOf(here.now - HOUR)
    journal?.write([line(id, '{"a":1}')])
    const failing = journal?.sync()
    const ending = { id, ending: ',"b":1}' }
    journal?.write([ending])
    await expect(failing).rejects.toThrow(StoreUnavailable)
    journal?.write([line(id, '{"a":1}'), ending])
    await journal?.sync()
    expect(lines(await here.records.read('', 9))).toEqual(['{"a":1,"b":1}'])
  })

  it('waits with its sync for what it probed with', async () => {
    const journal = here.records.openJournal?.()
    here.sync = lossy()
    journal?.probe()
    await expect(journal?.sync()).rejects.toThrow(StoreUnavailable)
    journal?.probe()
    await journal?.sync()
  })

  it('has what it wrote on the disk after a sync, also what went to a segment that is full', async () => {
    const journal = here.records.openJournal?.()
    const filler = 'x'.repeat(9 * 1024 ** 2)
    journal?.write([line(idOf(here.now, 1), filler)])
    journal?.write([line(idOf(here.now, 2), 'b')])
    journal?.write([{ id: idOf(here.now - HOUR), ending: '}' }])
    expect(here.segments().filter((name) => name.includes(','))).toEqual([])
    await journal?.sync()
    expect(here.segments().filter((name) => name.includes(','))).toHaveLength(1)
    expect(here.segments()).toHaveLength(3)
  })
})

describe('a disk that is full', () => {
  it('gets nothing of a batch into the record, and the next batch whole', async () => {
    await here.records.append([line(idOf(here.now, 1), 'before')])
    disk.takes = 60
    await expect(here.records.append([line(idOf(here.now, 2), 'b'), line(idOf(here.now, 3), 'c')])).rejects.toThrow(
      StoreUnavailable,
    )
    await expect(here.records.append([line(idOf(here.now, 2), 'b')])).rejects.toThrow('the disk is full')
    await expect(here.records.check()).rejects.toThrow(StoreUnavailable)
    expect(lines(await here.records.read('', 9))).toEqual(['before'])
    disk.takes = Number.POSITIVE_INFINITY
    await here.records.check()
    await here.records.append([line(idOf(here.now, 3), 'after')])
    expect(lines(await here.records.read('', 9))).toEqual(['before', 'after'])
  })
})

describe('what many lines share', () => {
  const parts = (count: number) => ({ id: idOf(here.now, count), head: `{"n":${count}`, shared: ',"who":"ann"}' })

  it('is said again after a write that the disk took in part', async () => {
    const journal = here.records.openJournal?.()
    journal?.write([line(idOf(here.now, 1), 'before')])
    disk.takes = 30
    expect(() => journal?.write([parts(2)])).toThrow(StoreUnavailable)
    disk.takes = Number.POSITIVE_INFINITY
    journal?.write([parts(2), parts(3)])
    const whole = ['before', '{"n":2,"who":"ann"}', '{"n":3,"who":"ann"}']
    const reader = await here.open()
    for (const one of [here.records, reader]) expect(lines(await one.read('', 9))).toEqual(whole)
    await reader.close()
  })

  it('is said again after a sync that failed', async () => {
    const journal = here.records.openJournal?.()
    here.sync = lossy()
    journal?.write([parts(1)])
    await expect(journal?.sync()).rejects.toThrow(StoreUnavailable)
    const [lost = ''] = here.segments()
    journal?.write([parts(1), parts(2)])
    await journal?.sync()
    // As if the disk had kept nothing of the first.
    rmSync(join(here.folder, lost))
    const reader = await here.open()
    expect(lines(await reader.read('', 9))).toEqual(['{"n":1,"who":"ann"}', '{"n":2,"who":"ann"}'])
    await reader.close()
  })

  it('is said in both files where a part comes late', async () => {
    const journal = here.records.openJournal?.()
    journal?.write([{ ...parts(1), id: idOf(here.now - HOUR) }, parts(2)])
    await journal?.sync()
    expect(here.segments()).toHaveLength(2)
    expect(lines(await here.records.read('', 9))).toEqual(['{"n":1,"who":"ann"}', '{"n":2,"who":"ann"}'])
  })
})

describe('waiting for the disk', () => {
  it('is done for one at a time, and for all who wait behind at once', async () => {
    let running = 0
    here.sync = async (file) => {
      expect(++running).toBe(1)
      await syncFile(file)
      running -= 1
    }
    await Promise.all([1, 2, 3, 4].map((count) => here.records.append([line(idOf(here.now, count))])))
    expect(here.syncs).toHaveLength(2)
    expect(await here.records.read('', 9)).toHaveLength(4)
  })

  it('that fails fails all who wait; what they write again is in another file', async () => {
    here.sync = lossy()
    const failing = [1, 2].map((count) => here.records.append([line(idOf(here.now, count), 'lost?')]))
    await Promise.all(failing.map((one) => expect(one).rejects.toThrow('the disk cannot be read or written')))
    await here.records.append([line(idOf(here.now, 2), 'again')])
    expect(here.segments()).toHaveLength(2)
    expect(lines(await here.records.read('', 9))).toEqual(['lost?', 'again'])
  })

  it('fails where the file is not found under its name any more', async () => {
    await here.records.append([line(idOf(here.now, 1))])
    rmSync(join(here.folder, here.segments()[0] ?? ''))
    await expect(here.records.append([line(idOf(here.now, 2))])).rejects.toThrow(StoreUnavailable)
    await here.records.append([line(idOf(here.now, 2))])
    expect(await here.records.read('', 9)).toHaveLength(1)
  })

  it('comes to its end before the close', async () => {
    const given = [1, 2].map((count) => here.records.append([line(idOf(here.now, count))]))
    await here.records.close()
    await Promise.all(given)
    expect(await here.records.read('', 9)).toHaveLength(2)
    await expect(here.records.append([line(idOf(here.now, 3))])).rejects.toThrow('The store is closed.')
    await expect(here.records.check()).rejects.toThrow(StoreUnavailable)
  })
})

describe('a close while the disk is waited for', () => {
  /** Real files, and time in hand. */
  const fakeTime = () => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })

  it('comes to its end where the disk hangs, and what was written is there', async () => {
    here.sync = () => new Promise(() => undefined)
    void here.records.append([line(idOf(here.now, 1), 'a'), line(idOf(here.now - HOUR), 'late')])
    fakeTime()
    const closed = vi.fn()
    const closing = here.records.close().then(closed)
    await vi.advanceTimersByTimeAsync(999)
    expect(closed).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(1)
    await closing
    vi.useRealTimers()
    here.now += 3 * HOUR
    const next = await here.open()
    expect(lines(await next.read('', 9))).toEqual(['late', 'a'])
    expect(here.segments().filter((name) => !name.includes(','))).toEqual([])
    await next.close()
  })

  it('waits for it where it is slow only, and leaves no timer', async () => {
    const slow = Promise.withResolvers<void>()
    here.sync = () => slow.promise
    const appended = here.records.append([line(idOf(here.now), 'a')])
    fakeTime()
    const closing = here.records.close()
    await vi.advanceTimersByTimeAsync(4000)
    slow.resolve()
    await Promise.all([appended, closing])
    expect(vi.getTimerCount()).toBe(0)
    expect(here.segments()).toEqual([expect.stringContaining(',')])
  })
})
