// Acceptance case 25, a secret that each person pastes: one person's never serves another, without one the call says how to bring it,
// refused by the server it is gone, and the database holds no readable copy.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { adminApiOf } from '../support/admin-api.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import type { Person } from '../support/person.ts'
import { startTokenGuarded, type TokenGuarded } from '../support/token-guarded.ts'

const SECRET = 'canary-5b1e-pasted-by-ann'

let notes: TokenGuarded
let gateway: TestGateway
let ann: Person

beforeEach(async () => {
  notes = await startTokenGuarded({ [SECRET]: 'ann at notes', 'another-secret': 'ann again', 'bob-secret': 'bob' })
  gateway = await startGateway({
    store: 'file',
    doors: { admin: true },
    servers: [
      { id: 'notes', url: notes.url, credentials: { type: 'secret' } },
      { id: 'keys', url: notes.url, credentials: { type: 'secret', header: 'X-Api-Key', prefix: '' } },
    ],
  })
  ann = await gateway.person('ann')
})
afterEach(async () => {
  await gateway.close()
  await notes.close()
})

const paste = async (person: Person, secret: string, server = 'notes') =>
  person.submit(await person.follow(`${gateway.url}/connections/connect?server=${server}`), /^connect$/i, { secret })

interface Answer {
  readonly session: string | null
  readonly body: { result?: Record<string, unknown>; error?: { code: number; data: { elicitations: object[] } } }
}

