// RFC 6749 §6 and RFC 9700 §4.14.2: refresh tokens rotate, a lost answer can be asked for again, theft ends the family.
import { afterEach, describe, expect, it } from 'vitest'
import type { Store } from '../../src/store/store.ts'
import { ACCOUNT, type Door, type DoorOptions, startDoor } from '../support/door.ts'

let door: Door
afterEach(() => door?.close())

/** Past the time after a start in which every retry is taken. */
async function start(options: DoorOptions = {}) {
  door = await startDoor(options)
  door.advance(120_000)
  return door.signIn()
}
const tokenOf = (answer: { body: Record<string, unknown> }) => String(answer.body['refresh_token'])
const errorOf = (answer: { body: Record<string, unknown> }) => answer.body['error']

describe('RFC 9700 §4.14.2: rotation', () => {
  it('gives a new token each time, and keeps none of them readable', async () => {
    const { clientId, refreshToken } = await start()
    const second = await door.refresh(clientId, refreshToken)
    expect(second.status).toBe(200)
    expect(tokenOf(second)).not.toBe(refreshToken)
    const third = await door.refresh(clientId, tokenOf(second))
    expect(third.status).toBe(200)
    expect(await door.isAlive(String(third.body['access_token']))).toBe(true)
  })

  it('answers a retry inside the window with the same successor', async () => {
    const { clientId, refreshToken } = await start()
    const first = await door.refresh(clientId, refreshToken)
    door.advance(25_000)
    const retry = await door.refresh(clientId, refreshToken)
    expect([retry.status, tokenOf(retry)]).toEqual([200, tokenOf(first)])
    expect((await door.refresh(clientId, tokenOf(first))).status).toBe(200)
  })

  it('revokes the family when the old token comes after its successor was used', async () => {
    const { clientId, refreshToken, accessToken } = await start()
    const second = await door.refresh(clientId, refreshToken)
    const third = await door.refresh(clientId, tokenOf(second))
    expect(errorOf(await door.refresh(clientId, refreshToken))).toBe('invalid_grant')
    expect(errorOf(await door.refresh(clientId, tokenOf(third)))).toBe('invalid_grant')
    expect(await door.isAlive(accessToken)).toBe(false)
    expect(await door.isAlive(String(third.body['access_token']))).toBe(false)
    expect(door.acts).toContainEqual(expect.objectContaining({ act: 'family_revoked', reason: 'refresh_token_reused' }))
  })

  it('revokes the family when the old token comes after the window', async () => {
    const { clientId, refreshToken } = await start()
    const second = await door.refresh(clientId, refreshToken)
    door.advance(31_000)
    expect(errorOf(await door.refresh(clientId, refreshToken))).toBe('invalid_grant')
    expect(errorOf(await door.refresh(clientId, tokenOf(second)))).toBe('invalid_grant')
  })

  it('takes a retry after an outage, counted from the start of the process', async () => {
    door = await startDoor({ oauth: { refreshToken: { retryWindow: '60s' } } })
    const { clientId, refreshToken } = await door.signIn()
    const first = await door.refresh(clientId, refreshToken)
    // Past the usual thirty seconds, and with time for a slow machine to have started and signed in.
    door.advance(45_000)
    expect(tokenOf(await door.refresh(clientId, refreshToken))).toBe(tokenOf(first))
  })

  it('50 at once end with one live leaf, every one of them answered', async () => {
    const { clientId, refreshToken } = await start()
    let token = refreshToken
    for (let round = 0; round < 3; round++) {
      const answers = await Promise.all(Array.from({ length: 50 }, () => door.refresh(clientId, token)))
      expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([200]))
      expect(new Set(answers.map(tokenOf)).size).toBe(1)
      token = tokenOf(answers[0] ?? { body: {} })
    }
  })

  it('leaves another sign-in of the same person and client alone', async () => {
    const laptop = await start()
    const desktop = await door.signIn({ clientId: laptop.clientId, browser: laptop.browser })
    const next = await door.refresh(laptop.clientId, laptop.refreshToken)
    await door.refresh(laptop.clientId, tokenOf(next))
    expect(errorOf(await door.refresh(laptop.clientId, laptop.refreshToken))).toBe('invalid_grant')
    expect((await door.refresh(desktop.clientId, desktop.refreshToken)).status).toBe(200)
    expect(await door.isAlive(desktop.accessToken)).toBe(true)
  })
})

