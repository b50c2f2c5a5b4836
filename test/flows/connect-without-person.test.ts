// Callers who can connect no account: a service, which has no browser, and whoever shows no credential.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ActEvent, CallEvent } from '../../src/audit/event.ts'
import { adminApi, basic } from '../support/admin-api.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { callTool, listTools, request } from '../support/mcp.ts'
import { startTokenGuarded, type TokenGuarded } from '../support/token-guarded.ts'

const ROOT = { user: 'admin', password: 'twelve brave ducks by a pond' }

let notes: TokenGuarded
let gateway: TestGateway
/** Token of a service. */
let secret: string
beforeAll(async () => {
  notes = await startTokenGuarded({ 'ann-secret-1': 'ann at notes', 'of-everybody': 'the service' })
  gateway = await startGateway({
    auth: { anonymous: true },
    servers: [
      { id: 'notes', title: 'Team notes', url: notes.url, credentials: { type: 'secret' } },
      {
        id: 'shared',
        url: notes.url,
        credentials: { type: 'headers', headers: { Authorization: 'Bearer of-everybody' } },
      },
      { id: 'sandbox', url: notes.url, credentials: { type: 'caller' } },
      { id: 'desk', tools: [{ from: 'notes/whoami', name: 'me' }] },
    ],
    policy: { rules: [{ allow: ['*/*', 'prompt:*/*'], to: ['*', 'anonymous'] }] },
    admin: ROOT,
  })
  const api = adminApi(gateway, basic(ROOT.user, ROOT.password))
  secret = (await api.token({ name: 'ci', kind: 'service', owner: 'ci' })).secret
})
afterAll(async () => {
  await gateway?.close()
  await notes?.close()
})

const wholeOf = (body: unknown) => JSON.stringify(body)
const NO_SERVICE =
  /Team notes is used with accounts that people connect in a browser.*headers, query, client-credentials/

const neededIn = (all: readonly (ActEvent | CallEvent)[]): string[] =>
  all.flatMap((one) =>
    'reason' in one && one.reason === 'connection_needed' ? [`${one.subject} ${one.decision}`] : [],
  )

describe('a service at a server with people’s own accounts', () => {
  it('is told that it cannot have one, and what works in its place; no link, nothing to come back with', async () => {
    for (const [server, tool] of [
      ['notes', 'whoami'],
      ['notes', 'connect_account'],
      ['desk', 'me'],
    ] as const) {
      const { status, body } = await callTool(gateway.resource(server), secret, tool)
      expect([status, body['result']]).toMatchObject([200, { isError: true, resultType: 'complete' }])
      expect(wholeOf(body)).toMatch(NO_SERVICE)
      expect(wholeOf(body)).not.toMatch(/http|requestState|elicitation/)
    }
    const prompt = await request(gateway.resource('notes'), secret, 'prompts/get', { name: 'p' }, { 'mcp-name': 'p' })
    expect(wholeOf(prompt.body['error'])).toMatch(NO_SERVICE)
    const needed = (await gateway.audit((all) => neededIn(all).length >= 4)).filter(({ kind }) => kind === 'call')
    expect(neededIn(needed)).toEqual(Array(4).fill('service:ci deny'))
  })

  it('that could open links is asked to open none', async () => {
    const client = new Client(
      { name: 'host', version: '1' },
      { versionNegotiation: { mode: 'legacy' }, capabilities: { elicitation: { url: {} } } },
    )
    const requestInit = { headers: { authorization: `Bearer ${secret}` } }
    await client.connect(new StreamableHTTPClientTransport(new URL(gateway.resource('notes')), { requestInit }))
    expect(client.getInstructions()).toMatch(NO_SERVICE)
    const { tools } = await client.listTools()
    expect(tools.map(({ name }) => name)).toEqual(['connect_account'])
    expect(wholeOf(tools)).toMatch(NO_SERVICE)
    expect(wholeOf(tools)).not.toContain('http')
    const { isError, content } = await client.callTool({ name: 'whoami', arguments: {} })
    expect([isError, wholeOf(content)]).toEqual([true, expect.stringMatching(NO_SERVICE)])
    await client.close()
  })

  it('calls where the credential is everybody’s; and a person is brought the link', async () => {
    const { body } = await callTool(gateway.resource('shared'), secret, 'whoami')
    expect(body['result']).toMatchObject({ content: [{ text: 'the service' }] })
    const ann = await gateway.person('ann')
    const asked = await callTool(gateway.resource('notes'), await gateway.tokenFor('notes', { user: ann }), 'whoami')
    expect(wholeOf(asked.body)).toMatch(/Team notes first.*\/tokens\?elicitation_id=/)
  })
})

describe('whoever shows no credential', () => {
  it('is asked for one at a server that is used as a person, and their client can sign in', async () => {
    for (const knock of [
      () => callTool(gateway.resource('notes'), undefined, 'whoami'),
      () => listTools(gateway.resource('notes'), undefined),
      () => request(gateway.resource('notes'), undefined, 'server/discover', {}),
    ]) {
      const { status, headers } = await knock()
      const challenge = headers.get('www-authenticate') ?? ''
      expect([status, challenge.includes('error=')]).toEqual([401, false])
      const document = /resource_metadata="([^"]+)"/.exec(challenge)?.[1] ?? ''
      expect(await (await fetch(document)).json()).toMatchObject({ resource: gateway.resource('notes') })
    }
  })

  it('is served as nobody everywhere else', async () => {
    const { body } = await callTool(gateway.resource('shared'), undefined, 'whoami')
    expect(body['result']).toMatchObject({ content: [{ text: 'the service' }] })
    // What a caller sends along is no account of theirs.
    expect((await listTools(gateway.resource('sandbox'), undefined)).status).not.toBe(401)
    const listed = (await (await fetch(`${gateway.url}/servers`)).json()) as { servers: { id: string }[] }
    expect(listed.servers.map(({ id }) => id)).toEqual(['shared', 'sandbox', 'desk'])
  })

  it('is shown nothing of it at an address of several servers', async () => {
    const { body } = await listTools(`${gateway.url}/mcp`, undefined)
    expect(wholeOf(body)).toContain('shared__whoami')
    expect(wholeOf(body)).not.toContain('notes__')
    expect(wholeOf((await callTool(gateway.resource('desk'), undefined, 'me')).body)).toContain('Unknown tool')
  })
})
