// Promises of the table of keys.
import { describe, expect, it } from 'vitest'
import type { KeyRecord } from '../durable.ts'
import { fresh, NOW, type Pair } from './pair.ts'

const key = (given: Partial<KeyRecord> = {}): KeyRecord => ({
  id: fresh('key'),
  use: 'signing',
  material: '{"kty":"EC"}',
  createdAt: NOW,
  activeAt: NOW,
  retireAt: undefined,
  ...given,
})

export function keyPromises(pair: () => Pair): void {
  describe('keys', () => {
    it('gives racing replicas one and the same first key of a use', async () => {
      const { race } = pair()
      const answers = await race(20, ({ durable }) => durable.keys.ensure(key()))
      const first = answers[0]
      expect(first).toHaveLength(1)
      for (const answer of answers) expect(answer).toEqual(first)
    })

    it('keeps the uses apart', async () => {
      const { one, two } = pair()
      const [cookie, seal] = [key({ use: 'cookie' }), key({ use: 'seal', activeAt: NOW + 5, retireAt: NOW + 10 })]
      expect(await one.durable.keys.ensure(cookie)).toEqual([cookie])
      expect(await two.durable.keys.ensure(seal)).toEqual([seal])
      expect(await two.durable.keys.ensure(key({ use: 'cookie' }))).toEqual([cookie])
      expect(await one.durable.keys.list('seal')).toEqual([seal])
    })

    it('adds a second key, and retires the first', async () => {
      const { keys } = pair().one.durable
      const [old, young] = [key({ use: 'refresh' }), key({ use: 'refresh', activeAt: NOW + 1 })]
      await keys.ensure(old)
      await keys.add(young)
      await keys.retire(old.id, NOW + 2)
      expect(await keys.list('refresh')).toEqual([{ ...old, retireAt: NOW + 2 }, young])
    })

    it('changes the form of a material for one of twenty who saw the old one', async () => {
      const { one, race } = pair()
      const added = key({ use: 'api-token', material: 'in clear' })
      await one.durable.keys.add(added)
      const replaced = await race(20, ({ durable }) => durable.keys.replaceMaterial(added.id, 'in clear', 'sealed'))
      expect(replaced.filter((done) => done)).toHaveLength(1)
      expect(await one.durable.keys.list('api-token')).toContainEqual({ ...added, material: 'sealed' })
    })
  })
}
