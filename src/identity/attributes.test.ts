// Attributes of now: how long what was read is believed, whatever the clock does.
import { describe, expect, it } from 'vitest'
import type { UserRecord } from '../store/durable.ts'
import { attributesOf } from './attributes.ts'

const ANN: UserRecord = {
  id: 'ann',
  issuer: 'local',
  identity: 'ann',
  email: undefined,
  emailVerified: false,
  name: undefined,
  groups: ['engineering'],
  roles: [],
  teams: [],
  administrator: false,
  disabled: false,
  passwordHash: undefined,
  createdAt: 0,
  updatedAt: 0,
}

function setup() {
  const state = { now: 1_000_000, groups: ['engineering'], reads: 0 }
  const attributes = attributesOf({
    async findUser() {
      state.reads++
      return { ...ANN, groups: state.groups }
    },
    isAdmitted: () => true,
    resolveRoles: () => [],
    clock: () => state.now,
  })
  return { state, groups: async () => (await attributes.find('ann'))?.groups }
}

describe('attributes', () => {
  it('are believed for five seconds, and read again then', async () => {
    const { state, groups } = setup()
    await groups()
    state.now += 4999
    await groups()
    expect(state.reads).toBe(1)
    state.groups = []
    state.now += 1
    expect(await groups()).toEqual([])
  })

  it('are read again after the clock was set back: a removed group does not live on', async () => {
    const { state, groups } = setup()
    expect(await groups()).toEqual(['engineering'])
    state.groups = []
    state.now -= 500_000
    expect(await groups()).toEqual([])
  })
})
