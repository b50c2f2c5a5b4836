// One object for one caller, as long as the other side says the same of them, and another as soon as it does not.
import { describe, expect, it } from 'vitest'
import { BearerError } from '../protocol/errors.ts'
import { createVouching, type Vouched } from './vouched.ts'

const JOHN: Vouched = {
  kind: 'person',
  method: 'proxy',
  issuer: 'proxy',
  identity: 'john',
  email: 'john@example.com',
  name: undefined,
  groups: ['staff'],
  roles: [],
  teams: [],
  client: undefined,
  scopes: [],
  scopeRule: 'none',
  tokenId: undefined,
  issuedAt: undefined,
  expiresAt: undefined,
}

function vouching() {
  const state = { now: 0, disabled: false }
  const { admit, forget } = createVouching({
    findByIdentity: async () =>
      state.disabled
        ? ({ id: 'u1', disabled: true } as Awaited<ReturnType<Parameters<typeof createVouching>[0]['findByIdentity']>>)
        : undefined,
    resolveRoles: ({ groups }) => groups.map((group) => `role-of-${group}`),
    clock: () => state.now,
  })
  return { state, forget, admit: async (said: Vouched) => admit(said, () => true) }
}

describe('a caller somebody vouches for', () => {
  it('is the same principal for the same words, however often they come', async () => {
    const { admit } = vouching()
    const first = await admit(JOHN)
    expect(await admit({ ...JOHN, groups: ['staff'] })).toBe(first)
    expect(await admit(JOHN)).toBe(first)
  })

  it.each<[string, Partial<Vouched>]>([
    ['a group more', { groups: ['staff', 'admin'] }],
    ['no group', { groups: [] }],
    ['another address', { email: 'other@example.com' }],
    ['another end', { expiresAt: 5 }],
    ['another claim', { claims: { department: 'x' } }],
  ])('is another with %s, and the first again with the first words', async (_what, said) => {
    const { admit } = vouching()
    const first = await admit(JOHN)
    const second = await admit({ ...JOHN, ...said })
    expect(second).toMatchObject(said)
    expect(second.roles).toEqual(second.groups.map((group) => `role-of-${group}`))
    expect(second).not.toBe(first)
    expect(await admit(JOHN)).toEqual(first)
  })

  it('is asked for again after a while: whoever was disabled is out', async () => {
    const { admit, state, forget } = vouching()
    await admit(JOHN)
    state.disabled = true
    expect(await admit(JOHN)).toHaveProperty('subject', 'proxy|john')
    state.now += 5_000
    await expect(admit(JOHN)).rejects.toThrow(BearerError)
    state.disabled = false
    forget()
    expect(await admit(JOHN)).toHaveProperty('subject', 'proxy|john')
  })
})
