// What many lines of a segment end with is written once, and every reader gets whole lines.
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Journal, RecordEntry } from '../record-log.ts'
import { HOUR, idOf, line, lines, recordFolder } from './records.support.ts'

const here = recordFolder()

function openJournal(): Journal {
  const journal = here.records.openJournal?.()
  if (journal === undefined) throw new TypeError('It has no journal.')
  return journal
}

const parts = (count: number, shared: string) => ({ id: idOf(here.now, count), head: `{"n":${count}`, shared })
const written = (): string => readFileSync(join(here.folder, here.segments()[0] ?? ''), 'utf8')

describe('shared endings', () => {
  it('are written once, and read with each', async () => {
    const journal = openJournal()
    journal.write([parts(1, ',"who":"ann"}'), parts(2, ',"who":"bob"}')])
    journal.write([parts(3, ',"who":"ann"}'), line(idOf(here.now, 4), '{"n":4}')])
    journal.write([{ id: idOf(here.now, 3), ending: ',"status":200}' }])
    await journal.sync()
    expect(written().match(/ann/g)).toHaveLength(1)
    const whole = ['{"n":1,"who":"ann"}', '{"n":2,"who":"bob"}', '{"n":3,"who":"ann","status":200}', '{"n":4}']
    const reader = await here.open()
    expect(lines(await reader.read('', 9))).toEqual(whole)
    expect(lines(await reader.newest(2))).toEqual(whole.slice(2))
    expect((await reader.find(idOf(here.now, 1)))?.line).toBe(whole[0])
    await reader.close()
  })

  it('are known to a reader that has read the segment as far as it went before', async () => {
    const journal = openJournal()
    journal.write([parts(1, ',"who":"ann"}')])
    const reader = await here.open()
    expect(await reader.read('', 9)).toHaveLength(1)
    journal.write([parts(2, ',"who":"ann"}')])
    expect(lines(await reader.read('', 9))).toEqual(['{"n":1,"who":"ann"}', '{"n":2,"who":"ann"}'])
    expect((await reader.find(idOf(here.now, 2)))?.line).toBe('{"n":2,"who":"ann"}')
    await reader.close()
  })

  it('begin anew with each segment', async () => {
    const journal = openJournal()
    journal.write([parts(1, ',"who":"ann"}')])
    await journal.sync()
    here.now += HOUR
    journal.write([parts(2, ',"who":"ann"}')])
    await journal.sync()
    expect(here.segments()).toHaveLength(2)
    for (const name of here.segments()) expect(readFileSync(join(here.folder, name), 'utf8')).toContain('ann')
  })

  it('are remembered in bounds: from then on lines are whole', async () => {
    const journal = openJournal()
    const many = Array.from({ length: 3000 }, (_, count) => parts(count, `,"name":"${count}"}`))
    journal.write(many)
    journal.write([parts(3001, ',"name":"2999"}'), parts(3002, ',"name":"2000"}')])
    await journal.sync()
    expect(written().match(/^=/gm)).toHaveLength(2048)
    const read = lines(await here.records.read('', 9999))
    expect(read).toEqual([...many, parts(3001, ',"name":"2999"}'), parts(3002, ',"name":"2000"}')].map(joined))
  })

  it('that were lost with the power take their lines with them, and no others', async () => {
    const journal = openJournal()
    journal.write([parts(1, ',"who":"ann"}')])
    journal.write([parts(2, ',"who":"bob"}')])
    journal.write([parts(3, ',"who":"bob"}'), parts(4, ',"who":"ann"}')])
    await here.records.close()
    const [name = ''] = here.segments()
    // As a file system leaves a page that was never written.
    const torn = written().replace('=1 ,"who":"bob"}', (text) => '\0'.repeat(text.length))
    writeFileSync(join(here.folder, name), torn)
    const reader = await here.open()
    expect(lines(await reader.read('', 9))).toEqual(['{"n":1,"who":"ann"}', '{"n":4,"who":"ann"}'])
    expect(await reader.find(idOf(here.now, 2))).toBeUndefined()
    await reader.close()
  })

  it('are in no segment of an earlier release, which is read all the same, and named by the next start', async () => {
    const begun = here.now - 3 * HOUR
    const left = `${begun}-0000beef.v1`
    writeFileSync(
      join(here.folder, left),
      `${idOf(begun)} ${begun} {"n":1}\n${idOf(begun)} ${begun + 1}+ ,"status":200}\n`,
    )
    const reader = await here.open()
    expect(lines(await reader.read('', 9))).toEqual(['{"n":1,"status":200}'])
    expect(here.segments()).toEqual([`${begun}-0000beef,${idOf(begun)},${idOf(begun)}.v2`])
    renameSync(
      join(here.folder, here.segments()[0] ?? ''),
      join(here.folder, `${begun}-0000beef,${idOf(begun)},${idOf(begun)}.v1`),
    )
    expect(lines(await here.records.read('', 9))).toEqual(['{"n":1,"status":200}'])
    await reader.close()
  })

  it('change nothing of what is read: whatever is written, in whatever order', async () => {
    const entry = fc.record({ count: fc.nat(20), shared: fc.constantFrom(...SHARED), whole: fc.boolean() })
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(entry, { maxLength: 6 }), { maxLength: 6 }), async (batches) => {
        await here.end()
        await here.begin()
        const journal = openJournal()
        const expected = new Map<string, string>()
        const reader = await here.open()
        for (const batch of batches) {
          const entries = batch.map(({ count, shared, whole }): RecordEntry => {
            const one = parts(count, shared)
            expected.set(one.id, joined(one))
            return whole ? { id: one.id, line: joined(one) } : one
          })
          journal.write(entries)
          const read = await reader.read('', 99)
          expect(new Map(read.map(({ id, line: text }) => [id, text]))).toEqual(expected)
        }
        await reader.close()
      }),
      { numRuns: 60 },
    )
  })
})

/** Also such as look like something else of a segment. */
const SHARED = ['', '}', ',"who":"ann"}', ' =0 x', '=1 ', ',"text":"\u00fc=0 +"}']
const joined = ({ head, shared }: { readonly head: string; readonly shared: string }): string => head + shared
