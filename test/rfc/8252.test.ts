// RFC 8252, OAuth 2.0 for Native Apps: loopback ports are free, private schemes are reversed domain names, and a person is asked.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Canary, startCanary } from '../support/canary.ts'
import { register, registerClient, type TestClient } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'

const LOOPBACK = 'http://127.0.0.1/callback'

let canary: Canary
let gateway: TestGateway
let app: TestClient
beforeAll(async () => {
  canary = await startCanary()
  gateway = await startGateway({
    servers: [{ id: 'canary', url: canary.url }],
    oauth: { registration: { perAddress: 1000, total: 1000 } },
  })
  app = await registerClient(gateway, { redirectUris: [LOOPBACK] })
})
afterAll(async () => {
  await gateway?.close()
  await canary?.close()
})

const authorize = (client: TestClient, redirect_uri: string) =>
  client.authorize({ resource: gateway.resource('canary'), redirect_uri })
/** Status and target of the first answer. */
async function ask(client: TestClient, redirect_uri: string) {
  const answer = await fetch(authorize(client, redirect_uri).url, { redirect: 'manual' })
  await answer.body?.cancel()
  return { status: answer.status, location: answer.headers.get('location') }
}

describe('RFC 8252 §7.3: loopback redirect URIs', () => {
  it.each(['', ':1024', ':33418', ':65535'])('MUST allow any port at the time of the request: "%s"', async (port) => {
    const uri = `http://127.0.0.1${port}/callback`
    const asked = authorize(app, uri)
    const visit = await (await gateway.person()).follow(asked.url)
    expect(visit.location?.startsWith(`${uri}?`)).toBe(true)
    const code = new URL(visit.location ?? '').searchParams.get('code') ?? ''
    const answer = await app.exchange(code, asked.verifier, { redirect_uri: uri })
    expect(answer.status).toBe(200)
  })

  it('holds for IPv6 and for a URI that was registered with a port', async () => {
    const v6 = await registerClient(gateway, { redirectUris: ['http://[::1]:5000/callback'] })
    expect((await ask(v6, 'http://[::1]:6000/callback')).status).toBe(303)
    expect((await ask(v6, 'http://127.0.0.1:5000/callback')).status).toBe(400)
  })

  it('the token request names the very port again: another one is invalid_grant', async () => {
    const asked = authorize(app, 'http://127.0.0.1:40001/callback')
    const visit = await (await gateway.person()).follow(asked.url)
    const code = new URL(visit.location ?? '').searchParams.get('code') ?? ''
    const wrong = await app.exchange(code, asked.verifier, { redirect_uri: 'http://127.0.0.1:40002/callback' })
    expect([wrong.status, wrong.body['error']]).toEqual([400, 'invalid_grant'])
    const right = await app.exchange(code, asked.verifier, { redirect_uri: 'http://127.0.0.1:40001/callback' })
    expect(right.status).toBe(200)
  })
})

describe('RFC 8252 §8.4: beyond the port the match is exact', () => {
  it.each([
    ['another path', 'http://127.0.0.1:5000/other'],
    ['a path below', 'http://127.0.0.1:5000/callback/more'],
    ['a query', 'http://127.0.0.1:5000/callback?x=1'],
    ['§8.3: another name of this machine', 'http://localhost:5000/callback'],
    ['another address of this machine', 'http://127.0.0.2:5000/callback'],
    ['the IPv6 one', 'http://[::1]:5000/callback'],
    ['https', 'https://127.0.0.1:5000/callback'],
    ['a host that only begins so', 'http://127.0.0.1.evil.example:5000/callback'],
    ['user information', 'http://127.0.0.1:1@evil.example/callback'],
    ['a port that is none', 'http://127.0.0.1:99999/callback'],
  ])('MUST reject %s', async (_what, uri) => {
    expect(await ask(app, uri)).toEqual({ status: 400, location: null })
    expect((await ask(app, 'http://127.0.0.1:5000/callback')).status).toBe(303)
  })

  it('a port is free on loopback only', async () => {
    const web = await registerClient(gateway, { redirectUris: ['https://client.example/cb'] })
    expect(await ask(web, 'https://client.example:8443/cb')).toEqual({ status: 400, location: null })
    expect((await ask(web, 'https://client.example/cb')).status).toBe(303)
  })

  it('clients MUST register their complete redirect URI', async () => {
    const none = await register(gateway.url, { client_name: 'x', token_endpoint_auth_method: 'none' })
    expect(none.status).toBe(400)
  })
})

describe('RFC 8252 §7.1: private-use URI schemes', () => {
  const registered = async (uri: string) =>
    (await register(gateway.url, { redirect_uris: [uri], token_endpoint_auth_method: 'none' })).status

  it('MUST be based on a domain name in reverse order; one without a period SHOULD be rejected', async () => {
    for (const uri of ['com.example.app:/oauth2redirect', 'com.example.app://callback'])
      expect([uri, await registered(uri)]).toEqual([uri, 201])
    for (const uri of ['app:/oauth2redirect', 'myapp://callback', 'oauth:/x'])
      expect([uri, await registered(uri)]).toEqual([uri, 400])
  })

  it('redirect as they are', async () => {
    const client = await registerClient(gateway, { redirectUris: ['com.example.app:/callback'] })
    const visit = await (await gateway.person()).follow(authorize(client, 'com.example.app:/callback').url)
    expect(visit.location).toMatch(/^com\.example\.app:\/callback\?.*code=/)
  })
})

describe('RFC 8252 §6 and §8.1: PKCE', () => {
  it('MUST be supported for public clients, and a request without it is rejected', async () => {
    const asked = app.authorize({
      resource: gateway.resource('canary'),
      redirect_uri: LOOPBACK,
      code_challenge: undefined,
      code_challenge_method: undefined,
    })
    const answer = await fetch(asked.url, { redirect: 'manual' })
    expect(answer.headers.get('location')).toMatch(/^http:\/\/127\.0\.0\.1\/callback\?.*error=invalid_request/)
    expect((await ask(app, LOOPBACK)).status).toBe(303)
  })
})

describe('RFC 8252 §8.6: whoever can listen on loopback can claim to be the app', () => {
  it('SHOULD NOT answer without the person, also one who allowed it before', async () => {
    const person = await gateway.person()
    await app.codeFrom(person, authorize(app, LOOPBACK))
    const again = await person.open(authorize(app, LOOPBACK).url, { stopAt: LOOPBACK })
    expect([again.status, again.location]).toEqual([200, undefined])
    expect(again.html).toMatch(/<form/)
  })

  it('a client whose redirect is a claimed https address is answered at once', async () => {
    const web = await registerClient(gateway, { redirectUris: ['https://client.example/cb'] })
    const person = await gateway.person()
    await web.codeFrom(person, authorize(web, 'https://client.example/cb'))
    const again = await person.open(authorize(web, 'https://client.example/cb').url, {
      stopAt: 'https://client.example',
    })
    expect(new URL(again.location ?? 'none:').searchParams.has('code')).toBe(true)
  })
})
