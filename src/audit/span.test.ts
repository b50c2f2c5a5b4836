// However long the record is, a page of it is in memory.
import { beforeEach, expect, it } from 'vitest'
import { memoryRecords } from '../store/memory-records.ts'
import type { RecordLine, RecordLog } from '../store/record-log.ts'
import { readBefore, readSince } from './span.ts'

const ids = Array.from({ length: 1700 }, (_, at) => `01aa0000-0000-7000-8000-${String(at).padStart(12, '0')}`)
const log = memoryRecords()
await log.append(ids.map((id) => ({ id, line: JSON.stringify({ kind: 'call', id }) })))

let largest = 0
const count = (page: RecordLine[]): RecordLine[] => {
  largest = Math.max(largest, page.length)
  return page
}
const counted: Pick<RecordLog, 'read' | 'newest'> = {
  read: async (after, limit) => count(await log.read(after, limit)),
  newest: async (limit, before) => count(await log.newest(limit, before)),
}
beforeEach(() => {
  largest = 0
})

const last = ids.at(-1) ?? ''

it.each([0, 1, 499, 500, 501, 1300, 1699, 5000])('reads %i lines before one, oldest first', async (asked) => {
  const read: string[] = []
  for await (const { id } of readBefore(counted, last, asked)) read.push(id)
  expect(read).toEqual(ids.slice(Math.max(0, ids.length - 1 - asked), -1))
  expect(largest).toBeLessThanOrEqual(500)
})

it('reads nothing before the first, and nothing of an empty record', async () => {
  for (const [of, id] of [
    [log, ids[0] ?? ''],
    [memoryRecords(), ''],
  ] as const)
    for await (const line of readBefore(of, id, 10)) expect.unreachable(line.id)
})

it('reads from a moment on to the end', async () => {
  const read: string[] = []
  for await (const { id } of readSince(counted, 0)) read.push(id)
  expect(read).toEqual(ids)
  expect(largest).toBe(500)
})
