// `policy.denials: explicit`: a refusal by policy says so, with the status and the words of Kuadrant's guides; and servers that are spoken
// to in newer revisions only.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Canary, startCanary } from '../support/canary.ts'
import { registerClient } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { callTool, listTools, request } from '../support/mcp.ts'

const RULES = [
  { id: 'read', allow: ['notes/read_note', 'plain/*', 'newest/*'], to: ['*'] },
  { id: 'small', allow: ['notes/write_note'], to: ['*'], when: 'args.amount <= 1000' },
]
const OF_TOOLS = { error: 'Forbidden', message: 'MCP Tool Access denied. Insufficient permissions for this tool.' }
const OF_OTHERS = { error: 'Forbidden', message: 'MCP Access denied: Insufficient permissions.' }

let canary: Canary
let gateway: TestGateway
let token: string
beforeAll(async () => {
  canary = await startCanary({ prompts: ['greet'] })
  gateway = await startGateway({
    servers: [
      { id: 'notes', url: canary.url },
      { id: 'closed', url: canary.url },
      { id: 'plain', url: canary.url, minimumRevision: '2025-06-18' },
      { id: 'newest', url: canary.url, minimumRevision: '2026-07-28' },
    ],
    policy: { denials: 'explicit', rules: RULES },
    forwardAuth: { resources: [{ host: 'notes.example.com', server: 'notes' }] },
    server: { trustedProxies: ['127.0.0.1'] },
  })
  token = await gateway.tokenFor('notes')
})
afterAll(async () => {
  await gateway?.close()
  await canary?.close()
})
const url = () => gateway.resource('notes')

