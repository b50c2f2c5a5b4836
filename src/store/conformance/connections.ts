// Promises of people's accounts at servers: one exchanges a refresh token, whoever lost the right to it changes nothing.
import { describe, expect, it } from 'vitest'
import type { NewConnection, UpstreamClient } from '../connections.ts'
import type { Store } from '../store.ts'
import { fresh, NOW, type Pair } from './pair.ts'

const made = (given: Partial<NewConnection> = {}): NewConnection => ({
  principal: fresh('person'),
  server: 'github',
  kind: 'oauth',
  scopes: ['read'],
  asked: ['read', 'write'],
  issuer: 'https://as.example',
  connectedAt: NOW,
  version: 7,
  ...given,
})

async function connected({ durable }: Store, given?: Partial<NewConnection>): Promise<NewConnection> {
  const connection = made(given)
  await durable.connections.connect(connection)
  return connection
}

const until = NOW + 30_000

export function connectionPromises(pair: () => Pair): void {
  describe('connections', () => {
    it('are found by the other replica as they were made, and listed for their person alone', async () => {
      const { one, two } = pair()
      const record = await connected(one)
      const expected = { ...record, state: 'connected', wanted: [], usedAt: undefined }
      expect(await two.durable.connections.find(record.principal, 'github')).toEqual(expected)
      expect(await two.durable.connections.find(record.principal, 'other')).toBeUndefined()
      expect(await two.durable.connections.list(record.principal)).toEqual([expected])
      expect(await two.durable.connections.list(fresh('person'))).toEqual([])
    })

    it('note their last use, what they lack, and forget both when they are made anew', async () => {
      const { one } = pair()
      const { connections } = one.durable
      const record = await connected(one, { kind: 'secret', issuer: undefined })
      await connections.touch(record.principal, 'github', NOW + 5)
      await connections.touch(record.principal, 'github', NOW + 2)
      await connections.want(record.principal, 'github', ['admin'])
      expect(await connections.find(record.principal, 'github')).toMatchObject({
        usedAt: NOW + 5,
        wanted: ['admin'],
        issuer: undefined,
      })
      await connections.connect({ ...record, version: 8 })
      expect(await connections.find(record.principal, 'github')).toMatchObject({ usedAt: undefined, wanted: [] })
    })

    it('have one of twenty who may exchange their refresh token, and the next when that has ended', async () => {
      const { one, two, race } = pair()
      const { principal } = await connected(one)
      const outcomes = await race(20, ({ durable }) =>
        durable.connections.lease(principal, 'github', { version: 7, now: NOW, until }),
      )
      const leased = outcomes.filter(({ status }) => status === 'leased')
      expect(leased).toEqual([{ status: 'leased', fence: expect.any(Number), unfinished: 0 }])
      expect(outcomes.filter(({ status }) => status === 'held')).toHaveLength(19)
      const fence = leased[0]?.status === 'leased' ? leased[0].fence : 0
      const renewal = { fence, version: 8, scopes: ['read', 'write'] }
      expect(await two.durable.connections.renewed(principal, 'github', renewal)).toBe(true)
      expect(await one.durable.connections.find(principal, 'github')).toMatchObject({
        version: 8,
        scopes: ['read', 'write'],
      })
      const late = await one.durable.connections.lease(principal, 'github', { version: 7, now: NOW, until })
      expect(late).toEqual({ status: 'changed' })
      const next = await one.durable.connections.lease(principal, 'github', { version: 8, now: NOW, until })
      expect(next).toMatchObject({ status: 'leased', unfinished: 0 })
    })

    it('tell how many exchanges did not come to their end, and hold nobody past the lease', async () => {
      const { one, two } = pair()
      const { principal } = await connected(one)
      const lease = (store: Store, now: number) =>
        store.durable.connections.lease(principal, 'github', { version: 7, now, until: now + 1000 })
      const first = await lease(one, NOW)
      expect(await lease(two, NOW + 999)).toEqual({ status: 'held', until: NOW + 1000, exchanging: true })
      const second = await lease(two, NOW + 1000)
      expect(second).toMatchObject({ status: 'leased', unfinished: 1 })
      // Whoever held it before is too late.
      const fence = first.status === 'leased' ? first.fence : 0
      const { connections } = one.durable
      expect(await connections.renewed(principal, 'github', { fence, version: 9, scopes: [] })).toBe(false)
      expect(await connections.postponed(principal, 'github', { fence, until })).toBe(false)
      const held = second.status === 'leased' ? second.fence : 0
      expect(await connections.postponed(principal, 'github', { fence: held, until: NOW + 9000 })).toBe(true)
      expect(await lease(one, NOW + 8999)).toEqual({ status: 'held', until: NOW + 9000, exchanging: false })
      expect(await lease(one, NOW + 9000)).toMatchObject({ status: 'leased', unfinished: 0 })
    })

    it('are not held by an exchange whose outcome is in the vault already', async () => {
      const { one, two } = pair()
      const { principal } = await connected(one)
      const lease = (store: Store, version: number) =>
        store.durable.connections.lease(principal, 'github', { version, now: NOW, until })
      expect(await lease(one, 7)).toMatchObject({ status: 'leased', unfinished: 0 })
      // It was stored, and then nothing more was heard.
      expect(await lease(two, 9)).toMatchObject({ status: 'leased', unfinished: 0 })
      expect(await lease(one, 9)).toMatchObject({ status: 'held' })
      expect(await lease(one, 7)).toEqual({ status: 'changed' })
      expect(await one.durable.connections.expire(principal, 'github', 10)).toBe(true)
    })

    it('lapse once, in the version that was refused, and then are exchanged by nobody', async () => {
      const { one, race } = pair()
      const { connections } = one.durable
      const { principal } = await connected(one)
      expect(await connections.expire(principal, 'github', 6)).toBe(false)
      const outcomes = await race(10, ({ durable }) => durable.connections.expire(principal, 'github', 7))
      expect(outcomes.filter((won) => won)).toHaveLength(1)
      expect(await connections.find(principal, 'github')).toMatchObject({ state: 'needs_reauth' })
      const lease = await connections.lease(principal, 'github', { version: 7, now: NOW, until })
      expect(lease).toEqual({ status: 'needs_reauth' })
    })

    it('made anew or removed, take nothing from an exchange that began before', async () => {
      const { one, two } = pair()
      const { connections } = one.durable
      const record = await connected(one)
      const { principal } = record
      const lease = await connections.lease(principal, 'github', { version: 7, now: NOW, until })
      const fence = lease.status === 'leased' ? lease.fence : 0
      await two.durable.connections.connect({ ...record, version: 9 })
      expect(await connections.renewed(principal, 'github', { fence, version: 8, scopes: [] })).toBe(false)
      expect(await connections.find(principal, 'github')).toMatchObject({ version: 9, state: 'connected' })
      expect(await connections.remove(principal, 'github')).toBe(true)
      expect(await connections.remove(principal, 'github')).toBe(false)
      expect(await connections.lease(principal, 'github', { version: 9, now: NOW, until })).toEqual({
        status: 'unknown',
      })
    })
  })

  describe('registrations at authorization servers', () => {
    const client = (server: string, clientId: string): UpstreamClient => ({
      server,
      issuer: 'https://as.example',
      redirectUri: 'https://mcp.example.com/connections/callback',
      clientId,
      authMethod: 'none',
      secretExpiresAt: undefined,
      createdAt: NOW,
    })

    it('are kept for one issuer, and the first of many racers is everybody’s', async () => {
      const { one, race } = pair()
      const server = fresh('server')
      const kept = await race(10, ({ durable }, racer) =>
        durable.upstreamClients.keep(client(server, `c${racer}`), undefined),
      )
      expect(new Set(kept.map(({ clientId }) => clientId)).size).toBe(1)
      const { upstreamClients } = one.durable
      const found = await upstreamClients.find(server, 'https://as.example', client(server, '').redirectUri)
      expect(found).toEqual(kept[0])
      const clientId = kept[0]?.clientId ?? ''
      expect(await upstreamClients.findById(server, 'https://as.example', clientId)).toEqual(kept[0])
      expect(await upstreamClients.findById(server, 'https://evil.example', clientId)).toBeUndefined()
      expect(await upstreamClients.find(server, 'https://evil.example', client(server, '').redirectUri)).toBeUndefined()
    })

    it('are replaced only where they are what was to be replaced', async () => {
      const { upstreamClients } = pair().one.durable
      const server = fresh('server')
      await upstreamClients.keep(client(server, 'old'), undefined)
      const renewed = { ...client(server, 'new'), secretExpiresAt: NOW + 1 }
      expect(await upstreamClients.keep(renewed, 'another')).toMatchObject({ clientId: 'old' })
      expect(await upstreamClients.keep(renewed, 'old')).toEqual(renewed)
      await upstreamClients.forget({ ...renewed, clientId: 'old' })
      expect(await upstreamClients.find(server, renewed.issuer, renewed.redirectUri)).toEqual(renewed)
      await upstreamClients.forget(renewed)
      expect(await upstreamClients.find(server, renewed.issuer, renewed.redirectUri)).toBeUndefined()
    })
  })
}
