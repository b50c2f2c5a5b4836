// Acceptance case 29: a session of one person is no use to another, and sessions end. Both kinds: the handshake era's session at a
// server, and the browser's sign-in.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Canary, startCanary } from '../support/canary.ts'
import { registerClient, type TestClient } from '../support/client.ts'
import { ANN, BOB, startGateway, type TestGateway } from '../support/gateway.ts'
import { createPerson, type Person } from '../support/person.ts'

const REDIRECT = 'https://client.example/cb'

let canary: Canary
let gateway: TestGateway
let client: TestClient
beforeAll(async () => {
  canary = await startCanary()
  gateway = await startGateway({
    servers: [
      { id: 'canary', url: canary.url },
      { id: 'other', url: canary.url },
    ],
  })
  client = await registerClient(gateway, { redirectUris: [REDIRECT] })
})
afterAll(async () => {
  await gateway?.close()
  await canary?.close()
})

const INITIALIZE = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
}
const LIST = { jsonrpc: '2.0', id: 2, method: 'tools/list' }

const send = (token: string, body: object, session?: string, server = 'canary') =>
  post(gateway.resource(server), token, body, session)

const post = (url: string, token: string, body: object, session?: string) =>
  fetch(url, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2025-11-25',
      ...(session !== undefined && { 'mcp-session-id': session }),
    },
    body: JSON.stringify(body),
  })

async function openSession(token: string): Promise<string> {
  const answer = await send(token, INITIALIZE)
  expect(answer.status).toBe(200)
  return answer.headers.get('mcp-session-id') ?? ''
}

describe('the session at a server', () => {
  it('serves its own person, also with the next access token', async () => {
    const session = await openSession(await gateway.tokenFor('canary'))
    expect((await send(await gateway.tokenFor('canary'), LIST, session)).status).toBe(200)
  })

  it.each([
    [
      'another person',
      async () => ({ token: await gateway.tokenFor('canary', { user: await gateway.person('bob') }) }),
    ],
    ['the same person at another server', async () => ({ token: await gateway.tokenFor('other'), server: 'other' })],
  ])('is 404 to %s, nothing reaches the server, and it lives on', async (_who, stranger) => {
    const mine = await gateway.tokenFor('canary')
    const session = await openSession(mine)
    const { token, server } = { server: 'canary', ...(await stranger()) }
    // The token itself is good there.
    expect((await send(token, INITIALIZE, undefined, server)).status).toBe(200)
    const before = canary.requests.length
    const answer = await send(token, LIST, session, server)
    expect([answer.status, canary.requests.length]).toEqual([404, before])
    expect((await send(mine, LIST, session)).status).toBe(200)
  })

  it('is nothing without a token', async () => {
    const session = await openSession(await gateway.tokenFor('canary'))
    expect((await send('', LIST, session)).status).toBe(401)
  })

  it('ends when its client ends it', async () => {
    const token = await gateway.tokenFor('canary')
    const session = await openSession(token)
    const ended = await fetch(gateway.resource('canary'), {
      method: 'DELETE',
      headers: { authorization: `Bearer ${token}`, 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' },
    })
    expect(ended.status).toBeLessThan(300)
    expect((await send(token, LIST, session)).status).toBe(404)
  })

  it('ends after a week', async () => {
    const old = await startGateway({ servers: [{ id: 'canary', url: canary.url }] })
    const serves = async (session: string) =>
      (await post(old.resource('canary'), await old.tokenFor('canary'), LIST, session)).status
    const opened = await post(old.resource('canary'), await old.tokenFor('canary'), INITIALIZE)
    const session = opened.headers.get('mcp-session-id') ?? ''
    // Tokens live ten minutes: each time it is a fresh one of the same person.
    old.clock.advance('6d')
    expect(await serves(session)).toBe(200)
    old.clock.advance('25h')
    expect(await serves(session)).toBe(404)
    await old.close()
  })
})

describe('the sign-in of a browser', () => {
  const ask = (as = client, of = gateway) => as.authorize({ resource: of.resource('canary'), scope: 'mcp:tools' }).url

  /** A client that was allowed before is answered without a page as long as the person is signed in. */
  async function isSignedIn(person: Person, url = ask()): Promise<boolean> {
    const visit = await person.open(url, { stopAt: REDIRECT })
    return visit.location !== undefined && new URL(visit.location).searchParams.has('code')
  }
  async function signedIn(user = ANN): Promise<Person> {
    await gateway.addUser(user)
    const person = createPerson(user)
    await client.signIn(person, { resource: gateway.resource('canary') })
    return person
  }

  it('lasts for SESSION_TTL, however busy it is, and then asks again', async () => {
    const old = await startGateway({ servers: [{ id: 'canary', url: canary.url }], identity: { sessionTtl: '1h' } })
    const known = await registerClient(old, { redirectUris: [REDIRECT] })
    const person = await old.person()
    await known.signIn(person, { resource: old.resource('canary') })
    old.clock.advance('50m')
    expect(await isSignedIn(person, ask(known, old))).toBe(true)
    old.clock.advance('11m')
    expect(await isSignedIn(person, ask(known, old))).toBe(false)
    const visit = await person.follow(ask(known, old))
    expect(new URL(visit.location ?? '').searchParams.has('code')).toBe(true)
    await old.close()
  })

  it('is in one browser only', async () => {
    await signedIn()
    expect(await isSignedIn(createPerson(ANN))).toBe(false)
  })

  it('cannot be put together: a changed cookie is none', async () => {
    const person = await signedIn()
    const forged = await fetch(ask(), {
      redirect: 'manual',
      headers: {
        cookie: 'portcullis_session=AAAAAAAAAAAAAAAAAAAAA; portcullis_session.sig=AAAAAAAAAAAAAAAAAAAAAAAAAAA',
      },
    })
    expect(forged.headers.get('location')).toContain('/interaction/')
    expect(await isSignedIn(person)).toBe(true)
  })

  it('does not open the pages of somebody else’s sign-in', async () => {
    const ann = createPerson(ANN)
    const page = await ann.open(ask())
    expect([page.status, page.url.includes('/interaction/')]).toEqual([200, true])
    const bob = await signedIn(BOB)
    const stranger = await bob.open(page.url)
    expect(stranger.status).toBe(403)
    expect(stranger.html).not.toMatch(/<form/)
    expect((await ann.open(page.url)).status).toBe(200)
  })

  it('is no credential at a server', async () => {
    const person = await signedIn()
    const answer = await person.request(gateway.resource('canary'), {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    })
    expect(answer.status).toBe(401)
  })

  it('ends at signing out; what clients were given stays', async () => {
    const person = await signedIn()
    const tokens = await client.signIn(person, { resource: gateway.resource('canary') })
    const page = await person.open(`${gateway.url}/logout`)
    await person.submit(page, /sign out/i)
    expect(await isSignedIn(person)).toBe(false)
    expect((await send(tokens.accessToken, INITIALIZE)).status).toBe(200)
  })
})
