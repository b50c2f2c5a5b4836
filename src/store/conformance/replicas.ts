// Promises of replicas: whoever says that it is there is found by all others, for as long as it says so.
import { describe, expect, it } from 'vitest'
import { fresh, NOW, type Pair } from './pair.ts'

export function replicaPromises(pair: () => Pair): void {
  describe('replicas', () => {
    const at = (id: string) => ({ id, address: 'http://10.0.0.7:4446' })

    it('finds one that another has announced, until it has been silent for too long', async () => {
      const { one, two } = pair()
      const id = fresh('replica')
      await one.ephemeral.replicas.beat(at(id), NOW + 1000)
      expect(await two.ephemeral.replicas.find(id, NOW + 999)).toEqual(at(id))
      expect(await two.ephemeral.replicas.find(id, NOW + 1000)).toBeUndefined()
      await one.ephemeral.replicas.beat({ ...at(id), address: 'http://10.0.0.8:4446' }, NOW + 2000)
      expect(await two.ephemeral.replicas.find(id, NOW + 1000)).toEqual({ id, address: 'http://10.0.0.8:4446' })
    })

    it('does not find one that has left, nor one that never was', async () => {
      const { one, two } = pair()
      const [id, other] = [fresh('replica'), fresh('replica')]
      await one.ephemeral.replicas.beat(at(id), NOW + 1000)
      await one.ephemeral.replicas.beat(at(other), NOW + 1000)
      await two.ephemeral.replicas.leave(id)
      expect(await one.ephemeral.replicas.find(id, NOW)).toBeUndefined()
      expect(await one.ephemeral.replicas.find(other, NOW)).toEqual(at(other))
      expect(await one.ephemeral.replicas.find(fresh('replica'), NOW)).toBeUndefined()
    })

    it('forgets the silent ones', async () => {
      const { one } = pair()
      const id = fresh('replica')
      await one.ephemeral.replicas.beat(at(id), 500)
      await one.ephemeral.sweep(600)
      // Even to a clock that was set back it is not there any more.
      expect(await one.ephemeral.replicas.find(id, 400)).toBeUndefined()
    })
  })
}
