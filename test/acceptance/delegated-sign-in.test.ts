// Acceptance case 20: sign-in left to another server that is down (503) or refuses (502), and what else may come back from it.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type AuthServer, startAuthServer } from '../support/auth-server.ts'
import { registerClient } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { departFor } from '../support/oauth-range.ts'
import { createPerson, type Person } from '../support/person.ts'

const ANN = { sub: 'ann-there', email: 'ann@corp.example', email_verified: true, groups: ['data'] }
const NOBODY = { username: 'nobody', password: 'none is asked for', provider: /azure/i }

let server: AuthServer
let gateway: TestGateway
beforeAll(async () => {
  server = await startAuthServer(ANN)
  gateway = await startGateway({
    servers: [{ id: 'files', url: 'http://127.0.0.1:9/mcp' }],
    identity: {
      providers: [
        { id: 'delegated', type: 'delegated', url: server.url, provider: 'azure', callback: '/oauth/callback' },
      ],
      allowedEmails: ['*@corp.example'],
    },
  })
})
beforeEach(() => {
  server.claims = ANN
  server.broken.clear()
  server.answer = undefined
})
afterAll(async () => {
  await gateway?.close()
  await server?.close()
})

async function authorizeUrl(): Promise<string> {
  const client = await registerClient(gateway)
  return client.authorize({ resource: gateway.resource('files'), scope: 'mcp:tools' }).url
}

/** Consent and sign-in, to the server and back. */
const visit = async (person: Person = createPerson(NOBODY)) => person.follow(await authorizeUrl())
const answerOf = (location: string | undefined) => new URL(location ?? 'none:').searchParams

describe('sign-in left to another server', () => {
  it('asks it after consent, and comes back to /oauth/callback with a person', async () => {
    const person = createPerson(NOBODY)
    const left = await departFor(person, await authorizeUrl(), 'delegated')
    expect(`${left.origin}${left.pathname}`).toBe(`${server.url}/login`)
    expect(left.searchParams.get('gateway_uri')).toBe(`${gateway.url}/oauth/callback`)
    expect(left.searchParams.get('provider')).toBe('azure')
    const { location } = await visit()
    expect(answerOf(location).get('code')).toMatch(/^[\w-]{22,}$/)
    const user = await gateway.store.durable.users.findByIdentity(server.url, 'ann-there')
    expect(user).toMatchObject({ email: 'ann@corp.example', emailVerified: true, groups: ['data'] })
  })

  it('keeps to who is admitted here', async () => {
    server.claims = { ...ANN, sub: 'eve', email: 'eve@evil.example' }
    expect(await visit()).toMatchObject({ status: 403, location: undefined })
    server.claims = { ...ANN, sub: 'fay', email: 'fay@corp.example', email_verified: false }
    expect(await visit()).toMatchObject({ status: 403, location: undefined })
    expect(await gateway.store.durable.users.findByIdentity(server.url, 'fay')).toBeUndefined()
  })

  it.each([
    ['refuses the code', '/gateway-oauth/exchange', 400, '{"detail":"Invalid or expired gateway code"}'],
    ['gives no token', '/gateway-oauth/exchange', 200, '{}'],
    ['fails', '/gateway-oauth/exchange', 500, '{}'],
    ['does not know its own token', '/user_info', 401, '{}'],
    ['knows nobody', '/user_info', 200, '{"sub":"unknown","email":"none"}'],
  ])('502 when it %s: a page, a way back, a record', async (_what, address, status, body) => {
    server.broken.set(address, { status, body })
    const page = await visit()
    expect(page).toMatchObject({ status: 502, location: undefined })
    expect(page.html).toContain('azure could not sign you in')
    expect(page.html).toContain('Back to sign-in')
    const events = await gateway.audit()
    expect(events.findLast((event) => 'act' in event && event.act === 'sign_in_refused')?.reason).toMatch(/^delegate_/)
    server.broken.clear()
    expect((await visit()).location).toContain('code=')
  })

  it('400 without a code or with a state nobody waits for', async () => {
    server.answer = {}
    expect(await visit()).toMatchObject({ status: 400, location: undefined })
    const stray = await createPerson(NOBODY).open(`${gateway.url}/oauth/callback?code=x&state=y`)
    expect(stray.status).toBe(400)
  })

  it('tells the client when the person refused there', async () => {
    server.answer = { error: 'access_denied' }
    const { location } = await visit()
    expect(answerOf(location).get('error')).toBe('access_denied')
  })

  it('503 when it is down, with a time to come again', async () => {
    const gone = await startAuthServer(ANN)
    const alone = await startGateway({
      servers: [{ id: 'files', url: 'http://127.0.0.1:9/mcp' }],
      identity: { providers: [{ id: 'mesh', type: 'delegated', url: gone.url, provider: 'azure' }] },
    })
    const client = await registerClient(alone)
    const person = createPerson(NOBODY)
    const { url } = client.authorize({ resource: alone.resource('files'), scope: 'mcp:tools' })
    const left = await departFor(person, url, 'mesh')
    expect(left.searchParams.get('gateway_uri')).toBe(`${alone.url}/callback/mesh`)
    const back = await fetch(left, { redirect: 'manual' })
    await gone.close()
    const page = await person.open(back.headers.get('location') ?? '', { from: left.href })
    expect(page).toMatchObject({ status: 503, location: undefined })
    expect(page.headers.get('retry-after')).toBe('10')
    expect(page.html).toContain('azure does not answer')
    await alone.close()
    expect((await visit()).location).toContain('code=')
  })
})
