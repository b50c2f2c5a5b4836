// RFC 8707, Resource Indicators, and RFC 9207, Issuer Identification: which server a token is for, and who says so.
import { afterEach, describe, expect, it } from 'vitest'
import { type Door, pkce, startDoor } from '../support/door.ts'

let door: Door
afterEach(() => door?.close())

describe('RFC 8707 §2: one token, one resource', () => {
  it.each([
    'https://other.example/mcp',
    'URL/servers/unknown/mcp',
    'URL/servers/files/mcp/',
    'URL/servers/FILES/mcp',
    'URL/servers/files/mcp?x=1',
    'URL/servers/files/mcp#x',
    'URL',
    'files',
  ])('invalid_target for %s', async (target) => {
    door = await startDoor()
    const client = String((await door.register()).body['client_id'])
    const resource = target.replace('URL', door.url)
    const answer = await door.browser().get(door.authorizeUrl(client, pkce().challenge, { resource }))
    expect(new URL(answer.headers.get('location') ?? '').searchParams.get('error')).toBe('invalid_target')
  })

  it('§2, MCP 2026-07-28: upper case in scheme and host means the same, from the first request to the refresh', async () => {
    door = await startDoor({ https: true })
    const resource = door.resource.replace('https://gate.example', 'HTTPS://Gate.EXAMPLE')
    const { request } = await door.code({ parameters: { resource } })
    const first = await door.post('/oauth/token', { ...request, resource })
    const next = await door.refresh(String(request['client_id']), String(first.body['refresh_token']), { resource })
    for (const { body } of [first, next])
      expect((await door.verifier.find(String(body['access_token'])))?.audience).toBe(door.resource)
  })

  it.each(['HTTPS://Other.EXAMPLE', 'HTTPS://Gate.EXAMPLE@other.example', 'HTTPS://Gate.EXAMPLE:444'])(
    'and nothing else: invalid_target for %s',
    async (origin) => {
      door = await startDoor({ https: true })
      const { request } = await door.code()
      const resource = door.resource.replace('https://gate.example', origin)
      const url = door.authorizeUrl(String(request['client_id']), pkce().challenge, { resource })
      const asked = await door.browser().get(url)
      expect(new URL(asked.headers.get('location') ?? '').searchParams.get('error')).toBe('invalid_target')
      expect((await door.post('/oauth/token', { ...request, resource })).body['error']).toBe('invalid_target')
      expect((await door.post('/oauth/token', request)).status).toBe(200)
    },
  )

  it('a request without one means the only one', async () => {
    door = await startDoor()
    const { accessToken } = await door.signIn({ parameters: { resource: undefined } })
    expect((await door.verifier.find(accessToken))?.audience).toBe(door.resource)
  })

  it('and is invalid_target where there are several', async () => {
    door = await startDoor({ resources: ['files', 'github'] })
    const client = String((await door.register()).body['client_id'])
    const answer = await door.browser().get(door.authorizeUrl(client, pkce().challenge, { resource: undefined }))
    expect(new URL(answer.headers.get('location') ?? '').searchParams.get('error')).toBe('invalid_target')
  })

  it('§2.2: the token request cannot change it, and trying does not spend the code', async () => {
    door = await startDoor({ resources: ['files', 'github'] })
    const { request } = await door.code()
    const other = door.resources[1]?.url
    const wrong = await door.post('/oauth/token', { ...request, resource: other })
    expect(wrong.body['error']).toBe('invalid_target')
    const right = await door.post('/oauth/token', { ...request, resource: door.resource })
    expect(right.status).toBe(200)
  })

  it('beside openid too the token is for the resource', async () => {
    door = await startDoor()
    const { clientId, accessToken, refreshToken } = await door.signIn({
      parameters: { scope: 'openid email mcp:tools' },
    })
    expect((await door.verifier.find(accessToken))?.audience).toBe(door.resource)
    const next = await door.refresh(clientId, refreshToken)
    expect((await door.verifier.find(String(next.body['access_token'])))?.audience).toBe(door.resource)
  })
})

describe('RFC 9207 §2: iss', () => {
  it('is in every answer, of success and of error', async () => {
    door = await startDoor()
    const { location, clientId } = await door.signIn()
    expect(location.searchParams.get('iss')).toBe(door.url)
    expect(location.searchParams.get('state')).toBe('state-1')
    const denied = await door.browser().follow(door.authorizeUrl(clientId, pkce().challenge), { deny: true })
    expect(denied.searchParams.get('iss')).toBe(door.url)
    const wrong = await door.browser().get(door.authorizeUrl(clientId, pkce().challenge, { scope: 'x' }))
    expect(new URL(wrong.headers.get('location') ?? '').searchParams.get('iss')).toBe(door.url)
  })
})
