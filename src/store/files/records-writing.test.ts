// The record as it is written: into which files, and under which names.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { StoreUnavailable } from '../../protocol/errors.ts'
import { HOUR, idOf, line, lines, recordFolder } from './records.support.ts'

const here = recordFolder()

describe('segments', () => {
  it('begin with the first line, and get their range into their name when they end', async () => {
    expect(here.segments()).toEqual([])
    await here.records.append([line(idOf(here.now, 2)), line(idOf(here.now, 1))])
    expect(here.segments()).toEqual([expect.stringMatching(/^\d{13}-[0-9a-f]{8}\.v2$/)])
    await here.records.close()
    const [name = ''] = here.segments()
    expect(name.slice(22)).toBe(`,${idOf(here.now, 1)},${idOf(here.now, 2)}.v2`)
  })

  it('leave no empty file', async () => {
    await here.records.check()
    expect(here.segments()).toHaveLength(1)
    await here.records.close()
    expect(here.segments()).toEqual([])
  })

  it('end after an hour, whichever way the clock was set', async () => {
    await here.records.append([line(idOf(here.now))])
    here.now -= 2 * HOUR
    await here.records.append([line(idOf(here.now))])
    here.now += HOUR
    await here.records.append([line(idOf(here.now))])
    expect(here.segments().filter((name) => name.includes(','))).toHaveLength(2)
    expect(await here.records.read('', 9)).toHaveLength(3)
  })

  it('end when they are large, and what is in them is read on', async () => {
    const filler = 'x'.repeat(3 * 1024 ** 2)
    for (let count = 0; count < 4; count += 1)
      await here.records.append([line(idOf(here.now, count), `${count}${filler}`)])
    expect(here.segments()).toHaveLength(2)
    expect((await here.records.read('', 9)).map((one) => one.line[0])).toEqual(['0', '1', '2', '3'])
    expect((await here.records.newest(2)).map((one) => one.line[0])).toEqual(['2', '3'])
  })

  it('keep what comes late apart, so that a few minutes are in few files', async () => {
    await here.records.append([line(idOf(here.now))])
    await here.records.append([line(idOf(here.now - HOUR), 'late'), line(idOf(here.now, 1))])
    await here.records.close()
    const ranges = here.segments().map((name) => name.slice(23, -3).split(','))
    expect(ranges).toContainEqual([idOf(here.now), idOf(here.now, 1)])
    expect(ranges).toContainEqual([idOf(here.now - HOUR), idOf(here.now - HOUR)])
  })

  it('get their names from the next start where a crash came first, once nobody writes to them', async () => {
    const begun = here.now - 3 * HOUR
    const left = (at: number) => join(here.folder, `${at}-0000beef.v2`)
    writeFileSync(left(begun), `${idOf(begun)} ${begun} whole\n${idOf(begun, 1)} ${begun} torn`)
    writeFileSync(left(begun + 1), '')
    writeFileSync(left(here.now), `${idOf(here.now)} ${here.now} growing\n`)
    const other = await here.open()
    expect(here.segments()).toEqual([`${begun}-0000beef,${idOf(begun)},${idOf(begun)}.v2`, `${here.now}-0000beef.v2`])
    expect(lines(await other.read('', 9))).toEqual(['whole', 'growing'])
    await other.close()
  })
})

describe('a folder that others see to', () => {
  it('has long idle segments named by a later start, and their writer goes on elsewhere', async () => {
    await here.records.append([line(idOf(here.now), 'a'), line(idOf(here.now - HOUR), 'late')])
    here.now += 3 * HOUR
    await (await here.open()).close()
    expect(here.segments().filter((name) => name.includes(','))).toHaveLength(2)
    await here.records.append([line(idOf(here.now), 'b'), line(idOf(here.now - HOUR), 'late, too')])
    expect(lines(await here.records.read('', 9))).toEqual(['late', 'a', 'late, too', 'b'])
  })

  it('may lose a file that is written to: what nobody would read is not taken', async () => {
    await here.records.append([line(idOf(here.now, 1), 'a')])
    for (const name of here.segments()) rmSync(join(here.folder, name))
    await expect(here.records.append([line(idOf(here.now, 2), 'b')])).rejects.toThrow(StoreUnavailable)
    await here.records.append([line(idOf(here.now, 2), 'b')])
    expect(lines(await here.records.read('', 9))).toEqual(['b'])
  })

  it('may be gone, and come again', async () => {
    await here.records.append([line(idOf(here.now, 1), 'a')])
    rmSync(here.folder, { recursive: true })
    await expect(here.records.check()).rejects.toThrow(StoreUnavailable)
    await expect(here.records.check()).rejects.toThrow('its folder is gone')
    mkdirSync(here.folder)
    await here.records.check()
    await here.records.append([line(idOf(here.now, 2), 'b')])
    expect(lines(await here.records.read('', 9))).toEqual(['b'])
  })
})
