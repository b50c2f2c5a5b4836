// RFC 8414, Authorization Server Metadata, and RFC 7517, its keys: the configured origin, whatever a request says.

import { request } from 'undici'
import { afterEach, describe, expect, it } from 'vitest'
import { type Door, pkce, startDoor } from '../support/door.ts'

let door: Door
afterEach(() => door?.close())

describe('RFC 8414 §3: obtaining metadata', () => {
  it('names the issuer byte for byte, to any origin, in both places', async () => {
    door = await startDoor()
    for (const name of ['oauth-authorization-server', 'openid-configuration']) {
      const answer = await door.send(`/.well-known/${name}`)
      expect([answer.status, answer.body['issuer']]).toEqual([200, door.url])
      expect(answer.headers.get('access-control-allow-origin')).toBe('*')
      expect(answer.body['scopes_supported']).toEqual(['mcp:tools', 'openid', 'email', 'profile', 'offline_access'])
    }
    expect((await door.send('/.well-known/openid-configuration', { method: 'OPTIONS' })).status).toBe(204)
    expect((await door.send('/.well-known/openid-configuration', { method: 'POST' })).status).toBe(405)
  })

  it('everything it names is there', async () => {
    door = await startDoor()
    const { body } = await door.send('/.well-known/oauth-authorization-server')
    const named = Object.entries(body).filter(([name]) => /_endpoint$|_uri$/.test(name))
    expect(named.length).toBeGreaterThan(4)
    for (const [name, url] of named)
      expect([name, (await door.send(String(url), { method: 'OPTIONS' })).status]).not.toEqual([name, 404])
    const tokens = await door.signIn()
    expect(tokens.answer.status).toBe(200)
    expect(tokens.location.searchParams.get('iss')).toBe(door.url)
  })

  it('the keys are public ones only, and sign what we issue', async () => {
    door = await startDoor()
    const { body } = await door.send('/.well-known/jwks.json')
    const keys = body['keys'] as Record<string, string>[]
    expect(keys.length).toBeGreaterThan(0)
    for (const key of keys) expect(Object.keys(key).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
    const { accessToken } = await door.signIn()
    const header = JSON.parse(Buffer.from(accessToken.split('.')[0] ?? '', 'base64url').toString())
    expect(keys.map((key) => key['kid'])).toContain(header.kid)
  })
})

describe('no request header reaches a URL of ours', () => {
  it.each([
    { host: 'evil.example' },
    { 'x-forwarded-host': 'evil.example' },
    { 'x-forwarded-proto': 'ftp' },
    { forwarded: 'host=evil.example' },
  ])('%o', async (headers) => {
    door = await startDoor()
    const seen: string[] = []
    const ask = async (path: string, method: 'GET' | 'POST' = 'GET', body?: string) => {
      const answer = await request(door.origin + path, {
        method,
        headers: { ...headers, ...(body ? { 'content-type': 'application/json' } : {}) },
        body: body ?? null,
      })
      seen.push(`${JSON.stringify(answer.headers)} ${await answer.body.text()}`)
    }
    await ask('/.well-known/oauth-authorization-server')
    await ask('/oauth/register', 'POST', JSON.stringify({ redirect_uris: ['https://client.example/cb'] }))
    const client = String((await door.register()).body['client_id'])
    await ask(door.authorizeUrl(client, pkce().challenge).slice(door.url.length))
    expect(seen).toHaveLength(3)
    // With its dot: ids, secrets and cookies are random, and spell any word some day.
    expect(seen.join('\n')).not.toMatch(/evil\.|ftp:/)
    expect(seen[1]).toContain(`${door.url}/oauth/register/`)
  })
})

describe('key rotation', () => {
  it('signs with the new key, and what the old one signed stays good', async () => {
    door = await startDoor()
    const kidOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid
    const before = await door.signIn()
    door.advance(30 * 86_400_000)
    await door.keyring.refresh()
    door.advance(86_400_000)
    await door.keyring.refresh()
    const after = await door.signIn()
    expect(after.answer.status).toBe(200)
    expect(kidOf(after.accessToken)).not.toBe(kidOf(before.accessToken))
    const keys = (await door.send('/.well-known/jwks.json')).body['keys'] as { kid: string }[]
    expect(keys.map((key) => key.kid)).toContain(kidOf(after.accessToken))
  })
})

describe('cookies', () => {
  it('RFC 6265bis §4.1.3: carry their prefixes where they can be Secure', async () => {
    door = await startDoor({ https: true })
    const { browser } = await door.signIn()
    const jar = new Set(browser.cookies)
    expect(jar).toContain('__Host-portcullis_session')
    const client = String((await door.register()).body['client_id'])
    const answer = await door.browser().get(door.authorizeUrl(client, pkce().challenge))
    const cookies = answer.headers.getSetCookie()
    expect(cookies.length).toBeGreaterThan(0)
    for (const cookie of cookies)
      expect(cookie).toMatch(
        /^__Secure-portcullis_.*; secure.*; samesite=lax.*|^__Secure-.*samesite=lax; secure; httponly/i,
      )
    // Before anyone has allowed anything there is no session to bind.
    expect(cookies.join()).not.toContain('session')
  })
})
