// Promises of client sessions and their legs.
import { describe, expect, it } from 'vitest'
import type { ClientSession, SessionLeg } from '../client-sessions.ts'
import type { Store } from '../store.ts'
import { fresh, NOW, type Pair } from './pair.ts'

const MOST = 3
const EXPIRES = NOW + 1000

async function begun(store: Store, given: Partial<ClientSession> = {}): Promise<ClientSession> {
  const session = {
    id: fresh('session'),
    subject: fresh('ann'),
    hello: { revision: '2025-11-25', capabilities: { roots: {} }, clientInfo: { name: 'ünïcode "c"' } },
    logLevel: undefined,
    createdAt: NOW,
    usedAt: NOW,
    expiresAt: EXPIRES,
    ...given,
  }
  await store.ephemeral.clientSessions.begin(session, MOST)
  return session
}

const legOf = ({ id: session }: Pick<ClientSession, 'id'>, sealedId = fresh('sealed'), server = 'a'): SessionLeg => ({
  session,
  server,
  sealedId,
  revision: '2025-06-18',
  capabilities: { tools: {} },
})

export function clientSessionPromises(pair: () => Pair): void {
  describe('client sessions', () => {
    it('finds on every replica what was begun, until it expires', async () => {
      const { one, two } = pair()
      const session = await begun(one)
      const leg = legOf(session)
      await one.ephemeral.clientSessions.keepLeg(leg, undefined, EXPIRES)
      const { clientSessions } = two.ephemeral
      expect(await clientSessions.find(session.id, NOW)).toEqual({ session, legs: [leg] })
      expect(await clientSessions.find(session.id, EXPIRES)).toBeUndefined()
      await clientSessions.touch(session.id, { usedAt: NOW + 500, expiresAt: EXPIRES + 1000 })
      await clientSessions.touch(session.id, { usedAt: NOW + 400, expiresAt: EXPIRES })
      await clientSessions.setLogLevel(session.id, 'warning')
      expect(await one.ephemeral.clientSessions.find(session.id, EXPIRES)).toEqual({
        session: { ...session, usedAt: NOW + 500, expiresAt: EXPIRES + 1000, logLevel: 'warning' },
        legs: [leg],
      })
    })

    it('keeps the leg of the first of twenty, and tells all of them which it is', async () => {
      const { one, race } = pair()
      const session = await begun(one)
      const kept = await race(20, ({ ephemeral }) =>
        ephemeral.clientSessions.keepLeg(legOf(session), undefined, EXPIRES),
      )
      const [first] = kept
      expect(new Set(kept.map((leg) => leg?.sealedId)).size).toBe(1)
      const found = await one.ephemeral.clientSessions.find(session.id, NOW)
      expect(found?.legs).toEqual([first])
    })

    it('replaces a leg for the first of twenty that name it, and for nobody else', async () => {
      const { one, race } = pair()
      const session = await begun(one)
      const { clientSessions } = one.ephemeral
      const old = legOf(session)
      await clientSessions.keepLeg(old, undefined, EXPIRES)
      const other = legOf(session, fresh('sealed'), 'b')
      expect(await clientSessions.keepLeg(other, undefined, EXPIRES)).toEqual(other)
      const kept = await race(20, ({ ephemeral }) =>
        ephemeral.clientSessions.keepLeg(legOf(session), old.sealedId, EXPIRES),
      )
      expect(new Set(kept.map((leg) => leg?.sealedId)).size).toBe(1)
      expect(kept[0]?.sealedId).not.toBe(old.sealedId)
      expect(await clientSessions.keepLeg(legOf(session), old.sealedId, EXPIRES)).toEqual(kept[0])
      const found = await clientSessions.find(session.id, NOW)
      expect(new Set(found?.legs)).toEqual(new Set([kept[0], other]))
    })

    it('gives the legs to one of twenty enders, and keeps none afterwards', async () => {
      const { one, race } = pair()
      const session = await begun(one)
      const leg = legOf(session)
      await one.ephemeral.clientSessions.keepLeg(leg, undefined, EXPIRES)
      const given = await race(20, ({ ephemeral }) => ephemeral.clientSessions.end(session.id))
      expect(given.flat()).toEqual([leg])
      expect(await one.ephemeral.clientSessions.find(session.id, NOW)).toBeUndefined()
      expect(await one.ephemeral.clientSessions.keepLeg(legOf(session), undefined, EXPIRES)).toBeUndefined()
      expect(await one.ephemeral.clientSessions.end(session.id)).toEqual([])
    })

    it('leaves no leg behind when a session ends while its legs are opened', async () => {
      const { one, race } = pair()
      for (let round = 0; round < 5; round++) {
        const session = await begun(one)
        const outcomes = await race(20, async ({ ephemeral: { clientSessions } }, racer) => {
          if (racer === 10) return { ended: await clientSessions.end(session.id) }
          return {
            kept: await clientSessions.keepLeg(legOf(session, `s${racer}`, `server${racer}`), undefined, EXPIRES),
          }
        })
        const kept = outcomes.flatMap(({ kept }) => (kept === undefined ? [] : [kept.server]))
        const ended = outcomes.flatMap((outcome) => outcome.ended ?? []).map(({ server }) => server)
        expect(ended.toSorted()).toEqual(kept.toSorted())
      }
    })

    it("ends a subject's longest unused sessions beyond its bound, and nobody else's", async () => {
      const { one } = pair()
      const { clientSessions } = one.ephemeral
      const subject = fresh('bob')
      const other = await begun(one)
      const sessions = []
      for (let at = 0; at < MOST; at++) sessions.push(await begun(one, { subject, usedAt: NOW + at }))
      const [oldest, second] = sessions
      if (oldest === undefined || second === undefined) throw new Error('No session.')
      const leg = legOf(second)
      await clientSessions.keepLeg(leg, undefined, EXPIRES)
      await clientSessions.touch(oldest.id, { usedAt: NOW + 10, expiresAt: EXPIRES })
      const newest = { ...oldest, id: fresh('session'), usedAt: NOW + 20 }
      expect(await clientSessions.begin(newest, MOST)).toEqual([leg])
      const alive = await Promise.all(
        [oldest, ...sessions.slice(1), newest, other].map(({ id }) => clientSessions.find(id, NOW)),
      )
      expect(alive.map((found) => found !== undefined)).toEqual([true, false, true, true, true])
    })

    it('ends the legs of one subject at one server, and no others', async () => {
      const { one, two } = pair()
      const { clientSessions } = one.ephemeral
      const subject = fresh('ann')
      const [first, second, other] = [await begun(one, { subject }), await begun(one, { subject }), await begun(one)]
      const gone = [legOf(first), legOf(second)]
      const kept = [legOf(first, fresh('sealed'), 'b'), legOf(other)]
      for (const leg of [...gone, ...kept]) await clientSessions.keepLeg(leg, undefined, EXPIRES)
      expect(new Set(await two.ephemeral.clientSessions.endLegs(subject, 'a'))).toEqual(new Set(gone))
      expect(await clientSessions.endLegs(subject, 'a')).toEqual([])
      expect((await clientSessions.find(first.id, NOW))?.legs).toEqual(kept.slice(0, 1))
      expect((await clientSessions.find(other.id, NOW))?.legs).toEqual(kept.slice(1))
      const again = legOf(first)
      expect(await clientSessions.keepLeg(again, undefined, EXPIRES)).toEqual(again)
    })

    it('ends what has expired, in bites, and nothing else', async () => {
      const { one, two } = pair()
      const { clientSessions } = one.ephemeral
      while ((await clientSessions.endExpired(500, 1000)).length > 0);
      const kept = await begun(one, { expiresAt: 501 })
      const legs = []
      for (let at = 0; at < 3; at++) {
        const leg = legOf(await begun(one, { expiresAt: 500 - at }))
        legs.push(leg)
        await clientSessions.keepLeg(leg, undefined, EXPIRES)
      }
      const bites = [
        await two.ephemeral.clientSessions.endExpired(500, 2),
        await clientSessions.endExpired(500, 2),
        await clientSessions.endExpired(500, 2),
      ]
      expect(bites.map((bite) => bite.length)).toEqual([2, 1, 0])
      expect(new Set(bites.flat())).toEqual(new Set(legs))
      expect(await clientSessions.find(kept.id, 500)).toBeDefined()
    })
  })
}
