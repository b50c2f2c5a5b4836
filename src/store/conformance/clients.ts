// Promises of the tables of clients and consents.
import { describe, expect, it } from 'vitest'
import { fresh, NOW, type Pair } from './pair.ts'

export function clientPromises(pair: () => Pair): void {
  describe('clients', () => {
    it('keeps metadata as it was given, for every replica', async () => {
      const { one, two } = pair()
      const id = fresh('client')
      const metadata = {
        client_name: 'Ünï "x" \u0000',
        redirect_uris: ['http://127.0.0.1/cb'],
        deep: { list: [1, null] },
      }
      await one.durable.clients.save({ id, metadata, createdAt: NOW })
      expect(await two.durable.clients.find(id)).toEqual({ id, metadata, createdAt: NOW, usedAt: undefined })
    })

    it('replaces metadata without renewing the age or forgetting the use', async () => {
      const { clients } = pair().one.durable
      const id = fresh('client')
      await clients.save({ id, metadata: { a: 1 }, createdAt: NOW })
      await clients.markUsed(id, NOW + 5)
      await clients.save({ id, metadata: { b: 2 }, createdAt: NOW + 9 })
      expect(await clients.find(id)).toEqual({ id, metadata: { b: 2 }, createdAt: NOW, usedAt: NOW + 5 })
    })

    it('marks the first use only', async () => {
      const { clients } = pair().one.durable
      const id = fresh('client')
      await clients.save({ id, metadata: {}, createdAt: NOW })
      await clients.markUsed(id, NOW + 1)
      await clients.markUsed(id, NOW + 2)
      expect((await clients.find(id))?.usedAt).toBe(NOW + 1)
    })

    it('removes the never-used before a time, and no others', async () => {
      const { clients } = pair().one.durable
      const [old, used, young] = [fresh('old'), fresh('used'), fresh('young')]
      for (const id of [old, used]) await clients.save({ id, metadata: {}, createdAt: 100 })
      await clients.save({ id: young, metadata: {}, createdAt: 200 })
      await clients.markUsed(used, 150)
      const before = await clients.count()
      expect(await clients.removeNeverUsed(200)).toBe(1)
      expect(await clients.count()).toBe(before - 1)
      expect([await clients.find(old), (await clients.find(used))?.id, (await clients.find(young))?.id]).toEqual([
        undefined,
        used,
        young,
      ])
      await clients.remove(young)
      expect(await clients.find(young)).toBeUndefined()
    })
  })

  describe('consents', () => {
    const consent = () => ({
      subject: fresh('person'),
      client: 'client',
      resource: 'https://mcp.example.com/mcp',
      redirectUri: 'http://127.0.0.1/cb',
      scopes: ['openid', 'mcp:tools'],
      at: NOW,
    })

    it('keeps one a person, client, resource and redirect URI, the newest', async () => {
      const { one, two } = pair()
      const first = consent()
      await one.durable.consents.record(first)
      const second = { ...first, scopes: ['mcp:tools'], at: NOW + 1 }
      await one.durable.consents.record(second)
      expect(await two.durable.consents.find(first)).toEqual(second)
    })

    it('does not stand for another redirect URI, resource, client or person', async () => {
      const { consents } = pair().one.durable
      const given = consent()
      await consents.record(given)
      for (const other of [{ redirectUri: 'x' }, { resource: 'x' }, { client: 'x' }, { subject: 'x' }])
        expect(await consents.find({ ...given, ...other })).toBeUndefined()
    })
  })
}
