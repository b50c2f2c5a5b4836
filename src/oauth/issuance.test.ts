// Committed first, answered second: what cannot be recorded is not handed out, and a store that is away is said to be away.
import { afterEach, describe, expect, it } from 'vitest'
import { ACCOUNT, type Door, pkce, startDoor } from '../../test/support/door.ts'
import type { Answer } from '../../test/support/door-browser.ts'
import { StoreUnavailable } from '../protocol/errors.ts'

let door: Door
afterEach(() => door?.close())

/** Each by whoever notices it: the library behind its endpoints, or ours in front of them. */
const REFUSALS: Readonly<Record<string, (door: Door) => Promise<Refusal>>> = {
  'of a token, by the library': async (at) => {
    const client = String((await at.register()).body['client_id'])
    const act = { act: 'token_refused', reason: 'invalid_grant' }
    return { ask: () => at.refresh(client, 'unknown'), status: 400, act }
  },
  'of a token, by ours': async (at) => ({
    ask: () => at.send('/oauth/token', { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } }),
    status: 400,
    act: { act: 'token_refused', reason: 'invalid_request' },
  }),
  'of an authorization, to the client': async (at) => {
    const client = String((await at.register()).body['client_id'])
    const url = at.authorizeUrl(client, pkce().challenge, { code_challenge_method: 'plain' })
    const act = { act: 'authorization_refused', reason: 'invalid_request', client }
    return { ask: () => at.send(url), status: 303, act }
  },
  'of an authorization, on a page': async (at) => {
    const client = String((await at.register()).body['client_id'])
    const url = at.authorizeUrl(client, pkce().challenge, { redirect_uri: 'https://elsewhere.example/cb' })
    const act = { act: 'authorization_refused', reason: 'invalid_redirect_uri', client }
    return { ask: () => at.send(url), status: 400, act }
  },
  'of a registration, by ours': async (at) => ({
    ask: () => at.register({ redirect_uris: [] }),
    status: 400,
    act: { act: 'registration_refused' },
  }),
  "of a client's own record": async (at) => {
    const client = String((await at.register()).body['client_id'])
    const headers = { authorization: 'Bearer guess' }
    const act = { act: 'registration_refused', reason: 'invalid_token' }
    return { ask: () => at.send(`/oauth/register/${client}`, { headers }), status: 401, act }
  },
  'of a revocation': async (at) => ({
    ask: () => at.post('/oauth/revoke', { client_id: 'nobody', token: 'x' }),
    status: 401,
    act: { act: 'token_refused', reason: 'invalid_client' },
  }),
  'of an introspection': async (at) => ({
    ask: () => at.post('/oauth/introspect', { client_id: 'nobody', token: 'x' }),
    status: 401,
    act: { act: 'token_refused', reason: 'invalid_client' },
  }),
}

interface Refusal {
  ask(): Promise<Answer>
  readonly status: number
  readonly act: object
}

describe('the record', () => {
  it('has who got which token for what, and the first act bears the request id', async () => {
    door = await startDoor()
    const { answer, clientId } = await door.signIn()
    const issued = door.acts.find((act) => act.act === 'token_issued')
    expect(issued).toMatchObject({
      id: answer.headers.get('x-request-id'),
      decision: 'allow',
      reason: 'authorization_code',
      subject: ACCOUNT,
      client: clientId,
      resource: door.resource,
      family: expect.any(String),
      address: '127.0.0.1',
    })
  })

  it('has refusals with their code, and no two acts share an id', async () => {
    door = await startDoor()
    const { request } = await door.signIn()
    await door.post('/oauth/token', request)
    expect(door.acts.map((act) => act.act).slice(-2)).toEqual(['family_revoked', 'token_refused'])
    expect(door.acts.at(-1)).toMatchObject({ decision: 'deny', reason: 'invalid_grant' })
    expect(new Set(door.acts.map((act) => act.id)).size).toBe(door.acts.length)
  })

  it('holds no secret', async () => {
    door = await startDoor()
    const { request, accessToken, refreshToken } = await door.signIn()
    await door.refresh(String(request['client_id']), refreshToken)
    const kept = JSON.stringify([door.acts, door.log])
    for (const secret of [request['code'], request['code_verifier'], accessToken, refreshToken])
      expect(kept).not.toContain(secret)
  })

  it('marks a registered client as used with its first token', async () => {
    door = await startDoor()
    const { clientId } = await door.signIn()
    expect((await door.store.durable.clients.find(clientId))?.usedAt).toBeDefined()
  })
})

