// `requestState` through the gate: catalogue row E16, tampering, replay, another user, another tool.
import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createStates, type StateOf } from './request-state.ts'

function states() {
  const seen = new Set<string>()
  const time = { now: 1_000_000 }
  const key = randomBytes(32)
  const made = createStates({
    sealKeys: () => [{ key }],
    marks: {
      markSeen: async (mark) => !seen.has(mark) && seen.add(mark).has(mark),
      isSeen: async (mark) => seen.has(mark),
    },
    now: () => time.now,
  })
  return { ...made, time }
}

const OF: StateOf = {
  subject: 'ann',
  view: '*',
  server: 'pay',
  method: 'tools/call',
  name: 'transfer',
  args: { amount: 7, to: { name: 'bob', iban: 'x' } },
}
const invalid = expect.objectContaining({ code: -32602, reason: 'bad_state' })

describe('a state', () => {
  it('comes back as it was given, however the client orders its arguments', async () => {
    const { seal, open } = states()
    const sealed = seal(OF, 'opaque é') ?? ''
    expect(sealed).not.toContain('opaque')
    const reordered = { ...OF, args: { to: { iban: 'x', name: 'bob' }, amount: 7 } }
    expect(await open(reordered, sealed)).toBe('opaque é')
  })

  it.each<[string, Partial<StateOf>]>([
    ['another person', { subject: 'bob' }],
    ['another place', { view: 'support' }],
    ['another server', { server: 'other' }],
    ['another method', { method: 'prompts/get' }],
    ['another tool', { name: 'refund' }],
    ['other arguments', { args: { amount: 70_000, to: { name: 'bob', iban: 'x' } } }],
    ['no arguments', { args: undefined }],
  ])('is nothing to %s, and was not used up by the attempt', async (_whom, other) => {
    const { seal, open } = states()
    const sealed = seal(OF, 's') ?? ''
    await expect(open({ ...OF, ...other }, sealed)).rejects.toEqual(invalid)
    expect(await open(OF, sealed)).toBe('s')
  })

  it('is taken once', async () => {
    const { seal, open } = states()
    const sealed = seal(OF, 's') ?? ''
    expect(await open(OF, sealed)).toBe('s')
    await expect(open(OF, sealed)).rejects.toEqual(invalid)
  })

  it('ends', async () => {
    const { seal, open, time } = states()
    const [sealed, late] = [seal(OF, 's') ?? '', seal(OF, 's') ?? '']
    time.now += 3_599_000
    expect(await open(OF, sealed)).toBe('s')
    time.now += 2000
    await expect(open(OF, late)).rejects.toEqual(invalid)
  })

  it('with a bit turned is none; nor is one that a server wrote itself', async () => {
    const { seal, open } = states()
    const sealed = seal(OF, 's') ?? ''
    const turned = Buffer.from(sealed, 'base64url')
    turned[20] = (turned[20] ?? 0) ^ 1
    for (const text of [turned.toString('base64url'), 's', '', `${sealed}A`, 'x'.repeat(100_000)])
      await expect(open(OF, text)).rejects.toEqual(invalid)
  })

  it('may be long, and not without end', async () => {
    const { seal, open } = states()
    const long = 'x'.repeat(16_000)
    expect(await open(OF, seal(OF, long) ?? '')).toBe(long)
    expect(seal(OF, 'x'.repeat(17_000))).toBeUndefined()
  })
})
