// mcpauth's own setup and its curl cases: its variables alone, its Traefik chain (CORS, redirect of `/.well-known/`, forwardAuth at /sse).
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openStore } from '../../src/store/open.ts'
import { type Command, startCommand } from '../support/cli.ts'
import { registerClient } from '../support/client.ts'
import { type ForwardRange, GATE, startForwardRange } from '../support/forward-range.ts'
import { ANN, BOB } from '../support/gateway.ts'
import { valuesOf } from '../support/ingress.ts'
import { addUser } from '../support/people.ts'
import { createPerson } from '../support/person.ts'
import { freePort } from '../support/upstream.ts'

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
const STATIC = 'kH7-vPq2_wZs9LrT4yXb6NcD8mFg3JtR'

describe('the program, on mcpauth’s variables and flags alone', () => {
  let folder: string
  let command: Command
  let url: string
  let token: string
  let outsider: string
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'portcullis-mcpauth-'))
    const store = await openStore({ url: `sqlite:${join(folder, 'portcullis.db')}`, directory: folder })
    await addUser(store, ANN)
    await addUser(store, { ...BOB, email: 'bob@elsewhere.example' })
    await store.close()
    const port = await freePort()
    url = `http://localhost:${port}`
    const start = (allowed: string) =>
      startCommand(
        ['serve', `-port=${port}`, '-oauthDomain', `localhost:${port}`, '-useInternalAuth', `-dataDir=${folder}`],
        {
          cwd: folder,
          env: { DEV_MODE: 'true', ALLOWED_EMAILS: allowed, AUTHORIZATION_BEARER_TOKEN: STATIC, LOG_LEVEL: '1' },
        },
      )
    // Bob gets his token while he is on the list.
    command = start('*@example.com, bob@elsewhere.example')
    await command.says(/is ready/)
    token = await tokenOf(url, ANN)
    outsider = await tokenOf(url, BOB)
    await command.stop()
    command = start('*@example.com')
    await command.says(/is ready/)
  })
  afterAll(async () => {
    await command?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const curl = (headers: Record<string, string> = {}) =>
    fetch(`${url}/sse`, { headers: { accept: '*/*', ...headers }, redirect: 'manual' })

  it('1 the health check: 200', async () => {
    expect((await fetch(`${url}/health`)).status).toBe(200)
  })

  it('2 the protected path without a token: 401 with the way to one', async () => {
    const answer = await curl()
    expect(answer.status).toBe(401)
    const address = /resource_metadata="([^"]+)"/.exec(answer.headers.get('www-authenticate') ?? '')?.[1] ?? ''
    expect(await (await fetch(address)).json()).toMatchObject({ resource: `${url}/sse`, authorization_servers: [url] })
    const page = await fetch(`${url}/sse`, {
      headers: { accept: 'text/html', 'sec-fetch-mode': 'navigate' },
      redirect: 'manual',
    })
    // Node's own fetch says `cors`; a browser that asks for a page gets the redirect (test/flows/forward-auth-browser.test.ts).
    expect([302, 401]).toContain(page.status)
  })

  it('3 with a valid token: 200, and who it is', async () => {
    const answer = await curl(bearer(token))
    expect(answer.status).toBe(200)
    expect(answer.headers.get('x-forwarded-user')).toBe('ann@example.com')
  })

  it.each(['INVALID_TOKEN', 'a.b.c', ''])('4 with an invalid token (%j): 401', async (bad) => {
    expect((await curl(bearer(bad))).status).toBe(401)
  })

  it('5 with the token of a user who is not on the list: 403', async () => {
    expect((await curl(bearer(outsider))).status).toBe(403)
  })

  it('6 with the static token: 200 as static-authorized-user; with another of its length: 401', async () => {
    const answer = await curl(bearer(STATIC))
    expect(answer.status).toBe(200)
    expect(answer.headers.get('x-forwarded-user')).toBe('static-authorized-user')
    expect((await curl(bearer(STATIC.replace('k', 'q')))).status).toBe(401)
  })

  it('says at the start what it protects, and for whom it answers', () => {
    expect(command.said).toMatch(
      /Warning: Forward-auth protects \*\.localhost, localhost:\d+, and server\.trustedProxies is empty/,
    )
    expect(command.said).toContain('One implicit rule holds: allow */* to *')
    expect(command.said).not.toContain(STATIC)
  })
})

