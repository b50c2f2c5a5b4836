// RFC 7009, Token Revocation, and RFC 7662, Token Introspection: of our JWTs, at the hands of the client they were issued to.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ACCOUNT, type Door, startDoor } from '../support/door.ts'

let door: Door
beforeAll(async () => {
  door = await startDoor()
})
afterAll(() => door?.close())

const introspect = async (clientId: string, token: string) =>
  (await door.post('/oauth/introspect', { client_id: clientId, token })).body

describe('RFC 7009 §2.1: revocation', () => {
  it('of an access token ends that token at once, and leaves the others of its family', async () => {
    const { clientId, accessToken, refreshToken } = await door.signIn()
    const answer = await door.post('/oauth/revoke', { client_id: clientId, token: accessToken })
    expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([200, '*'])
    expect(await door.isAlive(accessToken)).toBe(false)
    const next = await door.refresh(clientId, refreshToken)
    expect(next.status).toBe(200)
    expect(await door.isAlive(String(next.body['access_token']))).toBe(true)
    expect(door.acts).toContainEqual(
      expect.objectContaining({ act: 'token_revoked', decision: 'allow', subject: ACCOUNT, client: clientId }),
    )
  })

  it('of a refresh token SHOULD end the access tokens of the same grant', async () => {
    const { clientId, accessToken, refreshToken } = await door.signIn()
    const hint = { client_id: clientId, token: refreshToken, token_type_hint: 'access_token' }
    expect((await door.post('/oauth/revoke', hint)).status).toBe(200)
    expect(await door.isAlive(accessToken)).toBe(false)
    expect((await door.refresh(clientId, refreshToken)).body['error']).toBe('invalid_grant')
    const revoked = { act: 'family_revoked', decision: 'allow', reason: 'revoked_by_client' }
    expect(door.acts).toContainEqual(expect.objectContaining(revoked))
  })

  it('MUST be by the client the token was issued to', async () => {
    const { accessToken, refreshToken, clientId } = await door.signIn()
    const other = String((await door.register()).body['client_id'])
    for (const token of [accessToken, refreshToken])
      expect((await door.post('/oauth/revoke', { client_id: other, token })).status).toBe(200)
    expect(await door.isAlive(accessToken)).toBe(true)
    expect((await door.refresh(clientId, refreshToken)).status).toBe(200)
  })

  it('§2.2: answers 200 for tokens it does not know', async () => {
    const { clientId, accessToken } = await door.signIn()
    const forged = `${accessToken.slice(0, -6)}AAAAAA`
    for (const token of ['unknown', 'a.b.c', forged])
      expect((await door.post('/oauth/revoke', { client_id: clientId, token })).status).toBe(200)
    expect(await door.isAlive(accessToken)).toBe(true)
  })

  it('cannot be asked for with the handle that stands for a token inside', async () => {
    const { clientId, accessToken } = await door.signIn()
    const jti = (await door.verifier.find(accessToken))?.jti
    await door.post('/oauth/revoke', { client_id: clientId, token: `jwt~${jti}` })
    expect(await door.isAlive(accessToken)).toBe(true)
    expect(await introspect(clientId, `jwt~${jti}`)).toEqual({ active: false })
  })

  it('needs a client and one token', async () => {
    expect((await door.post('/oauth/revoke', { token: 'x' })).status).toBe(401)
    const { clientId } = await door.signIn()
    expect((await door.post('/oauth/revoke', { client_id: clientId })).body['error']).toBe('invalid_request')
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const body = `client_id=${clientId}&token=a&token=b`
    expect((await door.send('/oauth/revoke', { method: 'POST', body, headers })).body['error']).toBe('invalid_request')
  })
})

describe('RFC 7662 §2.2: introspection', () => {
  it('tells a client about its own tokens', async () => {
    const { clientId, accessToken, refreshToken } = await door.signIn()
    expect(await introspect(clientId, accessToken)).toEqual({
      active: true,
      sub: ACCOUNT,
      aud: door.resource,
      client_id: clientId,
      scope: 'mcp:tools',
      iss: door.url,
      jti: expect.any(String),
      iat: expect.any(Number),
      exp: expect.any(Number),
      token_type: 'Bearer',
    })
    expect(await introspect(clientId, refreshToken)).toMatchObject({ active: true, client_id: clientId })
  })

  it('MUST NOT tell anything of a forged, revoked or foreign token', async () => {
    const { clientId, accessToken, refreshToken } = await door.signIn()
    const other = String((await door.register()).body['client_id'])
    expect(await introspect(other, accessToken)).toEqual({ active: false })
    expect(await introspect(other, refreshToken)).toEqual({ active: false })
    expect(await introspect(clientId, `${accessToken.slice(0, -6)}AAAAAA`)).toEqual({ active: false })
    await door.post('/oauth/revoke', { client_id: clientId, token: accessToken })
    expect(await introspect(clientId, accessToken)).toEqual({ active: false })
  })

  it('§2.1: MUST require some form of authorization', async () => {
    const { accessToken } = await door.signIn()
    const answer = await door.post('/oauth/introspect', { token: accessToken })
    expect([answer.status, answer.body['error']]).toEqual([401, 'invalid_client'])
    expect(answer.headers.get('www-authenticate')).toBe('Basic')
  })
})
