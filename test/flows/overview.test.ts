// GET /whoami, /servers and /tools: what a person with curl sees of the gate, and what stays hidden from them.

import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { adminApiOf } from '../support/admin-api.ts'
import { type Canary, startCanary } from '../support/canary.ts'
import { type CurlOptions, curl } from '../support/curl.ts'
import { BOB, startGateway, type TestGateway } from '../support/gateway.ts'
import { parseSeries, sumOf } from '../support/scrape.ts'
import { memoryServer } from '../support/upstream.ts'

let folder: string
let canary: Canary
let gateway: TestGateway
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portcullis-overview-'))
  canary = await startCanary()
  gateway = await startGateway({
    servers: [
      { id: 'notes', url: canary.url, title: 'Notes' },
      memoryServer('memory', join(folder, 'memory.json')),
      { id: 'dead', url: 'http://127.0.0.1:1/mcp', connectTimeout: '500ms' },
      { id: 'secret', url: canary.url },
      { id: 'open', url: canary.url, auth: { anonymous: true } },
    ],
    auth: { proxy: { groupsHeader: 'X-Groups' } },
    server: { trustedProxies: ['127.0.0.1'] },
    policy: {
      rules: [
        { allow: ['notes/*', 'memory/read_graph', 'dead/*'], to: ['*'] },
        { deny: ['notes/delete_note'], to: ['*'] },
        { allow: ['secret/*'], to: ['group:secret'] },
        { allow: ['open/read_note'], to: ['anonymous'] },
      ],
    },
  })
})
afterAll(async () => {
  await gateway?.close()
  await canary?.close()
  rmSync(folder, { recursive: true, force: true })
})

const get = (target: string, options?: CurlOptions) => curl(gateway.port, target, options)
const JOHN = ['X-Authenticated-User: john']
const shown = ({ body }: { body: Record<string, unknown> }) =>
  [body['tools'] ?? []].flat().map((tool) => {
    const { server, name } = tool as { server: string; name: string }
    return `${server}/${name}`
  })

describe('/tools', () => {
  it('shows what policy lets the caller call, at servers of both kinds, and says which do not answer', async () => {
    const answer = await get('/tools', { headers: JOHN })
    expect(answer.status).toBe(200)
    expect(answer.header('cache-control')).toBe('no-store')
    expect(shown(answer)).toEqual(['notes/read_note', 'notes/write_note', 'memory/read_graph'])
    expect(answer.body['unavailable']).toEqual([{ server: 'dead', reason: 'connect' }])
    expect(answer.body['tools']).toContainEqual({
      server: 'notes',
      name: 'read_note',
      description: 'read_note of the canary',
    })
  })

  it('shows more to those who may more', async () => {
    const headers = [...JOHN, 'X-Groups: secret']
    expect(shown(await get('/tools', { headers }))).toContain('secret/delete_note')
    expect(shown(await get('/tools', { headers: JOHN })).join()).not.toContain('secret/')
  })

  it('does not touch a server that the caller cannot see', async () => {
    const fresh = await startGateway({
      servers: [
        { id: 'notes', url: `${canary.url}?notes` },
        { id: 'secret', url: `${canary.url}?secret` },
      ],
      auth: { proxy: { groupsHeader: 'X-Groups' } },
      server: { trustedProxies: ['127.0.0.1'] },
      policy: {
        rules: [
          { allow: ['notes/*'], to: ['*'] },
          { allow: ['secret/*'], to: ['group:secret'] },
        ],
      },
    })
    const touched = (server: string) => canary.requests.filter(({ url }) => url.endsWith(`?${server}`)).length
    await curl(fresh.port, '/tools', { headers: JOHN })
    expect([touched('notes') > 0, touched('secret')]).toEqual([true, 0])
    await curl(fresh.port, '/tools', { headers: [...JOHN, 'X-Groups: secret'] })
    expect(touched('secret')).toBeGreaterThan(0)
    await fresh.close()
  })

  it('shows a token the server it is for, and no other', async () => {
    const token = await gateway.tokenFor('notes')
    const answer = await get('/tools', { headers: [`Authorization: Bearer ${token}`] })
    expect(shown(answer)).toEqual(['notes/read_note', 'notes/write_note'])
    expect(answer.body['unavailable']).toEqual([])
  })

  it('shows a token for all servers what it opens at each', async () => {
    const token = await gateway.tokenFor('*')
    const answer = await get('/tools', { headers: [`Authorization: Bearer ${token}`] })
    expect(shown(answer)).toEqual(['notes/read_note', 'notes/write_note', 'memory/read_graph'])
  })

  it('lists what a token’s scopes do not open as unavailable', async () => {
    const scoped = await startGateway({
      servers: [{ id: 'notes', url: canary.url }],
      scopes: { 'mcp:tools': { title: 'Call tools', covers: ['*/*'] }, more: { title: 'More', covers: ['*/*'] } },
      oauth: { requiredScopes: ['more'] },
    })
    try {
      const headers = [`Authorization: Bearer ${await scoped.tokenFor('notes')}`]
      expect((await curl(scoped.port, '/tools', { headers })).body).toEqual({
        tools: [],
        unavailable: [{ server: 'notes', reason: 'scope_missing' }],
      })
    } finally {
      await scoped.close()
    }
  })
})

describe('/servers', () => {
  it('shows where the caller may go', async () => {
    const { body } = await get('/servers', { headers: JOHN })
    expect(body).toEqual({
      servers: [
        { id: 'notes', title: 'Notes', url: gateway.resource('notes') },
        { id: 'memory', title: 'memory', url: gateway.resource('memory') },
        { id: 'dead', title: 'dead', url: gateway.resource('dead') },
      ],
    })
  })

  it('shows anonymous callers what is open to them', async () => {
    const { body } = await get('/servers', { from: '127.0.0.2' })
    expect(body).toEqual({ servers: [{ id: 'open', title: 'open', url: gateway.resource('open') }] })
    expect(shown(await get('/tools', { from: '127.0.0.2' }))).toEqual(['open/read_note'])
  })
})