/** A request of the handshake era, as clients that open links make it. */
async function send(token: string, method: string, params: object, session?: string | null): Promise<Answer> {
  const response = await fetch(gateway.resource('notes'), {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      authorization: `Bearer ${token}`,
      ...(session && { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  })
  expect(response.status).toBe(200)
  const text = (await response.text()).replace(/^[^{]*/, '')
  return { session: response.headers.get('mcp-session-id'), body: JSON.parse(text) as Answer['body'] }
}

async function begin(token: string, capabilities: object = { elicitation: { url: {} } }) {
  const clientInfo = { name: 'test', version: '1' }
  const hello = await send(token, 'initialize', { protocolVersion: '2025-11-25', capabilities, clientInfo })
  const call = async (name = 'whoami') => (await send(token, 'tools/call', { name, arguments: {} }, hello.session)).body
  return { hello: hello.body, call }
}

const answered = (body: Answer['body']) =>
  (body.result as { content: { text: string }[] } | undefined)?.content[0]?.text

describe('a secret of each person', () => {
  it('that is not there is asked for with -32042, and serves nobody else once it is', async () => {
    const bob = await gateway.person('bob')
    const [his, hers] = [
      await begin(await gateway.tokenFor('notes', { user: bob })),
      await begin(await gateway.tokenFor('notes', { user: ann })),
    ]
    expect(hers.hello.result).toMatchObject({ capabilities: { tools: { listChanged: true } } })
    expect((await hers.call()).error?.code).toBe(-32042)
    await paste(ann, SECRET)
    expect(answered(await hers.call())).toBe('ann at notes')
    expect((await his.call()).error?.code).toBe(-32042)
    await paste(bob, 'bob-secret')
    expect(answered(await his.call())).toBe('bob')
    expect(answered(await hers.call())).toBe('ann at notes')
  })

  it('is one error to a client that opens no links', async () => {
    const host = await begin(await gateway.tokenFor('notes', { user: ann }), { elicitation: {} })
    const { result, error } = await host.call()
    expect(error).toBeUndefined()
    expect(result).toMatchObject({ isError: true })
  })

  it('that the server refuses is gone, and asked for again', async () => {
    const host = await begin(await gateway.tokenFor('notes', { user: ann }))
    await paste(ann, SECRET)
    expect(answered(await host.call())).toBe('ann at notes')
    notes.tokens.delete(SECRET)
    expect((await host.call()).error?.code).toBe(-32042)
    const shown = notes.seen.filter(({ authorization }) => authorization?.includes(SECRET)).length
    expect((await host.call()).error?.code).toBe(-32042)
    // Evicted: the server is not shown it again.
    expect(notes.seen.filter(({ authorization }) => authorization?.includes(SECRET))).toHaveLength(shown)
    const page = await ann.follow(`${gateway.url}/connections`)
    expect(page.html).toContain('Needs to be connected again')
    await paste(ann, 'another-secret')
    expect(answered(await host.call())).toBe('ann again')
  })

  it('that never was one is not kept, and the way to connect stays', async () => {
    const host = await begin(await gateway.tokenFor('notes', { user: ann }))
    await paste(ann, 'mistyped')
    expect((await host.call()).error?.code).toBe(-32042)
    expect((await host.call('connect_account')).error?.code).toBe(-32042)
    await paste(ann, SECRET)
    expect(answered(await host.call())).toBe('ann at notes')
  })

  it('that is a JWT is asked for again when it has ended', async () => {
    const claims = Buffer.from(JSON.stringify({ exp: Math.floor(gateway.clock.now() / 1000) + 60 }))
    const token = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${claims.toString('base64url')}.c2ln`
    notes.tokens.set(token, 'ann for a minute')
    const host = await begin(await gateway.tokenFor('notes', { user: ann }))
    await paste(ann, token)
    expect(answered(await host.call())).toBe('ann for a minute')
    gateway.clock.advance('61s')
    const shown = notes.seen.length
    expect((await host.call()).error?.code).toBe(-32042)
    expect(notes.seen.slice(shown).filter(({ authorization }) => authorization?.includes(token))).toEqual([])
  })

  it('that is pasted with its prefix has it once', async () => {
    const host = await begin(await gateway.tokenFor('notes', { user: ann }))
    await paste(ann, `Bearer ${SECRET}`)
    expect(answered(await host.call())).toBe('ann at notes')
    expect(notes.seen.at(-1)?.authorization).toBe(`Bearer ${SECRET}`)
  })

  it('lies encrypted on the disk', async () => {
    await paste(ann, SECRET)
    const { directory } = gateway.config.store
    const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    const bytes = Buffer.concat(files.map(({ parentPath, name }) => readFileSync(join(parentPath, name))))
    expect(bytes.includes('ann@example.com')).toBe(true)
    for (const form of [
      SECRET,
      Buffer.from(SECRET).toString('base64').slice(0, 24),
      Buffer.from(SECRET).toString('hex'),
    ])
      expect(bytes.includes(form)).toBe(false)
  })

  it('outlives a restart', async () => {
    await paste(ann, SECRET)
    await gateway.restart()
    const host = await begin(await gateway.tokenFor('notes', { user: ann }))
    expect(answered(await host.call())).toBe('ann at notes')
  })
})

describe('the API of one’s own connections', () => {
  it('lists and ends them, makes none, and is about nobody else', async () => {
    const bob = await gateway.person('bob')
    await paste(ann, SECRET)
    const [hers, his] = [await adminApiOf(gateway, ann), await adminApiOf(gateway, bob)]
    const { status, body } = await hers.send('GET', '/connections')
    expect(status).toBe(200)
    expect(body.connections).toMatchObject([
      { server: 'notes', kind: 'secret', state: 'connected', scopes: [], issuer: null, used_at: null },
      { server: 'keys', state: 'not_connected', connected_at: null },
    ])
    expect(JSON.stringify(body)).not.toContain(SECRET)
    expect((await his.send('GET', '/connections')).body.connections[0]).toMatchObject({ state: 'not_connected' })
    expect((await his.send('DELETE', '/connections/notes')).status).toBe(404)
    for (const method of ['POST', 'PUT', 'PATCH'])
      expect([404, 405]).toContain((await hers.send(method, '/connections/keys', { secret: SECRET })).status)
    expect((await hers.send('POST', '/connections', { server: 'keys', secret: SECRET })).status).toBe(405)
    expect((await hers.send('DELETE', '/connections/notes')).status).toBe(204)
    expect((await hers.send('DELETE', '/connections/notes')).status).toBe(404)
    const host = await begin(await gateway.tokenFor('notes', { user: ann }))
    expect((await host.call()).error?.code).toBe(-32042)
    expect((await fetch(`${gateway.url}/api/v1/connections`)).status).toBe(401)
  })
})
