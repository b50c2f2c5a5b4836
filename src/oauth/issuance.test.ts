// Committed first, answered second: what cannot be recorded is not handed out, and a store that is away is said to be away.
import { afterEach, describe, expect, it } from 'vitest'
import { ACCOUNT, type Door, pkce, startDoor } from '../../test/support/door.ts'
import { StoreUnavailable } from '../protocol/errors.ts'

let door: Door
afterEach(() => door?.close())

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
    door.recorder.failing = true
    const location = await door.browser().follow(door.authorizeUrl(client, pkce().challenge))
    expect([location.searchParams.get('error'), location.searchParams.get('code')]).toEqual([
      'temporarily_unavailable',
      null,
    ])
  })

  it('a refusal stays a refusal', async () => {
    door = await startDoor()
    const { clientId } = await door.signIn()
    door.recorder.failing = true
    expect((await door.refresh(clientId, 'unknown')).body['error']).toBe('invalid_grant')
    expect(door.log).toContainEqual(expect.objectContaining({ level: 'warn' }))
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
    expect([refused.status, refused.body['error']]).toEqual([503, 'server_error'])
    expect(door.log.filter((line) => line.level === 'error')).toHaveLength(1)
    away = false
    expect((await door.refresh(clientId, refreshToken)).status).toBe(200)
  })
})