describe('when the record cannot be written', () => {
  it('no token leaves, and a refresh can be asked for again afterwards', async () => {
    door = await startDoor()
    const { clientId, refreshToken } = await door.signIn()
    door.recorder.failing = true
    const refused = await door.refresh(clientId, refreshToken)
    expect([refused.status, refused.body['error']]).toEqual([503, 'temporarily_unavailable'])
    expect(refused.text).not.toMatch(/access_token|refresh_token/)
    door.recorder.failing = false
    expect((await door.refresh(clientId, refreshToken)).status).toBe(200)
  })

  it('no client is registered', async () => {
    door = await startDoor()
    door.recorder.failing = true
    const refused = await door.register()
    expect(refused.status).toBe(503)
    expect(refused.text).not.toContain('client_id')
    expect(await door.store.durable.clients.count()).toBe(0)
  })

  it('no code is given', async () => {
    door = await startDoor()
    const client = String((await door.register()).body['client_id'])
    const signIn = () => door.browser().follow(door.authorizeUrl(client, pkce().challenge))
    door.recorder.failing = true
    // Nor is the client told by way of the browser that it got none: that would be a refusal.
    await expect(signIn()).rejects.toThrow(/: 503 .*temporarily_unavailable.*start again from your application/s)
    door.recorder.failing = false
    expect((await signIn()).searchParams.get('code')).toEqual(expect.any(String))
  })

  it('no consent is remembered: it is asked for again, and then in the record', async () => {
    door = await startDoor()
    const client = String((await door.register()).body['client_id'])
    const browser = door.browser()
    const signIn = () => browser.follow(door.authorizeUrl(client, pkce().challenge))
    door.recorder.failing = true
    await expect(signIn()).rejects.toThrow(/: 503 /)
    door.recorder.failing = false
    const asked = browser.pages.length
    await signIn()
    expect(browser.pages.slice(asked)).toEqual(['consent'])
    await signIn()
    expect(browser.pages.slice(asked)).toEqual(['consent'])
    expect(door.acts.filter(({ act }) => act === 'consent').map(({ reason }) => reason)).toEqual([
      'allowed_by_person',
      'remembered',
    ])
  })

  it.each(Object.entries(REFUSALS))('no refusal is told either: %s', async (_, prepare) => {
    door = await startDoor()
    const { ask, status, act } = await prepare(door)
    door.recorder.failing = true
    const known = door.acts.length
    const withheld = await ask()
    expect([withheld.status, withheld.headers.get('retry-after')]).toEqual([503, '5'])
    expect(withheld.headers.get('location')).toBeNull()
    expect(door.acts).toHaveLength(known)
    door.recorder.failing = false
    const refused = await ask()
    expect([refused.status, door.acts.at(-1)]).toMatchObject([
      status,
      { ...act, decision: 'deny', id: refused.headers.get('x-request-id') },
    ])
  })
})

describe('while the record is not written yet', () => {
  it.each(Object.entries(REFUSALS))('no refusal is told: %s', async (_, prepare) => {
    door = await startDoor()
    const { ask, status } = await prepare(door)
    const written = Promise.withResolvers<void>()
    const reached = Promise.withResolvers<void>()
    door.recorder.stalled = { until: written.promise, reached: reached.resolve }
    let told = false
    const answer = ask().finally(() => {
      told = true
    })
    await reached.promise
    // Another whole exchange with the gate in the meantime: an answer on its way would have come.
    await door.send('/oauth/nothing-here')
    expect(told).toBe(false)
    written.resolve()
    expect((await answer).status).toBe(status)
  })
})

describe('when the store is away', () => {
  it('answers 503 and logs it once', async () => {
    let away = false
    door = await startDoor({
      wrap: (store) => ({
        ...store,
        durable: {
          ...store.durable,
          refreshTokens: {
            ...store.durable.refreshTokens,
            find: (...args) =>
              away ? Promise.reject(new StoreUnavailable('gone')) : store.durable.refreshTokens.find(...args),
          },
        },
      }),
    })
    const { clientId, refreshToken } = await door.signIn()
    away = true
    const refused = await door.refresh(clientId, refreshToken)
    expect([refused.status, refused.body['error'], refused.headers.get('retry-after')]).toEqual([
      503,
      'temporarily_unavailable',
      '5',
    ])
    expect(door.log.filter((line) => line.level === 'error')).toHaveLength(1)
    away = false
    expect((await door.refresh(clientId, refreshToken)).status).toBe(200)
  })
})
