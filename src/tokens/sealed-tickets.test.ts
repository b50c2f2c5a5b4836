// What stands in a ticket: for us alone, at its place alone.
import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { memoryTickets } from '../../test/support/memory.ts'
import { sealedTickets } from './sealed-tickets.ts'

const key = () => ({ key: randomBytes(32) })
const TICKET = { kind: 'way', idHash: 'hash', payload: { verifier: 'a-verifier', list: ['x'] }, expiresAt: 1000 }

describe('a sealed ticket', () => {
  it('comes back as it was, once, and stands there unreadable', async () => {
    const [tickets, keys] = [memoryTickets(), [key()]]
    const sealed = sealedTickets(tickets, () => keys)
    await sealed.put(TICKET)
    const stored = await tickets.find('way', 'hash', 1)
    expect(Object.keys(stored ?? {})).toEqual(['sealed'])
    expect(Buffer.from(String(stored?.['sealed']), 'base64url').includes('a-verifier')).toBe(false)
    expect(await sealed.find('way', 'hash', 1)).toEqual(TICKET.payload)
    expect(await sealed.take('way', 'hash', 1)).toEqual(TICKET.payload)
    expect(await sealed.take('way', 'hash', 1)).toBeUndefined()
  })

  it('is taken after the keys were changed, and not with other keys, nor at another place, nor written by somebody else', async () => {
    const [tickets, older] = [memoryTickets(), key()]
    await sealedTickets(tickets, () => [older]).put(TICKET)
    expect(await sealedTickets(tickets, () => [key(), older]).find('way', 'hash', 1)).toEqual(TICKET.payload)
    expect(await sealedTickets(tickets, () => [key()]).find('way', 'hash', 1)).toBeUndefined()
    const moved = (await tickets.find('way', 'hash', 1)) ?? {}
    for (const place of [
      { kind: 'other', idHash: 'hash' },
      { kind: 'way', idHash: 'other' },
    ]) {
      await tickets.put({ ...TICKET, ...place, payload: moved })
      expect(await sealedTickets(tickets, () => [older]).find(place.kind, place.idHash, 1)).toBeUndefined()
    }
    await tickets.put({ ...TICKET, idHash: 'plain' })
    expect(await sealedTickets(tickets, () => [older]).find('way', 'plain', 1)).toBeUndefined()
  })

  it('is none while there is none', async () => {
    expect(await sealedTickets(memoryTickets(), () => [key()]).find('way', 'hash', 1)).toBeUndefined()
  })
})