async function tokenOf(url: string, user: typeof ANN): Promise<string> {
  const client = await registerClient({ url })
  return (await client.signIn(createPerson(user), { resource: `${url}/sse`, scope: 'openid email profile' }))
    .accessToken
}

describe('mcpauth’s Traefik chain', () => {
  let range: ForwardRange
  beforeAll(async () => {
    range = await startForwardRange({
      path: '/sse',
      forwardAuth: { path: '/sse', resources: [{ host: '*.example.com' }] },
      copied: ['X-Forwarded-User'],
    })
  })
  afterAll(() => range.close())

  it('asks at the protected path, which is nobody else’s without the fields of an ingress', async () => {
    expect((await range.call('/sse')).status).toBe(401)
    const token = await range.tokenFor('https://app.example.com/sse')
    expect((await range.call('/sse', { headers: bearer(token) })).status).toBe(200)
    const [passed] = range.ingress.passed.slice(-1)
    expect(passed && valuesOf(passed, 'X-Forwarded-User')).toEqual(['ann@example.com'])
    // The same path without them is about the gate itself, whose token this is not.
    const direct = await range.ask([['Authorization', `Bearer ${token}`]], { path: '/sse' })
    expect(direct.status).toBe(401)
  })

  it('sends `/.well-known/` of every host to ours, where the authorization server is described', async () => {
    const rule = /^https:\/\/([a-z0-9-]+)\.(.+)\/\.well-known\/(.+)/
    // A probe of an older client, as the middleware rewrites it.
    const redirected = 'https://app.example.com/.well-known/oauth-authorization-server'.replace(
      rule,
      'https://oauth.$2/.well-known/$3',
    )
    expect(redirected).toBe('https://oauth.example.com/.well-known/oauth-authorization-server')
    const { pathname } = new URL(redirected)
    const metadata = await (await fetch(`${GATE}${pathname}`)).json()
    expect(metadata).toMatchObject({ issuer: GATE, authorization_endpoint: `${GATE}/oauth/authorize` })
  })

  it('tells a client that begins with a 401 all it needs, whatever host it came from', async () => {
    for (const ingress of [range.ingress, range.other]) {
      const answer = await fetch(`http://127.0.0.1:${ingress.port}/mcp`)
      const challenge = answer.headers.get('www-authenticate') ?? ''
      const address = /resource_metadata="([^"]+)"/.exec(challenge)?.[1] ?? ''
      const document = (await (await fetch(address)).json()) as { resource: string; scopes_supported: string[] }
      const host = ingress === range.ingress ? 'app.example.com' : 'other.example.com'
      expect(document.resource).toBe(`https://${host}/mcp`)
      const token = await range.tokenFor(document.resource, { scope: document.scopes_supported.join(' ') })
      const served = await fetch(`http://127.0.0.1:${ingress.port}/mcp`, { headers: bearer(token) })
      expect(served.status).toBe(200)
    }
  })

  it('keeps the hosts apart: a token for one is none for the other', async () => {
    const token = await range.tokenFor('https://app.example.com/mcp')
    const elsewhere = await fetch(`http://127.0.0.1:${range.other.port}/mcp`, { headers: bearer(token) })
    expect(elsewhere.status).toBe(401)
    expect((await range.call('/mcp', { headers: bearer(token) })).status).toBe(200)
  })

  it('a token in the address is refused, as everywhere', async () => {
    const token = await range.tokenFor()
    expect((await range.call(`/sse?access_token=${token}`)).status).toBe(400)
    expect((await range.call('/sse?token=of-the-page', { headers: bearer(token) })).status).toBe(200)
    expect(range.gateway.log.join('\n')).not.toContain(token)
  })
})

