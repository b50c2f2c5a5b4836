// The record in files: full and failing disks, readers beside writers, and whatever order lines come in.
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { OperatorError, StoreUnavailable } from '../../protocol/errors.ts'
import type { CheckedRecordLog, RecordLine } from '../record-log.ts'
import { syncFile } from './disk.ts'
import { openRecords } from './records.ts'

/** What the disk does to the next writes: takes so many bytes, as the system says without an error, and is full then. */
const disk = vi.hoisted(() => ({ takes: Number.POSITIVE_INFINITY, unreadable: '-', opened: 0 }))
vi.mock('node:fs/promises', async (original) => {
  const fs = await original<typeof import('node:fs/promises')>()
  const open = async (path: string, flags: string) => {
    disk.opened += 1
    if (!path.endsWith(disk.unreadable)) return fs.open(path, flags)
    throw Object.assign(new Error(`EACCES: permission denied, open '${path}'`), { code: 'EACCES', path })
  }
  return { ...fs, open }
})
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

const HOUR = 3_600_000
let folder: string
let now: number
let records: CheckedRecordLog

/** A disk that loses the first that it gets, and says so once. */
function lossy(): typeof syncFile {
  let told = false
  return async () => {
    if (told) return
    told = true
    throw Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' })
  }
}
/** How it is waited for; `syncs`: what was waited for. */
let sync = syncFile
const syncs: string[] = []
const open = (): Promise<CheckedRecordLog> =>
  openRecords({
    folder,
    clock: () => now,
    sync: (file) => {
      syncs.push(file.path)
      return sync(file)
    },
  })

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portcullis-records-'))
  now = Date.parse('2026-11-21T12:00:00Z')
  syncs.length = 0
  sync = syncFile
  records = await open()
})
afterEach(async () => {
  disk.takes = Number.POSITIVE_INFINITY
  disk.unreadable = '-'
  await records.close()
  rmSync(folder, { recursive: true })
})

