// A code is spent last: what fails before that costs nobody their sign-in, and what is lost at that point hands nothing out.
import { afterEach, describe, expect, it } from 'vitest'
import { type Door, startDoor } from '../../test/support/door.ts'
import { StoreUnavailable } from '../protocol/errors.ts'
import type { Store } from '../store/store.ts'

let door: Door
afterEach(() => door?.close())

const actsOf = ({ acts }: Door) => acts.map(({ act }) => act)

async function expectSpent(request: Awaited<ReturnType<Door['code']>>['request']): Promise<void> {
  const replay = await door.post('/oauth/token', request)
  expect([replay.status, replay.body['error']]).toEqual([400, 'invalid_grant'])
  expect(actsOf(door).slice(-2)).toEqual(['family_revoked', 'token_refused'])
}

describe('a code whose tokens were withheld', () => {
  it.each([1, 3])(
    'is good for whoever comes again as told, %i times, and then spent: the record was away',
    async (times) => {
      door = await startDoor()
      const { request } = await door.code()
      door.recorder.failing = true
      for (let time = 0; time < times; time++) {
        const withheld = await door.post('/oauth/token', request)
        expect([withheld.status, withheld.body['error']]).toEqual([503, 'temporarily_unavailable'])
        expect(withheld.headers.get('retry-after')).toBe('5')
        expect(withheld.text).not.toMatch(/access_token|refresh_token/)
      }
      door.recorder.failing = false
      const answer = await door.post('/oauth/token', request)
      expect(answer.status).toBe(200)
      expect(await door.isAlive(String(answer.body['access_token']))).toBe(true)
      expect((await door.refresh(String(request['client_id']), String(answer.body['refresh_token']))).status).toBe(200)
      await expectSpent(request)
      expect(await door.isAlive(String(answer.body['access_token']))).toBe(false)
    },
  )

  it.each(['refresh tokens', 'codes'])('is good afterwards, too, when the store took no more %s', async (what) => {
    let away = false
    const broken = <T>(work: () => Promise<T>): Promise<T> =>
      away ? Promise.reject(new StoreUnavailable('gone')) : work()
    const wrap = (store: Store): Store => {
      const { refreshTokens } = store.durable
      const { artifacts } = store.ephemeral
      if (what === 'codes') {
        const consume: typeof artifacts.consume = (...args) => broken(() => artifacts.consume(...args))
        return { ...store, ephemeral: { ...store.ephemeral, artifacts: { ...artifacts, consume } } }
      }
      const add: typeof refreshTokens.add = (record) => broken(() => refreshTokens.add(record))
      return { ...store, durable: { ...store.durable, refreshTokens: { ...refreshTokens, add } } }
    }
    door = await startDoor({ wrap })
    const { request } = await door.code()
    away = true
    const withheld = await door.post('/oauth/token', request)
    expect([withheld.status, withheld.headers.get('retry-after')]).toEqual([503, '5'])
    expect(withheld.text).not.toMatch(/access_token|refresh_token/)
    away = false
    expect((await door.post('/oauth/token', request)).status).toBe(200)
    await expectSpent(request)
  })
})

it('hands nothing out where another replica spent the code after the library had looked, and ends the family', async () => {
  const wrap = (store: Store): Store => {
    const { artifacts } = store.ephemeral
    const faster: typeof artifacts.consume = async (...args) => {
      await artifacts.consume(...args)
      return artifacts.consume(...args)
    }
    return { ...store, ephemeral: { ...store.ephemeral, artifacts: { ...artifacts, consume: faster } } }
  }
  door = await startDoor({ wrap })
  const { request } = await door.code()
  const late = await door.post('/oauth/token', request)
  expect([late.status, late.body['error']]).toEqual([400, 'invalid_grant'])
  expect(late.text).not.toMatch(/access_token|refresh_token|id_token/)
  expect(late.headers.get('cache-control')).toBe('no-store')
  expect(actsOf(door).slice(-3)).toEqual(['token_issued', 'family_revoked', 'token_refused'])
  expect(door.acts.at(-2)).toMatchObject({ reason: 'code_replayed', family: door.acts.at(-3)?.family })
})