describe('an explicit denial', () => {
  it('of a tool, of its arguments, of a prompt, of a resource and of a method is 403, and nothing reaches the server', async () => {
    const before = canary.requests.length
    expect(await callTool(url(), token, 'delete_note')).toMatchObject({ status: 403, body: OF_TOOLS })
    expect(await callTool(url(), token, 'write_note', { amount: 5000 })).toMatchObject({ status: 403, body: OF_TOOLS })
    expect(await callTool(url(), token, 'nobody_knows')).toMatchObject({ status: 403, body: OF_TOOLS })
    const greet = await request(url(), token, 'prompts/get', { name: 'greet' }, { 'mcp-name': 'greet' })
    expect(greet).toMatchObject({ status: 403, body: OF_OTHERS })
    const read = await request(url(), token, 'resources/read', { uri: 'file:///a' }, { 'mcp-name': 'file:///a' })
    expect(read).toMatchObject({ status: 403, body: OF_OTHERS })
    expect(await request(url(), token, 'vendor/wipe', {})).toMatchObject({ status: 403, body: OF_OTHERS })
    expect(canary.requests.length).toBe(before)
    for (const answer of [greet, read]) expect(answer.headers.get('www-authenticate')).toBeNull()
  })

  it('leaves what is allowed, and lists, as they are', async () => {
    expect((await callTool(url(), token, 'write_note', { amount: 5 })).status).toBe(200)
    const { body } = await listTools(url(), token)
    const { tools } = body['result'] as { tools: { name: string }[] }
    expect(tools.map(({ name }) => name)).toEqual(['read_note', 'write_note'])
  })

  it('of a whole server is 403, too; a server that is not there is none', async () => {
    const elsewhere = await gateway.tokenFor('closed')
    expect(await listTools(gateway.resource('closed'), elsewhere)).toMatchObject({ status: 403, body: OF_OTHERS })
    expect((await listTools(gateway.resource('nowhere'), token)).status).toBe(404)
  })

  it('leaves a first contact the words of the seed', async () => {
    const { status, headers, body } = await callTool(url(), undefined, 'read_note')
    expect({ status, body }).toEqual({
      status: 401,
      body: { error: 'Unauthorized', message: 'Authentication required.' },
    })
    expect(headers.get('www-authenticate')).toMatch(/^Bearer resource_metadata="/)
  })

  it('is in the record under its own reason', async () => {
    const { headers } = await callTool(url(), token, 'write_note', { amount: 'much', note: 'private' })
    const id = headers.get('x-request-id')
    const events = await gateway.audit((all) => all.some((event) => event.id === id))
    const event = events.find((one) => one.id === id)
    expect(event).toMatchObject({
      decision: 'deny',
      reason: 'condition_failed',
      rule: 'small',
      args: { amount: 'much' },
    })
    expect(JSON.stringify(event)).not.toContain('private')
    const told = gateway.log.map((line) => JSON.parse(line)).filter(({ rule }) => rule === 'small')
    expect(told).toHaveLength(1)
    expect(told[0]).toMatchObject({ level: 'warn', server: 'notes', name: 'write_note' })
  })

  it('is told through an ingress, too', async () => {
    const asked = (amount: number) =>
      fetch(`${gateway.url}/auth`, {
        method: 'POST',
        headers: {
          'x-forwarded-method': 'POST',
          'x-forwarded-proto': 'https',
          'x-forwarded-host': 'notes.example.com',
          'x-forwarded-uri': '/mcp',
          'content-type': 'application/json',
          authorization: `Bearer ${hostToken}`,
        },
        body: JSON.stringify({
          jsonrpc: '2.0',
          id: 1,
          method: 'tools/call',
          params: { name: 'write_note', arguments: { amount } },
        }),
      })
    const client = await registerClient(gateway)
    const resource = 'https://notes.example.com'
    const { accessToken: hostToken } = await client.signIn(await gateway.person(), { resource, scope: 'mcp:tools' })
    const refused = await asked(5000)
    expect({ status: refused.status, body: await refused.json() }).toEqual({ status: 403, body: OF_TOOLS })
    expect((await asked(5)).status).toBe(200)
  })
})

describe('a server with a minimum revision', () => {
  const post = async (server: string, version: string | undefined, message: object) => {
    const response = await fetch(gateway.resource(server), {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        authorization: `Bearer ${await tokenOf(server)}`,
        ...(version !== undefined && { 'mcp-protocol-version': version }),
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, ...message }),
    })
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }
  const held = new Map<string, string>()
  const tokenOf = async (server: string) => {
    const known = held.get(server) ?? (await gateway.tokenFor(server))
    held.set(server, known)
    return known
  }
  const opening = (protocolVersion: string) => ({
    method: 'initialize',
    params: { protocolVersion, capabilities: {}, clientInfo: { name: 'old', version: '1' } },
  })
  const CALL = { method: 'tools/call', params: { name: 'read_note', arguments: {} } }

  it('shakes hands at or above it, and says below it what it speaks', async () => {
    expect((await post('plain', undefined, opening('2025-06-18'))).status).toBe(200)
    expect(await post('plain', undefined, opening('2025-03-26'))).toMatchObject({
      status: 400,
      body: {
        error: {
          code: -32602,
          message: 'Unsupported protocol version',
          data: { supported: ['2026-07-28', '2025-11-25', '2025-06-18'], requested: '2025-03-26' },
        },
      },
    })
  })

  it('is called at or above it; no version means the oldest', async () => {
    expect((await post('plain', '2025-11-25', CALL)).status).toBe(200)
    for (const version of ['2025-03-26', undefined])
      expect(await post('plain', version, CALL)).toMatchObject({ status: 400, body: { error: { code: -32000 } } })
  })

  it('may be the newest alone', async () => {
    const newest = gateway.resource('newest')
    const refused = await post('newest', undefined, opening('2025-11-25'))
    expect(refused).toMatchObject({ status: 400, body: { error: { data: { supported: ['2026-07-28'] } } } })
    expect((await callTool(newest, await tokenOf('newest'), 'read_note')).status).toBe(200)
  })
})
