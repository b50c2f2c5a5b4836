import { afterEach, describe, expect, it, vi } from 'vitest'
import { CLOCK_GRACE } from '../protocol/clock.ts'
import type { Revocation } from '../store/durable.ts'
import { openRevocationList, type RevocationList } from './revocations.ts'

const entries: Revocation[] = []
let now = 1000
let list: RevocationList
const open = async (
  staleAfter = 60_000,
  since = async (epoch: number) => ({ epoch: entries.length, entries: entries.slice(epoch) }),
) => {
  entries.length = 0
  list = await openRevocationList({
    revocations: { since, add: async (entry) => entries.push(entry), removeExpired: async () => 0 },
    clock: () => now,
    staleAfter,
    onError: () => undefined,
  })
  return list
}
afterEach(() => {
  list.close()
  vi.useRealTimers()
  now = 1000
})
const token = { jti: 'j', family: 'f', client: 'c', subject: 's', issuedAt: 500 }

describe('the revocation list', () => {
  it.each([
    ['jti', 'j'],
    ['family', 'f'],
    ['client', 'c'],
    ['subject', 's'],
  ] as const)('knows a revoked %s after a poll, and its epoch moves', async (kind, value) => {
    const list = await open()
    expect(list.isRevoked(token)).toBe(false)
    const before = list.epoch()
    entries.push({ kind, value, at: 600, expiresAt: 9999 })
    await list.poll()
    expect(list.isRevoked(token)).toBe(true)
    expect(list.epoch()).toBeGreaterThan(before)
  })
  it('lets a token issued after the revocation of its subject or client live', async () => {
    const list = await open()
    entries.push(
      { kind: 'subject', value: 's', at: 400, expiresAt: 9999 },
      { kind: 'client', value: 'c', at: 400, expiresAt: 9999 },
    )
    await list.poll()
    expect(list.isRevoked(token)).toBe(false)
  })
  it('a poll asked for after a write reads after that write, though an earlier poll still runs', async () => {
    let release = () => {}
    let slow = false
    const list = await open(60_000, async (epoch) => {
      const answer = { epoch: entries.length, entries: entries.slice(epoch) }
      if (slow) await new Promise<void>((resolve) => (release = resolve))
      return answer
    })
    slow = true
    const early = list.poll()
    await Promise.resolve()
    slow = false
    entries.push({ kind: 'jti', value: 'j', at: 600, expiresAt: 9999 })
    const late = list.poll()
    release()
    await Promise.all([early, late])
    expect(list.isRevoked(token)).toBe(true)
  })
  it('keeps what expired by a clock that jumped ahead, and forgets it a day later', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const list = await open()
    entries.push({ kind: 'family', value: 'f', at: 600, expiresAt: 2000 })
    await list.poll()
    now = 2000 + CLOCK_GRACE - 1
    await vi.advanceTimersByTimeAsync(60_000)
    now = 1500
    expect(list.isRevoked(token)).toBe(true)
    now = 2000 + CLOCK_GRACE
    await vi.advanceTimersByTimeAsync(60_000)
    expect(list.isRevoked(token)).toBe(false)
  })
  it('says so when the store has not answered for too long', async () => {
    const list = await open(-1)
    expect(list.isStale()).toBe(true)
  })
})
