// Acceptance case 28: every attempt leaves its trace, a refused one with its reason, and no trace holds a token or a secret.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ActEvent, CallEvent } from '../../src/audit/event.ts'
import { type Canary, startCanary } from '../support/canary.ts'
import { serve } from '../support/cli.ts'
import { parseTokens, pkce, register, registerClient, type TestClient } from '../support/client.ts'
import { ANN, startGateway, type TestGateway } from '../support/gateway.ts'
import { callTool, listTools } from '../support/mcp.ts'
import { createPerson } from '../support/person.ts'

const UPSTREAM_SECRET = 'only-the-notes-server-knows-this'
const POLICY = {
  rules: [
    { id: 'notes', allow: ['canary/*', 'method:canary/*'], to: ['*'] },
    { id: 'no-delete', deny: ['canary/delete_note'], to: ['*'] },
  ],
}

let canary: Canary
let gateway: TestGateway
let client: TestClient
beforeAll(async () => {
  canary = await startCanary()
  gateway = await startGateway({ servers: [{ id: 'canary', url: canary.url }], policy: POLICY })
  client = await registerClient(gateway)
})
afterAll(async () => {
  await gateway?.close()
  await canary?.close()
})

type Event = ActEvent | CallEvent
const authorization = () => client.authorize({ resource: gateway.resource('canary'), scope: 'mcp:tools' })

/** The new acts of this name that an attempt leaves; waits until there is one. */
async function actsOf(attempt: () => Promise<unknown>, act: string): Promise<Event[]> {
  const known = new Set((await gateway.audit()).map(({ id }) => id))
  await attempt()
  const isIt = (event: Event) => !known.has(event.id) && event.kind === 'act' && event.act === act
  return (await gateway.audit((all) => all.some(isIt))).filter(isIt)
}

/** The operational log's line of one request. */
const lineOf = (id: string | null) => JSON.parse(gateway.log.find((line) => id !== null && line.includes(id)) ?? '{}')

