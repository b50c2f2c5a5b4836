import { afterEach, describe, expect, it } from 'vitest'
import type { KeyRecord, Keys } from '../store/durable.ts'
import { type Keyring, openKeyring, rotateSigningKey } from './keyring.ts'

const DAY = 86_400_000
const memoryKeys = (): Keys & { all: KeyRecord[] } => {
  const all: KeyRecord[] = []
  const list = async (use: string) => all.filter((key) => key.use === use)
  return {
    all,
    list,
    ensure: async (key) => {
      if ((await list(key.use)).length === 0) all.push(key)
      return list(key.use)
    },
    add: async (key) => void all.push(key),
    replaceMaterial: async () => false,
    retire: async (id, retireAt) => {
      const at = all.findIndex((key) => key.id === id)
      all[at] = { ...(all[at] as KeyRecord), retireAt }
    },
  }
}
let ring: Keyring
afterEach(() => ring.close())

describe('signing keys', () => {
  it('are made once, published a day ahead, then sign, then retire when no token of theirs lives', async () => {
    let now = 0
    const keys = memoryKeys()
    const rotations: string[][] = []
    ring = await openKeyring({
      keys,
      clock: () => now,
      rotation: 30 * DAY,
      longestToken: 600_000,
      onError: () => undefined,
    })
    const kids = () => ring.signingKeys().map((key) => key.kid ?? '')
    ring.onRotation(() => rotations.push(kids()))
    const [first = ''] = kids()
    expect(kids()).toEqual([first])
    now = 29 * DAY + 1
    await ring.refresh()
    const [, second = ''] = kids()
    expect(kids()).toEqual([first, second])
    now += DAY
    await ring.refresh()
    expect(kids()).toEqual([second, first])
    now += 3_600_000
    await ring.refresh()
    expect(kids()).toEqual([second])
    expect(rotations).toEqual([[first, second], [second, first], [second]])
  })
  it('a leaked key is gone at once', async () => {
    let now = 0
    const keys = memoryKeys()
    ring = await openKeyring({
      keys,
      clock: () => now,
      rotation: 30 * DAY,
      longestToken: 600_000,
      onError: () => undefined,
    })
    const [old] = ring.signingKeys()
    now = 1000
    await rotateSigningKey(keys, { now, longestToken: 600_000, atOnce: true })
    await ring.refresh()
    expect(ring.signingKeys().map((key) => key.kid)).not.toContain(old?.kid)
    expect(ring.signingKeys()).toHaveLength(1)
  })
  it('a leaked key is gone at once, also while its successor is published and while its last tokens live', async () => {
    let now = 0
    const keys = memoryKeys()
    ring = await openKeyring({
      keys,
      clock: () => now,
      rotation: 30 * DAY,
      longestToken: 600_000,
      onError: () => undefined,
    })
    const kids = () => ring.signingKeys().map((key) => key.kid ?? '')
    for (const age of [1000, DAY + 1000]) {
      await rotateSigningKey(keys, { now, longestToken: 600_000 })
      now += age
      await ring.refresh()
      expect(kids()).toHaveLength(2)
      const { id } = await rotateSigningKey(keys, { now, longestToken: 600_000, atOnce: true })
      await ring.refresh()
      expect(kids()).toEqual([id])
    }
  })
  it('the refresh secret stays the oldest, so that two replicas derive the same successor', async () => {
    const keys = memoryKeys()
    ring = await openKeyring({ keys, clock: () => 0, rotation: 30 * DAY, longestToken: 1, onError: () => undefined })
    const secret = ring.refreshSecret()
    await keys.add({ id: 'x', use: 'refresh', material: 'other', createdAt: 5, activeAt: 5, retireAt: undefined })
    await ring.refresh()
    expect(ring.refreshSecret()).toBe(secret)
  })
})
