// The record as it is opened and read: beside writers, and whatever order lines came in.
import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { OperatorError } from '../../protocol/errors.ts'
import { HOUR, idOf, line, lines, recordFolder } from './records.support.ts'
import { openRecords } from './records.ts'

const disk = vi.hoisted(() => ({ unreadable: '-', opened: 0 }))
vi.mock('node:fs/promises', async (original) => {
  const fs = await original<typeof import('node:fs/promises')>()
  const open = async (path: string, flags: string) => {
    disk.opened += 1
    if (!path.endsWith(disk.unreadable)) return fs.open(path, flags)
    throw Object.assign(new Error(`EACCES: permission denied, open '${path}'`), { code: 'EACCES', path })
  }
  return { ...fs, open }
})

const here = recordFolder()
afterEach(() => {
  disk.unreadable = '-'
})

describe('reading', () => {
  it('goes on beside a writer of another process, and sees each line once it is whole', async () => {
    await here.records.append([line(idOf(here.now), 'a')])
    const path = join(here.folder, `${here.now}-0000beef.v2`)
    writeFileSync(path, `${idOf(here.now, 1)} ${here.now} b\n${idOf(here.now, 2)} ${here.now} c`)
    expect(lines(await here.records.read('', 9))).toEqual(['a', 'b'])
    appendFileSync(path, `c\n\n${idOf(here.now, 3)} no-stamp d\n${idOf(here.now, 4)} ${here.now} \0\0\0\n`)
    expect(lines(await here.records.read('', 9))).toEqual(['a', 'b', 'cc'])
  })

  it('finds all of a segment of which a backup has left a shorter copy', async () => {
    const begun = here.now - 3 * HOUR
    const [one, two, three] = [0, 1, 2].map((count) => `${idOf(begun, count)} ${begun} ${count}\n`)
    writeFileSync(join(here.folder, `${begun}-0000beef.v2`), `${one}${two}`)
    writeFileSync(join(here.folder, `${begun}-0000beef,${idOf(begun)},${idOf(begun, 2)}.v2`), `${one}${two}${three}`)
    const restored = await here.open()
    expect(lines(await restored.newest(1))).toEqual(['2'])
    expect(lines(await restored.read('', 9))).toEqual(['0', '1', '2'])
    expect(lines(await restored.newest(9))).toEqual(['0', '1', '2'])
    await restored.close()
    const again = await here.open()
    expect(lines(await again.read('', 1))).toEqual(['0'])
    expect(lines(await again.read('', 9))).toEqual(['0', '1', '2'])
    await again.close()
  })

  it('forgets what was cut off again', async () => {
    const path = join(here.folder, `${here.now}-0000beef.v2`)
    writeFileSync(path, `${idOf(here.now, 1)} ${here.now} a\n${idOf(here.now, 2)} ${here.now} refused\n`)
    expect(lines(await here.records.read('', 9))).toEqual(['a', 'refused'])
    writeFileSync(path, `${idOf(here.now, 1)} ${here.now} a\n`)
    expect(lines(await here.records.read('', 9))).toEqual(['a'])
  })

  it('follows segments through their renaming', async () => {
    const reader = await here.open()
    const reading = (async () => {
      const seen: number[] = []
      while (seen.at(-1) !== 60) seen.push((await reader.read('', 100)).length)
      return seen
    })()
    for (let count = 0; count < 60; count += 1) {
      here.now += HOUR
      await here.records.append([line(idOf(here.now))])
    }
    const seen = await reading
    expect(seen).toEqual(seen.toSorted((one, other) => one - other))
    await reader.close()
  })

  it('has of one id what was written last, also within one write', async () => {
    const journal = here.records.openJournal?.()
    const [one, two] = [idOf(here.now, 1), idOf(here.now, 2)]
    journal?.write([line(one, '{"a":1}'), { id: one, ending: ',"b":1}' }, { id: one, ending: ',"b":2}' }])
    journal?.write([line(two, '{"a":1}'), { id: two, ending: ',"b":1}' }, line(two, '{"a":2}')])
    expect(lines(await here.records.read('', 9))).toEqual(['{"a":1,"b":2}', '{"a":2}'])
  })

  it('opens of many segments without a range, as kills leave them, only those that it needs', async () => {
    for (let at = 0; at < 20; at += 1)
      writeFileSync(
        join(here.folder, `${here.now + at}-0000beef.v2`),
        `${idOf(here.now + at)} ${here.now + at} ${at}\n`,
      )
    expect(lines(await here.records.newest(2))).toEqual(['18', '19'])
    const { opened } = disk
    expect(lines(await here.records.newest(2))).toEqual(['18', '19'])
    expect(disk.opened - opened).toBe(2)
  })

  it('keeps of a record of any length the segments of the latest page, each read once on the way', async () => {
    const ids = [0, 1, 2, 3, 4].flatMap((at) => [idOf(here.now + at, 0), idOf(here.now + at, 1)])
    for (let at = 0; at < ids.length; at += 2) {
      const [first = '', last = ''] = ids.slice(at, at + 2)
      writeFileSync(
        join(here.folder, `${here.now + at}-0000beef,${first},${last}.v2`),
        `${first} ${here.now} ${first}\n${last} ${here.now} ${last}\n`,
      )
    }
    const opened = async (reading: () => Promise<unknown>) => {
      const before = disk.opened
      await reading()
      return disk.opened - before
    }
    const counts: number[] = []
    for (const after of ['', ...ids.slice(0, -1)]) counts.push(await opened(() => here.records.read(after, 1)))
    expect(counts).toEqual([1, 0, 1, 0, 1, 0, 1, 0, 1, 0])
    expect(await opened(() => here.records.newest(1, ids[9]))).toBe(0)
    expect(await opened(() => here.records.read('', 1))).toBe(1)
  })

  // Whatever is appended, replaced, ended and restored, late or not, over however many files: reads are those of a map in order.
  it('is that of a map in the order of ids', async () => {
    const act = fc.record({
      kind: fc.constantFrom('append', 'append', 'write', 'write', 'end', 'end', 'restore', 'later', 'reopen'),
      batch: fc.array(fc.tuple(fc.nat(12), fc.constantFrom(0, 0, 0, 10, HOUR, 30 * HOUR)), { maxLength: 5 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 25 }), fc.nat(20), fc.nat(6), async (acts, from, limit) => {
        rmSync(here.folder, { recursive: true })
        mkdirSync(here.folder)
        let log = await here.open()
        let journal = log.openJournal?.()
        const model = new Map<string, { line: string; ending?: string }>()
        for (const [step, { kind, batch }] of acts.entries()) {
          const given = batch.map(([count, age], at) => line(idOf(here.now - age, count), `{"text":"${step}.${at}"}`))
          if (kind === 'later') here.now += HOUR / 2
          else if (kind === 'reopen') {
            await log.close()
            log = await here.open()
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
        const reader = await here.open()
        for (const one of [log, reader]) {
          expect(await one.read('', 1000)).toEqual(all)
          expect(await one.read(after, limit)).toEqual(all.filter(({ id }) => id > after).slice(0, limit))
          expect(await one.newest(limit)).toEqual(limit > 0 ? all.slice(-limit) : [])
          const before = all.filter(({ id }) => id < after)
          expect(await one.newest(limit, after)).toEqual(limit > 0 ? before.slice(-limit) : [])
          expect(await one.find(after)).toEqual(all.find(({ id }) => id === after))
        }
        await Promise.all([log.close(), reader.close()])
        expect(here.segments().filter((name) => !name.includes(','))).toEqual([])
      }),
      { numRuns: 40 },
    )
  })
})

describe('opening', () => {
  const failure = (of: string) =>
    openRecords({ folder: of, clock: Date.now }).then(
      () => '',
      (error: unknown) => (error instanceof OperatorError ? error.message : String(error)),
    )

  it('says which folder it cannot make', async () => {
    writeFileSync(join(here.folder, 'file'), 'a file where a folder should be')
    expect(await failure(join(here.folder, 'file', 'audit'))).toMatch(
      /file\/audit of the audit record cannot be opened .*ENOTDIR/,
    )
  })

  it('says which of its files it cannot read', async () => {
    const name = `${here.now - 3 * HOUR}-0000beef.v2`
    writeFileSync(join(here.folder, name), 'theirs')
    disk.unreadable = name
    expect(await failure(here.folder)).toMatch(/0000beef\.v2: EACCES\)\. .* writable for this user/)
  })

  it('refuses a record of a later release, and changes nothing', async () => {
    const name = `${here.now - 5 * HOUR}-0000beef.v3`
    writeFileSync(join(here.folder, name), 'something new')
    expect(await failure(here.folder)).toContain('was written by a later release of Portcullis')
    expect(here.segments()).toEqual([name])
    expect(readFileSync(join(here.folder, name), 'utf8')).toBe('something new')
  })

  it('leaves files alone that are not its own', async () => {
    writeFileSync(join(here.folder, 'notes.txt'), 'mine')
    expect(await failure(here.folder)).toBe('')
    expect(here.segments()).toEqual(['notes.txt'])
  })
})