describe('calls of single tools', () => {
  const POLICY = {
    rules: [
      { id: 'read', allow: ['app.example.com/read_*'], to: ['*'] },
      { id: 'whole', allow: ['other.example.com/*'], to: ['*'] },
    ],
  }
  const call = (name: string) =>
    JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: {} } })
  const modern = (name: string) => ({
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': 'tools/call',
    'mcp-name': name,
  })

  it('are decided by the message where Traefik sends it along', async () => {
    const range = await startForwardRange({ policy: POLICY, forwardBody: true })
    const headers = { ...bearer(await range.tokenFor()), 'content-type': 'application/json' }
    const post = (body: string, more = {}) =>
      range.call('/mcp', { method: 'POST', headers: { ...headers, ...more }, body })
    expect((await post(call('read_note'))).status).toBe(200)
    expect(range.ingress.passed.at(-1)?.body).toBe(call('read_note'))
    expect((await post(call('delete_note'))).status).toBe(403)
    expect((await post(call('delete_note'), modern('read_note'))).status).toBe(400)
    expect((await post('not json')).status).toBe(400)
    expect((await range.call('/mcp', { headers })).status).toBe(200)
    expect((await range.call('/mcp', { headers, method: 'DELETE' })).status).toBe(200)
    expect(range.ingress.passed).toHaveLength(3)
    const isDenied = ({ kind, decision }: { kind: string; decision: string }) => kind === 'call' && decision === 'deny'
    const events = await range.gateway.audit((all) => all.filter(isDenied).length >= 3)
    const first = events.find(isDenied)
    expect(first).toMatchObject({
      server: 'app.example.com',
      method: 'tools/call',
      name: 'delete_note',
      reason: 'no_rule_allows',
    })
    await range.close()
  })

  it('are decided by the fields of a 2026-07-28 request where the message stays behind, and refused where there are none', async () => {
    const range = await startForwardRange({ policy: POLICY })
    const headers = bearer(await range.tokenFor())
    const post = (more: Record<string, string>) =>
      range.call('/mcp', { method: 'POST', headers: { ...headers, ...more }, body: call('x') })
    expect((await post(modern('read_note'))).status).toBe(200)
    expect((await post(modern('delete_note'))).status).toBe(403)
    const unknown = await post({})
    expect(unknown.status).toBe(403)
    expect(unknown.text).toContain('cannot be told which tool')
    expect((await post({ ...modern('read_note'), 'mcp-protocol-version': '2025-11-25' })).status).toBe(403)
    await range.close()
  })

  it('are not looked at where the caller may use the whole server', async () => {
    const range = await startForwardRange({ policy: POLICY })
    const headers = bearer(await range.tokenFor('https://other.example.com'))
    const answer = await fetch(`http://127.0.0.1:${range.other.port}/mcp`, {
      method: 'POST',
      headers,
      body: 'anything',
    })
    expect(answer.status).toBe(200)
    await range.close()
  })

  it('at a server of ours under its public address go by that server’s rules, and either address is an audience', async () => {
    const range = await startForwardRange({
      servers: [{ id: 'notes', url: 'http://127.0.0.1:1/mcp', publicUrl: 'https://app.example.com/mcp' }],
      policy: { rules: [{ allow: ['notes/read_*'], to: ['*'] }] },
      forwardAuth: {},
      forwardBody: true,
    })
    for (const resource of ['https://app.example.com/mcp', `${GATE}/servers/notes/mcp`]) {
      const headers = { ...bearer(await range.tokenFor(resource)), 'content-type': 'application/json' }
      expect((await range.call('/mcp', { method: 'POST', headers, body: call('read_note') })).status).toBe(200)
      expect((await range.call('/mcp', { method: 'POST', headers, body: call('write_note') })).status).toBe(403)
      expect((await range.call('/elsewhere', { headers })).status).toBe(403)
    }
    await range.close()
  })
})