describe('RFC 6749 §6: a refused request spends nothing', () => {
  it.each([
    ['a resource that was not granted', 'invalid_target', { resource: 'https://other.example/mcp' }],
    ['a wider scope', 'invalid_scope', { scope: 'mcp:tools admin' }],
    ['another client', 'invalid_grant', { client_id: 'OTHER' }],
  ])('%s', async (_name, error, parameters) => {
    const { clientId, refreshToken } = await start()
    const other = String((await door.register()).body['client_id'])
    const wrong = { ...parameters, ...('client_id' in parameters ? { client_id: other } : {}) }
    expect(errorOf(await door.refresh(clientId, refreshToken, wrong))).toBe(error)
    expect((await door.refresh(clientId, refreshToken)).status).toBe(200)
  })

  it('takes the granted resource and a narrower scope', async () => {
    const { clientId, refreshToken } = await start()
    const answer = await door.refresh(clientId, refreshToken, { resource: door.resource, scope: 'mcp:tools' })
    expect([answer.status, answer.body['scope']]).toEqual([200, 'mcp:tools'])
  })
})

describe('RFC 9700 §4.14.2: a family ends', () => {
  it('when unused for its idle time', async () => {
    const { clientId, refreshToken } = await start()
    door.advance(30 * 86_400_000)
    expect(errorOf(await door.refresh(clientId, refreshToken))).toBe('invalid_grant')
  })

  it('at its absolute end, however busy it was', async () => {
    const { clientId, refreshToken } = await start()
    let token = refreshToken
    for (let day = 0; day < 80; day += 20) {
      door.advance(20 * 86_400_000)
      const answer = await door.refresh(clientId, token)
      expect(answer.status).toBe(200)
      token = tokenOf(answer)
    }
    door.advance(11 * 86_400_000)
    expect(errorOf(await door.refresh(clientId, token))).toBe('invalid_grant')
  })

  it('when the person is disabled, or no longer admitted', async () => {
    const { clientId, refreshToken } = await start()
    await door.store.durable.users.setDisabled(ACCOUNT, true, door.clock())
    expect(errorOf(await door.refresh(clientId, refreshToken))).toBe('invalid_grant')
    await door.store.durable.users.setDisabled(ACCOUNT, false, door.clock())
    const user = await door.store.durable.users.find(ACCOUNT)
    if (user) await door.store.durable.users.upsertByIdentity({ ...user, groups: ['left'] })
    expect(errorOf(await door.refresh(clientId, refreshToken))).toBe('invalid_grant')
    if (user) await door.store.durable.users.upsertByIdentity(user)
    expect((await door.refresh(clientId, refreshToken)).status).toBe(200)
  })

  it('not when the same browser signs in again', async () => {
    const first = await start()
    await door.signIn({ clientId: first.clientId, browser: first.browser })
    expect((await door.refresh(first.clientId, first.refreshToken)).status).toBe(200)
  })

  it('not for a client that did not register for it: it gets no refresh token at all', async () => {
    door = await startDoor()
    const clientId = String((await door.register({ grant_types: ['authorization_code'] })).body['client_id'])
    expect((await door.signIn({ clientId })).answer.body).not.toHaveProperty('refresh_token')
  })
})

describe('the order in which the library calls', () => {
  it('is find, every check, then one rotation, and nothing after a refusal', async () => {
    const calls: string[] = []
    const watch = <T extends object>(name: string, target: T): T =>
      new Proxy(target, {
        get: (inner, method, self) => {
          const value: unknown = Reflect.get(inner, method, self)
          if (typeof value !== 'function') return value
          return (...args: unknown[]) => {
            calls.push(`${name}.${String(method)}`)
            return Reflect.apply(value, inner, args)
          }
        },
      })
    const wrap = (store: Store): Store => ({
      ...store,
      durable: {
        ...store.durable,
        families: watch('families', store.durable.families),
        refreshTokens: watch('refresh', store.durable.refreshTokens),
        users: watch('users', store.durable.users),
      },
    })
    const { clientId, refreshToken } = await start({ wrap })
    calls.length = 0
    await door.refresh(clientId, refreshToken)
    expect(calls).toEqual(['refresh.find', 'families.find', 'users.find', 'refresh.rotate'])
    calls.length = 0
    await door.refresh(clientId, refreshToken, { resource: 'https://other.example/mcp' })
    expect(calls).toEqual(['refresh.find', 'families.find', 'users.find'])
  })
})
