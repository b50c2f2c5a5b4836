// RFC 7636, Proof Key for Code Exchange: required of every client, S256 only.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Door, type Parameters, pkce, REDIRECT, startDoor } from '../support/door.ts'

let door: Door
let client: string
beforeAll(async () => {
  door = await startDoor({
    oauth: { clients: [{ clientId: 'desk', clientSecret: 'a secret of the desk', redirectUris: [REDIRECT] }] },
  })
  client = String((await door.register()).body['client_id'])
})
afterAll(() => door?.close())

describe('RFC 7636 §4.4.1: the authorization request', () => {
  it.each<[string, Parameters]>([
    ['without a challenge', { code_challenge: undefined, code_challenge_method: undefined }],
    ['with an empty challenge', { code_challenge: '' }],
    ['with the method plain', { code_challenge_method: 'plain' }],
    ['with the method in lower case', { code_challenge_method: 's256' }],
    ['without a method, which would mean plain', { code_challenge_method: undefined }],
    ['with a short challenge', { code_challenge: 'x'.repeat(42) }],
    ['with a long challenge', { code_challenge: 'x'.repeat(129) }],
    ['with a challenge of other characters', { code_challenge: '+'.repeat(43) }],
  ])('MUST be refused %s', async (_name, parameters) => {
    for (const clientId of [client, 'desk']) {
      const answer = await door.browser().get(door.authorizeUrl(clientId, pkce().challenge, parameters))
      const location = new URL(answer.headers.get('location') ?? '')
      expect(location.searchParams.get('error')).toBe('invalid_request')
    }
  })
  it('is taken with S256', async () => {
    const answer = await door.browser().get(door.authorizeUrl(client, pkce().challenge))
    expect(answer.headers.get('location')).toContain('/interaction/')
  })
})

describe('RFC 7636 §4.6: the verifier', () => {
  it.each<[string, string | undefined]>([
    ['absent', undefined],
    ['empty', ''],
    ['42 characters long', 'x'.repeat(42)],
    ['129 characters long', 'x'.repeat(129)],
    ['of other characters', '+'.repeat(43)],
    ['wrong', 'x'.repeat(43)],
  ])('MUST match: refused when %s, and the code stays good', async (_name, code_verifier) => {
    const { request } = await door.code({ clientId: client })
    const wrong = await door.post('/oauth/token', { ...request, code_verifier })
    expect(wrong.status).toBe(400)
    expect(wrong.body['error']).toMatch(/^invalid_(grant|request)$/)
    expect((await door.post('/oauth/token', request)).status).toBe(200)
  })
  it('must not come twice', async () => {
    const { request } = await door.code({ clientId: client })
    const body = `${new URLSearchParams(Object.entries(request) as [string, string][])}&code_verifier=x`
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const answer = await door.send('/oauth/token', { method: 'POST', body, headers })
    expect(answer.body['error']).toBe('invalid_request')
  })
})