describe('an API token with a rate', () => {
  it('is used once by a question, however many servers it is about', async () => {
    const own = await startGateway({ servers: ['a', 'b', 'c'].map((id) => ({ id, url: canary.url })) })
    const api = await adminApiOf(own, await own.person())
    const { secret } = await api.token({ name: 'slow', rate: '2/min' })
    const ask = () => curl(own.port, '/servers', { headers: [`Authorization: Bearer ${secret}`] })
    for (const _ of ['first', 'second']) {
      const { status, body } = await ask()
      expect({ status, servers: [body['servers']].flat().length }).toEqual({ status: 200, servers: 3 })
    }
    expect((await ask()).status).toBe(429)
    await own.close()
  })
})

describe('/whoami', () => {
  it('says who the gate takes the caller for', async () => {
    expect((await get('/whoami', { headers: [...JOHN, 'X-Groups: a,b'] })).body).toEqual({
      kind: 'person',
      subject: 'proxy|john',
      groups: ['a', 'b'],
      roles: [],
      teams: [],
      method: 'proxy',
      issuer: 'proxy',
      identity: 'john',
      scopes: [],
    })
    const token = await gateway.tokenFor('notes', { user: BOB })
    const { body } = await get('/whoami', { headers: [`Authorization: Bearer ${token}`] })
    expect(body).toMatchObject({
      kind: 'person',
      groups: ['finance'],
      method: 'access_token',
      scopes: ['mcp:tools'],
    })
    expect(new Date(String(body['expires'])).getTime()).toBeGreaterThan(gateway.clock.now())
    expect(JSON.stringify(body)).not.toContain(token.slice(-20))
  })
})

describe('who may ask', () => {
  it.each(['/tools', '/servers', '/whoami'])(
    '%s: no stranger, nothing but GET and HEAD, no foreign page',
    async (path) => {
      const closed = await startGateway({
        servers: [
          { id: 'notes', url: canary.url },
          { id: 'more', url: canary.url },
        ],
      })
      try {
        const stranger = await curl(closed.port, path)
        expect(stranger).toMatchObject({
          status: 401,
          body: { error: 'Unauthorized', message: 'Authentication required.' },
        })
        expect(stranger.header('www-authenticate')).toMatch(/^Bearer resource_metadata="[^"]*\/mcp"/)
        expect(stranger.header('www-authenticate')).not.toContain('error=')
        const bad = await curl(closed.port, path, { headers: ['Authorization: Bearer nonsense'] })
        expect(bad.status).toBe(401)
        expect(bad.header('www-authenticate')).toContain('error="invalid_token"')
        expect((await curl(closed.port, `${path}?access_token=x`)).status).toBe(400)
      } finally {
        await closed.close()
      }
      expect((await get(path, { headers: JOHN, method: 'HEAD' })).status).toBe(200)
      for (const method of ['POST', 'DELETE']) expect((await get(path, { headers: JOHN, method })).status).toBe(405)
      expect((await get(path, { headers: [...JOHN, 'Origin: https://evil.example'] })).status).toBe(403)
      expect((await get(`${path}/`, { headers: JOHN })).status).toBe(404)
    },
  )

  it('an answer is one examination and one line of the record', async () => {
    const counted = async () => sumOf(parseSeries(await gateway.metrics()), 'mcp_auth_attempts_total') ?? 0
    const before = await counted()
    await get('/tools', { headers: JOHN })
    await get('/tools', { headers: ['Authorization: Bearer nonsense'] })
    expect((await counted()) - before).toBe(2)
    const isOf = (subject: string) => (event: { kind: string }) =>
      event.kind === 'call' && 'subject' in event && event.subject === subject
    const lines = await gateway.audit((all) => all.some(isOf('proxy|john')) && all.some(isOf('unknown')))
    expect(lines.find(isOf('proxy|john'))).toMatchObject({ server: '*', decision: 'allow', status: 200 })
    expect(lines.findLast(isOf('unknown'))).toMatchObject({
      server: '*',
      method: 'GET /tools',
      decision: 'deny',
      reason: 'malformed',
      status: 401,
    })
  })

  it('without any server one may still ask who one is', async () => {
    const empty = await startGateway({ auth: { proxy: {} }, server: { trustedProxies: ['127.0.0.1'] } })
    try {
      expect((await curl(empty.port, '/whoami', { headers: JOHN })).body).toMatchObject({ identity: 'john' })
      expect((await curl(empty.port, '/tools', { headers: JOHN })).body).toEqual({ tools: [], unavailable: [] })
      expect((await curl(empty.port, '/whoami')).status).toBe(401)
    } finally {
      await empty.close()
    }
  })
})

describe('a server that never answers', () => {
  it('is not waited for long, and the others are shown', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const address = silent.address()
    const port = typeof address === 'object' && address ? address.port : 0
    const slow = await startGateway({
      servers: [
        { id: 'notes', url: canary.url },
        { id: 'slow', url: `http://127.0.0.1:${port}/mcp`, requestTimeout: '300ms' },
      ],
      auth: { proxy: {} },
      server: { trustedProxies: ['127.0.0.1'] },
    })
    try {
      const answer = await curl(slow.port, '/tools', { headers: JOHN })
      expect(shown(answer)).toHaveLength(3)
      expect(answer.body['unavailable']).toEqual([{ server: 'slow', reason: 'timeout' }])
    } finally {
      await slow.close()
      silent.close()
    }
  })
})