/** A UUIDv7 of that moment. */
function idOf(moment: number, count = 0): string {
  const time = moment.toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${String(count).padStart(12, '0')}`
}
const line = (id: string, text = id): RecordLine => ({ id, line: text })
const segments = (): string[] => readdirSync(folder).sort()
const lines = (all: readonly RecordLine[]): string[] => all.map((one) => one.line)

describe('segments', () => {
  it('begin with the first line, and get their range into their name when they end', async () => {
    expect(segments()).toEqual([])
    await records.append([line(idOf(now, 2)), line(idOf(now, 1))])
    expect(segments()).toEqual([expect.stringMatching(/^\d{13}-[0-9a-f]{8}\.v1$/)])
    await records.close()
    const [name = ''] = segments()
    expect(name.slice(22)).toBe(`,${idOf(now, 1)},${idOf(now, 2)}.v1`)
  })

  it('leave no empty file', async () => {
    await records.check()
    expect(segments()).toHaveLength(1)
    await records.close()
    expect(segments()).toEqual([])
  })

  it('end after an hour, whichever way the clock was set', async () => {
    await records.append([line(idOf(now))])
    now -= 2 * HOUR
    await records.append([line(idOf(now))])
    now += HOUR
    await records.append([line(idOf(now))])
    expect(segments().filter((name) => name.includes(','))).toHaveLength(2)
    expect(await records.read('', 9)).toHaveLength(3)
  })

  it('end when they are large, and what is in them is read on', async () => {
    const filler = 'x'.repeat(3 * 1024 ** 2)
    for (let count = 0; count < 4; count += 1) await records.append([line(idOf(now, count), `${count}${filler}`)])
    expect(segments()).toHaveLength(2)
    expect((await records.read('', 9)).map((one) => one.line[0])).toEqual(['0', '1', '2', '3'])
    expect((await records.newest(2)).map((one) => one.line[0])).toEqual(['2', '3'])
  })

  it('keep what comes late apart, so that a few minutes are in few files', async () => {
    await records.append([line(idOf(now))])
    await records.append([line(idOf(now - HOUR), 'late'), line(idOf(now, 1))])
    await records.close()
    const ranges = segments().map((name) => name.slice(23, -3).split(','))
    expect(ranges).toContainEqual([idOf(now), idOf(now, 1)])
    expect(ranges).toContainEqual([idOf(now - HOUR), idOf(now - HOUR)])
  })

  it('get their names from the next start where a crash came first, once nobody writes to them', async () => {
    const begun = now - 3 * HOUR
    const left = (at: number) => join(folder, `${at}-0000beef.v1`)
    writeFileSync(left(begun), `${idOf(begun)} ${begun} whole\n${idOf(begun, 1)} ${begun} torn`)
    writeFileSync(left(begun + 1), '')
    writeFileSync(left(now), `${idOf(now)} ${now} growing\n`)
    const other = await open()
    expect(segments()).toEqual([`${begun}-0000beef,${idOf(begun)},${idOf(begun)}.v1`, `${now}-0000beef.v1`])
    expect(lines(await other.read('', 9))).toEqual(['whole', 'growing'])
    await other.close()
  })
})

describe('a folder that others see to', () => {
  it('has long idle segments named by a later start, and their writer goes on elsewhere', async () => {
    await records.append([line(idOf(now), 'a'), line(idOf(now - HOUR), 'late')])
    now += 3 * HOUR
    await (await open()).close()
    expect(segments().filter((name) => name.includes(','))).toHaveLength(2)
    await records.append([line(idOf(now), 'b'), line(idOf(now - HOUR), 'late, too')])
    expect(lines(await records.read('', 9))).toEqual(['late', 'a', 'late, too', 'b'])
  })

  it('may lose a file that is written to: what nobody would read is not taken', async () => {
    await records.append([line(idOf(now, 1), 'a')])
    for (const name of segments()) rmSync(join(folder, name))
    await expect(records.append([line(idOf(now, 2), 'b')])).rejects.toThrow(StoreUnavailable)
    await records.append([line(idOf(now, 2), 'b')])
    expect(lines(await records.read('', 9))).toEqual(['b'])
  })

  it('may be gone, and come again', async () => {
    await records.append([line(idOf(now, 1), 'a')])
    rmSync(folder, { recursive: true })
    await expect(records.check()).rejects.toThrow(StoreUnavailable)
    await expect(records.check()).rejects.toThrow('its folder is gone')
    mkdirSync(folder)
    await records.check()
    await records.append([line(idOf(now, 2), 'b')])
    expect(lines(await records.read('', 9))).toEqual(['b'])
  })
})

describe('reading', () => {
  it('goes on beside a writer of another process, and sees each line once it is whole', async () => {
    await records.append([line(idOf(now), 'a')])
    const path = join(folder, `${now}-0000beef.v1`)
    writeFileSync(path, `${idOf(now, 1)} ${now} b\n${idOf(now, 2)} ${now} c`)
    expect(lines(await records.read('', 9))).toEqual(['a', 'b'])
    appendFileSync(path, `c\n\n${idOf(now, 3)} no-stamp d\n${idOf(now, 4)} ${now} \0\0\0\n`)
    expect(lines(await records.read('', 9))).toEqual(['a', 'b', 'cc'])
  })

  it('finds all of a segment of which a backup has left a shorter copy', async () => {
    const begun = now - 3 * HOUR
    const [one, two, three] = [0, 1, 2].map((count) => `${idOf(begun, count)} ${begun} ${count}\n`)
    writeFileSync(join(folder, `${begun}-0000beef.v1`), `${one}${two}`)
    writeFileSync(join(folder, `${begun}-0000beef,${idOf(begun)},${idOf(begun, 2)}.v1`), `${one}${two}${three}`)
    const restored = await open()
    expect(lines(await restored.newest(1))).toEqual(['2'])
    expect(lines(await restored.read('', 9))).toEqual(['0', '1', '2'])
    expect(lines(await restored.newest(9))).toEqual(['0', '1', '2'])
    await restored.close()
    const again = await open()
    expect(lines(await again.read('', 1))).toEqual(['0'])
    expect(lines(await again.read('', 9))).toEqual(['0', '1', '2'])
    await again.close()
  })

  it('forgets what was cut off again', async () => {
    const path = join(folder, `${now}-0000beef.v1`)
    writeFileSync(path, `${idOf(now, 1)} ${now} a\n${idOf(now, 2)} ${now} refused\n`)
    expect(lines(await records.read('', 9))).toEqual(['a', 'refused'])
    writeFileSync(path, `${idOf(now, 1)} ${now} a\n`)
    expect(lines(await records.read('', 9))).toEqual(['a'])
  })

  it('follows segments through their renaming', async () => {
    const reader = await open()
    const reading = (async () => {
      const seen: number[] = []
      while (seen.at(-1) !== 60) seen.push((await reader.read('', 100)).length)
      return seen
    })()
    for (let count = 0; count < 60; count += 1) {
      now += HOUR
      await records.append([line(idOf(now))])
    }
    const seen = await reading
    expect(seen).toEqual(seen.toSorted((one, other) => one - other))
    await reader.close()
  })

  it('has of one id what was written last, also within one write', async () => {
    const journal = records.openJournal?.()
    const [one, two] = [idOf(now, 1), idOf(now, 2)]
    journal?.write([line(one, '{"a":1}'), { id: one, ending: ',"b":1}' }, { id: one, ending: ',"b":2}' }])
    journal?.write([line(two, '{"a":1}'), { id: two, ending: ',"b":1}' }, line(two, '{"a":2}')])
    expect(lines(await records.read('', 9))).toEqual(['{"a":1,"b":2}', '{"a":2}'])
  })

  it('opens of many segments without a range, as kills leave them, only those that it needs', async () => {
    for (let at = 0; at < 20; at += 1)
      writeFileSync(join(folder, `${now + at}-0000beef.v1`), `${idOf(now + at)} ${now + at} ${at}\n`)
    expect(lines(await records.newest(2))).toEqual(['18', '19'])
    const { opened } = disk
    expect(lines(await records.newest(2))).toEqual(['18', '19'])
    expect(disk.opened - opened).toBe(2)
  })

  // Whatever is appended, replaced, ended and restored, late or not, over however many files: reads are those of a map in order.
  it('is that of a map in the order of ids', async () => {
    const act = fc.record({
      kind: fc.constantFrom('append', 'append', 'write', 'write', 'end', 'end', 'restore', 'later', 'reopen'),
      batch: fc.array(fc.tuple(fc.nat(12), fc.constantFrom(0, 0, 0, 10, HOUR, 30 * HOUR)), { maxLength: 5 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 25 }), fc.nat(20), fc.nat(6), async (acts, from, limit) => {
        rmSync(folder, { recursive: true })
        mkdirSync(folder)
        let log = await open()
        let journal = log.openJournal?.()
        const model = new Map<string, { line: string; ending?: string }>()
        for (const [step, { kind, batch }] of acts.entries()) {
          const given = batch.map(([count, age], at) => line(idOf(now - age, count), `{"text":"${step}.${at}"}`))
          if (kind === 'later') now += HOUR / 2
          else if (kind === 'reopen') {
            await log.close()
            log = await open()
            journal = log.openJournal?.()
          } else if (kind === 'end') {
            const ended = given.map(({ id }) => ({ id, ending: `,"ended":${step}}` })).filter(({ id }) => model.has(id))
            journal?.write(ended)
            for (const { id, ending } of ended) model.set(id, { line: model.get(id)?.line ?? '', ending })
          } else {
            if (kind === 'write') journal?.write(given)
            else await log[kind](given)
            for (const one of given) if (kind !== 'restore' || !model.has(one.id)) model.set(one.id, { line: one.line })
          }
          if (step % 3 === 0) await journal?.sync()
        }
        const all = [...model]
          .map(([id, { line: text, ending }]) => line(id, ending === undefined ? text : text.slice(0, -1) + ending))
          .sort((one, other) => (one.id < other.id ? -1 : 1))
        const after = all[from]?.id ?? ''
        const reader = await open()
        for (const one of [log, reader]) {
          expect(await one.read('', 1000)).toEqual(all)
          expect(await one.read(after, limit)).toEqual(all.filter(({ id }) => id > after).slice(0, limit))
          expect(await one.newest(limit)).toEqual(limit > 0 ? all.slice(-limit) : [])
          expect(await one.find(after)).toEqual(all.find(({ id }) => id === after))
        }
        await Promise.all([log.close(), reader.close()])
        expect(segments().filter((name) => !name.includes(','))).toEqual([])
      }),
      { numRuns: 40 },
    )
  })
})

describe('a journal', () => {
  it('learns of a sync that failed, whoever waited for it', async () => {
    const [one, other] = [records.openJournal?.(), records.openJournal?.()]
    one?.write([line(idOf(now, 1))])
    other?.write([line(idOf(now, 2))])
    sync = lossy()
    await expect(one?.sync()).rejects.toThrow(StoreUnavailable)
    await expect(other?.sync()).rejects.toThrow(StoreUnavailable)
    other?.write([line(idOf(now, 2), 'again')])
    await other?.sync()
    await one?.sync()
    expect(lines(await records.read('', 9))).toEqual([idOf(now, 1), 'again'])
  })

  it('does not trust a sync that comes after one that failed', async () => {
    sync = lossy()
    const lost = records.append([line(idOf(now, 1))])
    const behind = records.append([line(idOf(now, 2))])
    await expect(lost).rejects.toThrow(StoreUnavailable)
    await expect(behind).rejects.toThrow(StoreUnavailable)
    await records.append([line(idOf(now, 2))])
  })

  it('that failed is told once of it: all of it comes again', async () => {
    const journal = records.openJournal?.()
    sync = lossy()
    const id = idOf(now - HOUR)
    journal?.write([line(id, '{"a":1}')])
    const failing = journal?.sync()
    const ending = { id, ending: ',"b":1}' }
    journal?.write([ending])
    await expect(failing).rejects.toThrow(StoreUnavailable)
    journal?.write([line(id, '{"a":1}'), ending])
    await journal?.sync()
    expect(lines(await records.read('', 9))).toEqual(['{"a":1,"b":1}'])
  })

  it('waits with its sync for what it probed with', async () => {
    const journal = records.openJournal?.()
    sync = lossy()
    journal?.probe()
    await expect(journal?.sync()).rejects.toThrow(StoreUnavailable)
    journal?.probe()
    await journal?.sync()
  })

  it('has what it wrote on the disk after a sync, also what went to a segment that is full', async () => {
    const journal = records.openJournal?.()
    const filler = 'x'.repeat(9 * 1024 ** 2)
    journal?.write([line(idOf(now, 1), filler)])
    journal?.write([line(idOf(now, 2), 'b')])
    journal?.write([{ id: idOf(now - HOUR), ending: '}' }])
    expect(segments().filter((name) => name.includes(','))).toEqual([])
    await journal?.sync()
    expect(segments().filter((name) => name.includes(','))).toHaveLength(1)
    expect(segments()).toHaveLength(3)
  })
})

describe('a disk that is full', () => {
  it('gets nothing of a batch into the record, and the next batch whole', async () => {
    await records.append([line(idOf(now, 1), 'before')])
    disk.takes = 60
    await expect(records.append([line(idOf(now, 2), 'b'), line(idOf(now, 3), 'c')])).rejects.toThrow(StoreUnavailable)
    await expect(records.append([line(idOf(now, 2), 'b')])).rejects.toThrow('the disk is full')
    await expect(records.check()).rejects.toThrow(StoreUnavailable)
    expect(lines(await records.read('', 9))).toEqual(['before'])
    disk.takes = Number.POSITIVE_INFINITY
    await records.check()
    await records.append([line(idOf(now, 3), 'after')])
    expect(lines(await records.read('', 9))).toEqual(['before', 'after'])
  })
})

describe('waiting for the disk', () => {
  it('is done for one at a time, and for all who wait behind at once', async () => {
    let running = 0
    sync = async (file) => {
      expect(++running).toBe(1)
      await syncFile(file)
      running -= 1
    }
    await Promise.all([1, 2, 3, 4].map((count) => records.append([line(idOf(now, count))])))
    expect(syncs).toHaveLength(2)
    expect(await records.read('', 9)).toHaveLength(4)
  })

  it('that fails fails all who wait; what they write again is in another file', async () => {
    sync = lossy()
    const failing = [1, 2].map((count) => records.append([line(idOf(now, count), 'lost?')]))
    await Promise.all(failing.map((one) => expect(one).rejects.toThrow('the disk cannot be read or written')))
    await records.append([line(idOf(now, 2), 'again')])
    expect(segments()).toHaveLength(2)
    expect(lines(await records.read('', 9))).toEqual(['lost?', 'again'])
  })

  it('fails where the file is not found under its name any more', async () => {
    await records.append([line(idOf(now, 1))])
    rmSync(join(folder, segments()[0] ?? ''))
    await expect(records.append([line(idOf(now, 2))])).rejects.toThrow(StoreUnavailable)
    await records.append([line(idOf(now, 2))])
    expect(await records.read('', 9)).toHaveLength(1)
  })

  it('comes to its end before the close', async () => {
    const given = [1, 2].map((count) => records.append([line(idOf(now, count))]))
    await records.close()
    await Promise.all(given)
    expect(await records.read('', 9)).toHaveLength(2)
    await expect(records.append([line(idOf(now, 3))])).rejects.toThrow('The store is closed.')
    await expect(records.check()).rejects.toThrow(StoreUnavailable)
  })
})

describe('opening', () => {
  const failure = (of: string) =>
    openRecords({ folder: of, clock: Date.now }).then(
      () => '',
      (error: unknown) => (error instanceof OperatorError ? error.message : String(error)),
    )

  it('says which folder it cannot make', async () => {
    writeFileSync(join(folder, 'file'), 'a file where a folder should be')
    expect(await failure(join(folder, 'file', 'audit'))).toMatch(
      /file\/audit of the audit record cannot be opened .*ENOTDIR/,
    )
  })

  it('says which of its files it cannot read', async () => {
    const name = `${now - 3 * HOUR}-0000beef.v1`
    writeFileSync(join(folder, name), 'theirs')
    disk.unreadable = name
    expect(await failure(folder)).toMatch(/0000beef\.v1: EACCES\)\. .* writable for this user/)
  })

  it('refuses a record of a later release, and changes nothing', async () => {
    const name = `${now - 5 * HOUR}-0000beef.v2`
    writeFileSync(join(folder, name), 'something new')
    expect(await failure(folder)).toContain('was written by a later release of Portcullis')
    expect(segments()).toEqual([name])
    expect(readFileSync(join(folder, name), 'utf8')).toBe('something new')
  })

  it('leaves files alone that are not its own', async () => {
    writeFileSync(join(folder, 'notes.txt'), 'mine')
    expect(await failure(folder)).toBe('')
    expect(segments()).toEqual(['notes.txt'])
  })
})