describe('every attempt is recorded', () => {
  it('a registration', async () => {
    const [event] = await actsOf(async () => void (await registerClient(gateway)), 'client_registered')
    expect(event).toMatchObject({ decision: 'allow', client: expect.any(String), address: '127.0.0.1' })
  })

  it('a sign-in with the wrong password, with the reason', async () => {
    const wrong = createPerson({ ...ANN, username: 'wanda', password: 'not her password at all' })
    await gateway.addUser({ ...ANN, username: 'wanda' })
    const [event] = await actsOf(() => wrong.follow(authorization().url), 'sign_in_refused')
    expect(event).toMatchObject({ decision: 'deny', reason: 'wrong_password', client: client.id })
  })

  it('a sign-in, the consent and the tokens, with who and for what', async () => {
    const person = createPerson({ ...ANN, username: 'sonja' })
    const { id } = await gateway.addUser({ ...ANN, username: 'sonja' })
    await actsOf(() => client.signIn(person, { resource: gateway.resource('canary') }), 'token_issued')
    const events = (await gateway.audit()).filter((event) => event.subject === id)
    expect(events.map((event) => event.kind === 'act' && event.act)).toEqual(['sign_in', 'consent', 'token_issued'])
    for (const event of events) expect(event).toMatchObject({ decision: 'allow', time: expect.stringMatching(/Z$/) })
    expect(events.at(-1)).toMatchObject({ client: client.id, resource: gateway.resource('canary') })
  })

  it('a consent that was refused', async () => {
    const person = await gateway.person()
    const events = await actsOf(() => person.refuse(authorization().url), 'consent_refused')
    expect(events).toEqual([expect.objectContaining({ decision: 'deny', reason: 'person_refused', client: client.id })])
  })

  it('a token request that was refused', async () => {
    const asked = authorization()
    const code = await client.codeFrom(await gateway.person(), asked)
    const [event] = await actsOf(() => client.exchange(code, pkce().verifier), 'token_refused')
    expect(event).toMatchObject({ decision: 'deny', reason: 'invalid_grant', client: client.id })
  })

  it('a revocation', async () => {
    const token = await gateway.tokenFor('canary', { client })
    const [event] = await actsOf(() => client.revoke(token), 'token_revoked')
    expect(event).toMatchObject({ reason: 'revoked_by_client', client: client.id, subject: expect.any(String) })
  })

  it('an allowed call: who, client, server, method, tool, rule, outcome, latency, under the id of the answer', async () => {
    const token = await gateway.tokenFor('canary', { client })
    const answer = await callTool(gateway.resource('canary'), token, 'read_note')
    const id = answer.headers.get('x-request-id')
    const events = await gateway.audit((all) => all.some((one) => one.id === id && 'outcome' in one))
    expect(events.find((one) => one.id === id)).toMatchObject({
      kind: 'call',
      email: 'ann@example.com',
      client: client.id,
      server: 'canary',
      method: 'tools/call',
      name: 'read_note',
      decision: 'allow',
      reason: expect.stringMatching(/^[a-z_]+$/),
      rule: 'notes',
      outcome: 'answered',
      latency: expect.any(Number),
    })
  })

  it('a denied call, with its reason and the rule', async () => {
    const token = await gateway.tokenFor('canary')
    const before = canary.requests.length
    const answer = await callTool(gateway.resource('canary'), token, 'delete_note')
    const id = answer.headers.get('x-request-id')
    const events = await gateway.audit((all) => all.some((one) => one.id === id))
    expect(events.find((one) => one.id === id)).toMatchObject({
      decision: 'deny',
      reason: 'denied_by_rule',
      rule: 'no-delete',
      name: 'delete_note',
    })
    expect(canary.requests.length).toBe(before)
    // The caller is told the id, and no more than that the tool is unknown.
    expect(JSON.stringify(answer.body)).not.toMatch(/denied_by_rule|no-delete/)
  })

  it.each([
    ['rubbish', 'rubbish-instead-of-a-token', 'malformed'],
    ['an unsigned token', 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4ifQ.AAAA', 'bad_token'],
  ])('a knock with %s, of nobody known, in record and log', async (_what, token, reason) => {
    const answer = await listTools(gateway.resource('canary'), token)
    expect(answer.status).toBe(401)
    const id = answer.headers.get('x-request-id')
    const events = await gateway.audit((all) => all.some((event) => event.id === id))
    expect(events.find((event) => event.id === id)).toMatchObject({
      kind: 'call',
      subject: 'unknown',
      server: 'canary',
      decision: 'deny',
      reason,
      outcome: 'refused',
      status: 401,
      address: '127.0.0.1',
    })
    expect(lineOf(id)).toMatchObject({ reason, status: 401, path: '/servers/canary/mcp', address: '127.0.0.1' })
    expect([...gateway.log, JSON.stringify(events)].join('\n')).not.toContain(token)
  })

  it('a first knock without a credential, which only asks the way, in the log', async () => {
    const answer = await listTools(gateway.resource('canary'), undefined)
    expect(answer.status).toBe(401)
    expect(lineOf(answer.headers.get('x-request-id'))).toMatchObject({
      reason: 'no_credential',
      status: 401,
      path: '/servers/canary/mcp',
      address: '127.0.0.1',
    })
  })

  it('has a reason wherever the decision is deny, and one wherever it is allow', async () => {
    const events = await gateway.audit()
    expect(events.filter(({ decision }) => decision === 'deny').length).toBeGreaterThan(3)
    for (const { reason } of events) expect(reason).toMatch(/^[a-z][a-z_]+$/)
  })
})

describe('no trace holds a token or a secret', () => {
  it('neither log nor record nor database, at the most talkative level', async () => {
    const served = await serve(
      {
        log: { level: 'debug' },
        servers: [
          {
            id: 'canary',
            url: canary.url,
            credentials: { type: 'headers', headers: { Authorization: `Bearer ${UPSTREAM_SECRET}` } },
          },
        ],
        policy: POLICY,
      },
      [ANN],
    )
    const resource = `${served.url}/servers/canary/mcp`
    const person = createPerson(ANN)
    const seen = await registerClient(served)
    const confidential = await register(served.url, { redirect_uris: ['https://client.example/cb'] })
    const asked = seen.authorize({ resource, scope: 'mcp:tools offline_access' })
    const code = await seen.codeFrom(person, asked)
    const first = parseTokens(await seen.exchange(code, asked.verifier))
    const second = parseTokens(await seen.refresh(first.refreshToken ?? ''))
    expect((await callTool(resource, second.accessToken, 'read_note')).status).toBe(200)
    await callTool(resource, second.accessToken, 'delete_note')
    await listTools(`${resource}?access_token=${second.accessToken}`, undefined)
    await listTools(resource, `${second.accessToken}x`)
    await seen.exchange(code, asked.verifier)
    await createPerson({ ...ANN, password: 'a wrong guess at it' }).follow(asked.url)
    await served.says(/delete_note/)
    await served.says(/wrong_password/)
    await served.stop()

    const sent = canary.requests.at(-1)?.rawHeaders ?? []
    expect(sent).toContain(`Bearer ${UPSTREAM_SECRET}`)
    const secrets = {
      password: ANN.password,
      guess: 'a wrong guess at it',
      code,
      verifier: asked.verifier,
      accessToken: first.accessToken,
      secondAccessToken: second.accessToken,
      signature: second.accessToken.split('.')[2] ?? '',
      refreshToken: first.refreshToken ?? '',
      secondRefreshToken: second.refreshToken ?? '',
      clientSecret: String(confidential.body['client_secret']),
      managementToken: String(confidential.body['registration_access_token']),
      upstream: UPSTREAM_SECRET,
    }
    const told = { said: served.said, stored: filesBelow(join(served.folder, 'data')) }
    expect(told.said).toContain('token_issued')
    expect(told.stored).toContain('token_issued')
    for (const [name, secret] of Object.entries(secrets)) {
      expect([name, secret.length > 12]).toEqual([name, true])
      for (const [place, text] of Object.entries(told))
        expect([name, place, text.includes(secret)]).toEqual([name, place, false])
    }
    await served.close()
  })
})

/** Bytes of every file in a folder and below. */
function filesBelow(folder: string): string {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    .join('\n')
}
