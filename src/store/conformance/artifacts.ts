// Promises of the authorization server's short-lived documents.
import { describe, expect, it } from 'vitest'
import type { Artifact, ArtifactKind } from '../ephemeral.ts'
import { fresh, NOW, type Pair } from './pair.ts'

const artifact = (kind: ArtifactKind, given: Partial<Artifact> = {}): Omit<Artifact, 'consumedAt'> => ({
  kind,
  idHash: fresh('artifact'),
  uid: undefined,
  family: undefined,
  payload: { kind, nested: { text: '\u0000 "x"' } },
  expiresAt: NOW + 1000,
  ...given,
})

const KINDS: readonly ArtifactKind[] = ['AuthorizationCode', 'Interaction', 'Session', 'RegistrationAccessToken']

export function artifactPromises(pair: () => Pair): void {
  describe('artifacts', () => {
    it.each(KINDS)('keeps a %s until it expires, and replaces it', async (kind) => {
      const { one, two } = pair()
      const saved = artifact(kind, { uid: fresh('uid'), family: fresh('family') })
      await one.ephemeral.artifacts.save(saved)
      expect(await two.ephemeral.artifacts.find(kind, saved.idHash, NOW)).toEqual({ ...saved, consumedAt: undefined })
      expect(await two.ephemeral.artifacts.find(kind, saved.idHash, NOW + 1000)).toBeUndefined()
      await two.ephemeral.artifacts.save({ ...saved, payload: {}, expiresAt: NOW + 2000 })
      expect((await one.ephemeral.artifacts.find(kind, saved.idHash, NOW + 1000))?.payload).toEqual({})
    })

    it('finds a session by its second key, among its kind only', async () => {
      const { artifacts } = pair().one.ephemeral
      const session = artifact('Session', { uid: fresh('uid') })
      await artifacts.save(session)
      const uid = session.uid ?? ''
      expect((await artifacts.findByUid('Session', uid, NOW))?.idHash).toBe(session.idHash)
      expect(await artifacts.findByUid('Interaction', uid, NOW)).toBeUndefined()
      expect(await artifacts.findByUid('Session', uid, NOW + 1000)).toBeUndefined()
    })

    it('keeps a registration token for as long as nobody removes it', async () => {
      const { artifacts, sweep } = pair().one.ephemeral
      const token = artifact('RegistrationAccessToken', { expiresAt: undefined })
      await artifacts.save(token)
      await sweep(NOW)
      expect(await artifacts.find('RegistrationAccessToken', token.idHash, NOW * 2)).toEqual({
        ...token,
        consumedAt: undefined,
      })
      await artifacts.remove('RegistrationAccessToken', token.idHash)
      expect(await artifacts.find('RegistrationAccessToken', token.idHash, NOW)).toBeUndefined()
    })

    it('lets one of twenty consumers have a code, and tells the others that it was replayed', async () => {
      const { one, race } = pair()
      const code = artifact('AuthorizationCode')
      await one.ephemeral.artifacts.save(code)
      const outcomes = await race(20, ({ ephemeral }) => ephemeral.artifacts.consume(code.kind, code.idHash, NOW))
      expect(outcomes.toSorted()).toEqual(['consumed', ...Array<string>(19).fill('replayed')])
      expect((await one.ephemeral.artifacts.find(code.kind, code.idHash, NOW))?.consumedAt).toBe(NOW)
    })

    it('does not let a code that was consumed be saved unconsumed', async () => {
      const { artifacts } = pair().one.ephemeral
      const code = artifact('AuthorizationCode')
      await artifacts.save(code)
      await artifacts.consume(code.kind, code.idHash, NOW)
      await artifacts.save(code)
      expect(await artifacts.consume(code.kind, code.idHash, NOW)).toBe('replayed')
    })

    it('consumes nothing that is unknown, expired or of another kind', async () => {
      const { artifacts } = pair().one.ephemeral
      const code = artifact('AuthorizationCode')
      await artifacts.save(code)
      expect(await artifacts.consume(code.kind, fresh('none'), NOW)).toBe('unknown')
      expect(await artifacts.consume('Interaction', code.idHash, NOW)).toBe('unknown')
      expect(await artifacts.consume(code.kind, code.idHash, NOW + 1000)).toBe('unknown')
      expect(await artifacts.consume(code.kind, code.idHash, NOW)).toBe('consumed')
    })

    it('removes those of a family', async () => {
      const { artifacts } = pair().one.ephemeral
      const [mine, other] = [artifact('AuthorizationCode', { family: fresh('f') }), artifact('AuthorizationCode')]
      for (const each of [mine, other]) await artifacts.save(each)
      await artifacts.removeFamily(mine.family ?? '')
      expect(await artifacts.find(mine.kind, mine.idHash, NOW)).toBeUndefined()
      expect((await artifacts.find(other.kind, other.idHash, NOW))?.idHash).toBe(other.idHash)
    })
  })
}
