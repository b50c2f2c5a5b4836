// Acceptance case 17: the authorization endpoint. An unregistered redirect URI is a page and never a redirect; PKCE is S256 or an
// error; state comes back.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Canary, startCanary } from '../support/canary.ts'
import { type Parameters, registerClient, type TestClient } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { createPerson } from '../support/person.ts'

const GOOD = 'https://client.example/cb'

let canary: Canary
let gateway: TestGateway
let client: TestClient
beforeAll(async () => {
  canary = await startCanary()
  gateway = await startGateway({ servers: [{ id: 'canary', url: canary.url }] })
  client = await registerClient(gateway, { redirectUris: [GOOD] })
})
afterAll(async () => {
  await gateway?.close()
  await canary?.close()
})

/** One request, nothing followed. */
async function ask(parameters: Parameters, bend: (url: string) => string = (url) => url) {
  const { url } = client.authorize({ resource: gateway.resource('canary'), scope: 'mcp:tools', ...parameters })
  const answer = await fetch(bend(url), { redirect: 'manual' })
  return { status: answer.status, location: answer.headers.get('location'), html: await answer.text(), answer }
}

const answerAt = (location: string | null): URLSearchParams => {
  expect(location?.startsWith(`${GOOD}?`)).toBe(true)
  return new URL(location ?? '').searchParams
}

describe('the positive twin of everything below', () => {
  it('is asked for consent, and comes back with code, state and iss', async () => {
    const first = await ask({})
    expect(first.status).toBe(303)
    expect(new URL(first.location ?? '', gateway.url).href).toContain(`${gateway.url}/interaction/`)
    const authorization = client.authorize({ resource: gateway.resource('canary'), state: 'a state & more' })
    const visit = await (await gateway.person()).follow(authorization.url)
    const answer = answerAt(visit.location ?? null)
    expect(answer.get('code')).toMatch(/^\S{20,}$/)
    expect([answer.get('state'), answer.get('iss'), answer.get('error')]).toEqual(['a state & more', gateway.url, null])
  })
})

describe('a redirect URI that is not registered', () => {
  it.each([
    ['of somebody else', 'https://evil.example/cb'],
    ['with another path', `${GOOD}/more`],
    ['with a trailing slash', `${GOOD}/`],
    ['with a query', `${GOOD}?next=https://evil.example`],
    ['with another scheme', 'http://client.example/cb'],
    ['with another port', 'https://client.example:8443/cb'],
    ['on a host below', 'https://evil.client.example/cb'],
    ['in other letters', 'https://client.example/CB'],
    ['that is left out', undefined],
  ])('%s is a page with 400, never a redirect', async (_what, redirect_uri) => {
    const { status, location, html, answer } = await ask({ redirect_uri })
    expect([status, location]).toEqual([400, null])
    expect(answer.headers.get('content-type')).toContain('text/html')
    expect(answer.headers.get('refresh')).toBeNull()
    expect(html).not.toMatch(/evil\.example|http-equiv|<script|<form/i)
  })

  it('nor for a client nobody knows, whatever it asks for', async () => {
    for (const client_id of ['nobody', '', 'https://client.invalid/metadata.json']) {
      const { status, location } = await ask({ client_id, redirect_uri: 'https://evil.example/cb' })
      expect([status, location]).toEqual([400, null])
    }
  })
})

describe('PKCE', () => {
  it.each<[string, Parameters]>([
    ['missing', { code_challenge: undefined, code_challenge_method: undefined }],
    ['plain', { code_challenge_method: 'plain' }],
    ['plain by default', { code_challenge_method: undefined }],
    ['a method without a challenge', { code_challenge: undefined }],
    ['too short to be a SHA-256', { code_challenge: 'short' }],
  ])('%s is invalid_request, sent to the client with its state', async (_what, parameters) => {
    const answer = answerAt((await ask({ state: 'kept', ...parameters })).location)
    expect([answer.get('error'), answer.get('state'), answer.get('iss')]).toEqual([
      'invalid_request',
      'kept',
      gateway.url,
    ])
    expect(answer.has('code')).toBe(false)
  })
})

describe('state', () => {
  it.each([
    ['one letter', 'x'],
    ['what needs encoding', 'a b+c%20&=?#'],
    ['JSON', '{"json":["with","quotes"]}'],
    ['beyond ASCII', 'ä€😀'],
    ['long', 'x'.repeat(1000)],
  ])('comes back as it went out: %s', async (_what, state) => {
    const { url } = client.authorize({ resource: gateway.resource('canary'), state })
    const answer = answerAt((await (await gateway.person()).follow(url)).location ?? null)
    expect([answer.has('code'), answer.getAll('state')]).toEqual([true, [state]])
  })

  it('is not made up where none was sent', async () => {
    const { url } = client.authorize({ resource: gateway.resource('canary'), state: undefined })
    const answer = answerAt((await (await gateway.person()).follow(url)).location ?? null)
    expect([answer.has('code'), answer.has('state')]).toEqual([true, false])
  })

  it('is refused when it comes twice, since one of the two is not the client’s', async () => {
    const { status, location } = await ask({ state: 'mine' }, (url) => `${url}&state=theirs`)
    expect([status, location]).toEqual([400, null])
  })
})

describe('errors of a proved client', () => {
  it.each<[string, Parameters]>([
    ['unsupported_response_type', { response_type: 'token' }],
    ['invalid_scope', { scope: 'nothing-we-know' }],
    ['invalid_target', { resource: 'https://elsewhere.example/mcp' }],
  ])('%s', async (error, parameters) => {
    const { location } = await ask({ state: 'kept', ...parameters })
    expect(location).not.toMatch(/code=/)
    const url = new URL(location ?? '')
    const answer = new URLSearchParams(url.hash === '' ? url.search : url.hash.slice(1))
    expect([url.origin, answer.get('error'), answer.get('state')]).toEqual(['https://client.example', error, 'kept'])
  })

  it('access_denied where the person says no, and nothing is kept of it', async () => {
    const stranger = { username: 'nora', password: 'a harbour with twelve cranes' }
    await gateway.addUser(stranger)
    const { url } = client.authorize({ resource: gateway.resource('canary'), state: 'kept' })
    const answer = answerAt((await createPerson(stranger).refuse(url)).location ?? null)
    expect([answer.get('error'), answer.get('state'), answer.get('iss')]).toEqual([
      'access_denied',
      'kept',
      gateway.url,
    ])
    const again = await createPerson(stranger).open(url)
    expect(again.location).toBeUndefined()
    expect(again.html).toContain('client.example')
  })
})
