// Sealed session ids: E11, E12, E13.
import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { RpcError } from '../protocol/errors.ts'
import type { SealKey } from '../tokens/seal.ts'
import { createSessions } from './session.ts'

const DAY = 24 * 3600 * 1000
const setup = () => {
  const marks = new Set<string>()
  const state = { now: 1_000_000, keys: [{ key: randomBytes(32) }] as SealKey[], looked: 0 }
  const open = () =>
    createSessions({
      sealKeys: () => state.keys,
      now: () => state.now,
      marks: {
        async markSeen(key) {
          const first = !marks.has(key)
          marks.add(key)
          return first
        },
        async isSeen(key) {
          state.looked++
          return marks.has(key)
        },
      },
    })
  return { state, sessions: open(), otherReplica: open(), thirdReplica: open() }
}
const alice = { subject: 'alice', server: 'github' }
const inner = { upstream: 'raw-id', revision: '2025-11-25', owner: undefined }
const notFound = expect.objectContaining({ status: 404, code: -32001, reason: 'session_not_found' })

describe('an opened session id', () => {
  it('is believed for a moment, and looked up again after that or after the clock was set back', async () => {
    const { sessions, otherReplica, state } = setup()
    const id = sessions.seal(alice, inner)
    await sessions.open(alice, id)
    state.now += 3999
    const session = await sessions.open(alice, id)
    expect(state.looked).toBe(1)
    await otherReplica.end(id, session)
    state.now -= DAY
    await expect(sessions.open(alice, id)).rejects.toEqual(notFound)
  })
})

describe('a sealed session id', () => {
  it('is visible ASCII, says nothing, and opens on any replica', async () => {
    const { sessions, otherReplica, state } = setup()
    const id = sessions.seal(alice, inner)
    expect(id).toMatch(/^[A-Za-z0-9_-]+$/)
    expect(Buffer.from(id, 'base64url').toString('latin1')).not.toContain('raw-id')
    expect(sessions.seal(alice, inner)).not.toBe(id)
    expect(await otherReplica.open(alice, id)).toEqual({ ...inner, expiresAt: state.now + 7 * DAY })
  })

  it.each([
    ['another principal', { subject: 'bob', server: 'github' }],
    ['another server', { subject: 'alice', server: 'files' }],
    ['a principal whose name slides into the server', { subject: 'alice\0github', server: '' }],
  ])('is unknown to %s, warm or cold', async (_, place) => {
    const { sessions, otherReplica } = setup()
    const id = sessions.seal(alice, inner)
    await sessions.open(alice, id)
    await expect(sessions.open(place, id)).rejects.toEqual(notFound)
    await expect(otherReplica.open(place, id)).rejects.toEqual(notFound)
    expect(await sessions.open(alice, id)).toMatchObject(inner)
  })

  it('is unknown once a single bit or its spelling differs', async () => {
    const { sessions } = setup()
    const id = sessions.seal(alice, inner)
    const bytes = Buffer.from(id, 'base64url')
    for (let at = 0; at < bytes.length; at++) {
      const forged = Buffer.from(bytes)
      forged[at] = (forged[at] ?? 0) ^ 1
      await expect(sessions.open(alice, forged.toString('base64url'))).rejects.toEqual(notFound)
    }
    for (const odd of ['', 'x', `${id}=`, `${id}A`, id.slice(0, -1), ` ${id}`, 'A'.repeat(5000), `${id}\0`])
      await expect(sessions.open(alice, odd)).rejects.toBeInstanceOf(RpcError)
  })

  it('ends with its time', async () => {
    const { sessions, state } = setup()
    const id = sessions.seal(alice, inner)
    state.now += 7 * DAY - 1
    expect(await sessions.open(alice, id)).toMatchObject(inner)
    state.now += 1
    await expect(sessions.open(alice, id)).rejects.toEqual(notFound)
  })

  it('ends everywhere once deleted, also where it was open already', async () => {
    const { sessions, otherReplica, state } = setup()
    const id = sessions.seal(alice, inner)
    const other = sessions.seal(alice, inner)
    await otherReplica.open(alice, id)
    await sessions.end(id, await sessions.open(alice, id))
    await expect(sessions.open(alice, id)).rejects.toEqual(notFound)
    state.now += 5000
    await expect(otherReplica.open(alice, id)).rejects.toEqual(notFound)
    expect(await otherReplica.open(alice, other)).toMatchObject(inner)
  })

  it('is not looked up again while it is fresh', async () => {
    const { sessions, state } = setup()
    const id = sessions.seal(alice, inner)
    for (let at = 0; at < 5; at++) await sessions.open(alice, id)
    expect(state.looked).toBe(1)
  })

  it('survives a new key and dies with its own', async () => {
    const { sessions, otherReplica, thirdReplica, state } = setup()
    const id = sessions.seal(alice, inner)
    state.keys = [{ key: randomBytes(32) }, ...state.keys]
    expect(await otherReplica.open(alice, id)).toMatchObject(inner)
    const [newest] = state.keys
    state.keys = newest ? [newest] : []
    await expect(thirdReplica.open(alice, id)).rejects.toEqual(notFound)
  })
})
