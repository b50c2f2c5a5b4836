// Promises of the audit record.
import { describe, expect, it } from 'vitest'
import type { Pair } from './pair.ts'

const ids = (lines: readonly { id: string }[]) => lines.map(({ id }) => id)

export function recordPromises(pair: () => Pair): void {
  describe('records', () => {
    // In one order, as the record is: each of these builds on what the one before has written.
    it('reads what was appended, oldest first, page by page, also through another store', async () => {
      const { one, two } = pair()
      await one.records.append([])
      expect(await two.records.newest(10)).toEqual([])
      await one.records.append([
        { id: '0190-a', line: '{"kind":"call","ü":"\\u0000"}' },
        { id: '0190-c', line: '{"c":1}' },
      ])
      await two.records.append([{ id: '0190-b', line: '{"b":1}' }])
      expect(await two.records.read('', 2)).toEqual([
        { id: '0190-a', line: '{"kind":"call","ü":"\\u0000"}' },
        { id: '0190-b', line: '{"b":1}' },
      ])
      expect(ids(await one.records.read('0190-b', 10))).toEqual(['0190-c'])
      expect(ids(await one.records.newest(2))).toEqual(['0190-b', '0190-c'])
      expect(ids(await one.records.newest(1, '0190-c'))).toEqual(['0190-b'])
      expect(ids(await one.records.newest(9, '0190-a'))).toEqual([])
    })

    it('replaces a line when it is appended again, the later one of a batch too', async () => {
      const { one, two } = pair()
      await one.records.append([{ id: '0190-a', line: 'first' }])
      await one.records.append([
        { id: '0190-a', line: 'second' },
        { id: '0190-a', line: 'third' },
      ])
      expect(await two.records.find('0190-a')).toEqual({ id: '0190-a', line: 'third' })
    })

    it('restores what is missing, and undoes nothing', async () => {
      const { one, two } = pair()
      await two.records.restore([
        { id: '0190-a', line: 'stale' },
        { id: '0190-d', line: 'd' },
        { id: '0190-d', line: 'later' },
      ])
      expect(await one.records.find('0190-a')).toEqual({ id: '0190-a', line: 'third' })
      expect(await one.records.find('0190-d')).toEqual({ id: '0190-d', line: 'd' })
      expect(await one.records.find('0190-e')).toBeUndefined()
    })

    it('takes batches from two writers at once', async () => {
      const { one, race } = pair()
      await race(20, ({ records }, racer) =>
        records.append([
          { id: '0191-shared', line: `${racer}` },
          { id: `0191-${racer}`, line: 'own' },
        ]),
      )
      expect(await one.records.read('0191', 100)).toHaveLength(21)
    })

    it('says that it would take a write', async () => {
      const { one, two } = pair()
      await expect(one.check()).resolves.toBeUndefined()
      await expect(two.check()).resolves.toBeUndefined()
    })
  })
}
