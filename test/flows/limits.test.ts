// Limits through the real gateway: what a client that comes too often is told on each wire, what the record says, and what counts.
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Client, SSEClientTransport } from '@modelcontextprotocol/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { adminApiOf } from '../support/admin-api.ts'
import { bearer, decisionsAs } from '../support/authzen.ts'
import { type Canary, startCanary } from '../support/canary.ts'
import { startForwardRange } from '../support/forward-range.ts'
import { ANN, BOB, type GatewayOptions, startGateway, type TestGateway, testClock } from '../support/gateway.ts'
import { callTool, listTools, request } from '../support/mcp.ts'
import { addUser } from '../support/people.ts'
import { createPerson } from '../support/person.ts'
import { createSdkHost } from '../support/sdk.ts'
import { freePort } from '../support/upstream.ts'
import { socketTransport } from '../support/websocket.ts'

const RULES = { rules: [{ id: 'all', allow: ['*/*', 'method:*/*'], to: ['*'] }] }
const BUSY = { code: 429, message: expect.stringMatching(/^Too many calls\. Try again in \d+ seconds?\.$/) }

let canary: Canary
beforeAll(async () => {
  canary = await startCanary()
})
afterAll(() => canary?.close())

/** Without what the gate itself asks a server about. */
const callsReceived = (): number => canary.requests.filter(({ body }) => body.includes('"tools/call"')).length

async function gatewayWith(limits: GatewayOptions['limits'], more: GatewayOptions = {}): Promise<TestGateway> {
  const servers = [
    { id: 'notes', url: canary.url },
    { id: 'files', url: canary.url },
  ]
  return startGateway({ servers, policy: RULES, limits, ...more })
}

/** Runs a test against a gateway that is closed afterwards. */
const against =
  (limits: GatewayOptions['limits'], test: (gateway: TestGateway) => Promise<void>, more?: GatewayOptions) =>
  async () => {
    const gateway = await gatewayWith(limits, more)
    try {
      await test(gateway)
    } finally {
      await gateway.close()
    }
  }

const statuses = async (count: number, call: () => Promise<{ status: number }>): Promise<number[]> => {
  const answered: number[] = []
  for (let at = 0; at < count; at++) answered.push((await call()).status)
  return answered
}

describe('a rate', () => {
  const TWO = [{ id: 'two', rate: '2/h' }]

  it(
    'is told with the time to come back, in HTTP’s way and in JSON-RPC’s; nothing reaches the server, and the record names the limit',
    against(TWO, async (gateway) => {
      const [url, token] = [gateway.resource('notes'), await gateway.tokenFor('notes')]
      expect(await statuses(2, () => callTool(url, token, 'read_note'))).toEqual([200, 200])
      const before = callsReceived()
      const refused = await callTool(url, token, 'read_note')
      expect([refused.status, refused.body]).toEqual([
        429,
        { jsonrpc: '2.0', id: 1, error: { ...BUSY, data: { retryAfter: expect.any(Number) } } },
      ])
      const { data } = refused.body['error'] as { data: { retryAfter: number } }
      expect(refused.headers.get('retry-after')).toBe(String(data.retryAfter))
      expect(data.retryAfter).toBeGreaterThan(1700)
      expect(data.retryAfter).toBeLessThanOrEqual(1800)
      expect(callsReceived()).toBe(before)
      const id = refused.headers.get('x-request-id')
      const events = await gateway.audit((all) => all.some((event) => event.id === id))
      expect(events.find((event) => event.id === id)).toMatchObject({
        decision: 'deny',
        reason: 'rate_limited',
        rule: 'two',
        name: 'read_note',
        status: 429,
        outcome: 'refused',
      })
      expect(await gateway.metrics()).toMatch(
        /portcullis_decisions_total\{decision="deny",reason="rate_limited",server="notes"\} 1/,
      )
      gateway.clock.advance('30m')
      const later = await gateway.tokenFor('notes')
      expect(await statuses(2, () => callTool(url, later, 'read_note'))).toEqual([200, 429])
    }),
  )

  it(
    'is each person’s own, over all servers, and lists and the handshake are no calls',
    against(TWO, async (gateway) => {
      const ann = await gateway.tokenFor('notes')
      const bob = await gateway.tokenFor('notes', { user: BOB })
      const files = await gateway.tokenFor('files')
      expect((await callTool(gateway.resource('notes'), ann, 'read_note')).status).toBe(200)
      expect((await callTool(gateway.resource('files'), files, 'read_note')).status).toBe(200)
      expect((await callTool(gateway.resource('notes'), ann, 'read_note')).status).toBe(429)
      expect(await statuses(2, () => callTool(gateway.resource('notes'), bob, 'read_note'))).toEqual([200, 200])
      expect(await statuses(5, () => listTools(gateway.resource('notes'), ann))).toEqual(Array(5).fill(200))
      expect(await statuses(5, () => request(gateway.resource('notes'), ann, 'ping', {}))).toEqual(Array(5).fill(200))
    }),
  )

  it(
    'of a method counts what the method says: lists here, and no calls',
    against([{ match: 'method:notes/tools/list', rate: '2/h' }], async (gateway) => {
      const [url, token] = [gateway.resource('notes'), await gateway.tokenFor('notes')]
      expect(await statuses(3, () => listTools(url, token))).toEqual([200, 200, 429])
      expect(await statuses(3, () => callTool(url, token, 'read_note'))).toEqual([200, 200, 200])
    }),
  )

  it(
    'takes nothing for what policy refuses',
    against(
      TWO,
      async (gateway) => {
        const [url, token] = [gateway.resource('notes'), await gateway.tokenFor('notes')]
        for (let at = 0; at < 5; at++)
          expect((await callTool(url, token, 'delete_note')).body).toMatchObject({ error: { code: -32602 } })
        expect(await statuses(3, () => callTool(url, token, 'read_note'))).toEqual([200, 200, 429])
      },
      { policy: { rules: [...RULES.rules, { deny: ['notes/delete_*'], to: ['*'] }] } },
    ),
  )

  it(
    'says so aloud where refusals of policy are explicit too',
    against(
      TWO,
      async (gateway) => {
        const [url, token] = [gateway.resource('notes'), await gateway.tokenFor('notes')]
        await statuses(2, () => callTool(url, token, 'read_note'))
        expect(await callTool(url, token, 'read_note')).toMatchObject({ status: 429, body: { error: BUSY } })
      },
      { policy: { ...RULES, denials: 'explicit' } },
    ),
  )
})

describe('clients that others wrote', () => {
  it.each(['legacy', 'auto'] as const)('the official client, %s, hears when to come back', async (mode) => {
    const gateway = await gatewayWith([{ rate: '1/h' }])
    try {
      const host = createSdkHost(await gateway.person())
      const client = await host.connect(gateway.resource('notes'), mode)
      await client.callTool({ name: 'read_note', arguments: {} })
      const error: unknown = await client
        .callTool({ name: 'read_note', arguments: {} })
        .catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(Error)
      expect(String(error)).toMatch(/429|Too many calls/)
      await client.close()
    } finally {
      await gateway.close()
    }
  })

  it.each(['websocket', 'events'] as const)(
    'over %s the refusal is the answer to the call, and the channel stays',
    async (kind) => {
      const gateway = await gatewayWith([{ rate: '1/h' }])
      try {
        const headers = { Authorization: `Bearer ${await gateway.tokenFor('notes')}` }
        const client = new Client({ name: 'older', version: '1' }, { versionNegotiation: { mode: 'legacy' } })
        const at = `${gateway.url}/servers/notes`
        const sending: typeof fetch = (url, init) =>
          fetch(url, { ...init, headers: { ...Object.fromEntries(new Headers(init?.headers)), ...headers } })
        await client.connect(
          kind === 'websocket'
            ? socketTransport(`${at}/ws`, headers)
            : new SSEClientTransport(new URL(`${at}/sse`), { fetch: sending }),
        )
        await client.callTool({ name: 'read_note', arguments: {} })
        await expect(client.callTool({ name: 'read_note', arguments: {} })).rejects.toMatchObject({ code: 429 })
        expect((await client.listTools()).tools).toHaveLength(3)
        await client.close()
      } finally {
        await gateway.close()
      }
    },
  )
})

describe('calls under way', () => {
  let slow: Server
  let waiting: (() => void)[]
  const release = () => {
    for (const end of waiting.splice(0)) end()
  }
  beforeAll(async () => {
    waiting = []
    slow = createServer(async (req, res) => {
      const { id, method } = JSON.parse(Buffer.concat(await req.toArray()).toString())
      // The gate asks for itself which revisions it speaks: both.
      if (method !== 'tools/call') {
        const introduction = { supportedVersions: ['2026-07-28'], protocolVersion: '2025-11-25', capabilities: {} }
        const result = { resultType: 'complete', ...introduction, serverInfo: { name: 'slow', version: '1' } }
        res.writeHead(200, { 'Content-Type': 'application/json' })
        return res.end(JSON.stringify({ jsonrpc: '2.0', id, result }))
      }
      waiting.push(() => {
        res.writeHead(200, { 'Content-Type': 'application/json' })
        res.end(JSON.stringify({ jsonrpc: '2.0', id: 1, result: { resultType: 'complete', content: [] } }))
      })
      slow.emit('waiting')
    })
    slow.listen(await freePort(), '127.0.0.1')
    await once(slow, 'listening')
  })
  afterAll(() => {
    slow?.closeAllConnections()
    slow?.close()
  })

  it('are so many at most; who ends and who goes away makes room', async () => {
    const url = `http://127.0.0.1:${(slow.address() as AddressInfo).port}/mcp`
    const gateway = await startGateway({ servers: [{ id: 'slow', url }], limits: [{ id: 'one', concurrent: 1 }] })
    try {
      const [at, token] = [gateway.resource('slow'), await gateway.tokenFor('slow')]
      const arrived = once(slow, 'waiting')
      const first = callTool(at, token, 'work')
      await arrived
      expect(await callTool(at, token, 'work')).toMatchObject({
        status: 429,
        body: { error: { code: 429, message: 'Too many calls are under way. Try again in 1 second.' } },
      })
      release()
      expect((await first).status).toBe(200)

      const second = once(slow, 'waiting')
      const leaving = new AbortController()
      const left = fetch(at, {
        method: 'POST',
        signal: leaving.signal,
        headers: {
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          authorization: `Bearer ${token}`,
        },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'work', arguments: {} } }),
      })
      await second
      leaving.abort()
      await expect(left).rejects.toThrow()
      await gateway.audit((all) => all.some((event) => event.kind === 'call' && event.outcome === 'cancelled'))

      const third = once(slow, 'waiting')
      const last = callTool(at, token, 'work')
      await third
      release()
      expect((await last).status).toBe(200)
    } finally {
      await gateway.close()
    }
  })
})

describe('a quota', () => {
  it('is not whole again because the gate was started again, but with the next day', async () => {
    const clock = testClock()
    clock.advance(`${86_400_000 - ((Date.now() + 43_200_000) % 86_400_000)}ms`)
    const gateway = await gatewayWith([{ id: 'daily', quota: '3/day' }], { clock, store: 'file' })
    try {
      const [url, token] = [gateway.resource('notes'), await gateway.tokenFor('notes')]
      expect(await statuses(3, () => callTool(url, token, 'read_note'))).toEqual([200, 200, 200])
      await gateway.restart()
      const [first, second] = await statuses(2, () => callTool(url, token, 'read_note'))
      // The store is asked behind the first call, which nobody keeps waiting.
      expect([200, 429]).toContain(first)
      expect(second).toBe(429)
      const refused = await callTool(url, token, 'read_note')
      expect(refused.body).toMatchObject({ error: { message: expect.stringMatching(/^The quota is used up\./) } })
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(40_000)
      clock.advance('13h')
      expect((await callTool(url, await gateway.tokenFor('notes'), 'read_note')).status).toBe(200)
    } finally {
      await gateway.close()
    }
  })
})

describe('the decision door', () => {
  const LIMITS = [{ id: 'two', match: 'app.example.com/*', rate: '2/h' }]
  const POLICY = {
    rules: [
      { allow: ['app.example.com/*'], to: ['*'] },
      { deny: ['app.example.com/delete_*'], to: ['*'] },
    ],
  }
  const call = (token: string) =>
    [
      ['Authorization', `Bearer ${token}`],
      ['Content-Type', 'application/json'],
      ['MCP-Protocol-Version', '2026-07-28'],
      ['Mcp-Method', 'tools/call'],
      ['Mcp-Name', 'read_note'],
      ['X-Forwarded-Proto', 'https'],
      ['X-Forwarded-Host', 'app.example.com'],
    ] as const

  it('forward-auth: a call that is looked at counts; 429 for those who can pass it on, 403 for nginx', async () => {
    const range = await startForwardRange({ policy: POLICY, limits: LIMITS })
    try {
      const token = await range.tokenFor()
      const traefik = () => range.ask([...call(token), ['X-Forwarded-Method', 'POST'], ['X-Forwarded-Uri', '/mcp']])
      expect(await statuses(2, traefik)).toEqual([200, 200])
      const refused = await traefik()
      expect([refused.status, Number(refused.headers['retry-after']) > 1]).toEqual([429, true])
      const events = await range.gateway.audit((all) => all.some(({ reason }) => reason === 'rate_limited'))
      expect(events.find(({ reason }) => reason === 'rate_limited')).toMatchObject({
        rule: 'two',
        method: 'tools/call',
        name: 'read_note',
        status: 429,
      })
      const nginx = await range.ask([
        ...call(token),
        ['X-Original-Method', 'POST'],
        ['X-Original-URL', 'https://app.example.com/mcp'],
      ])
      expect(nginx.status).toBe(403)
      // A page, or a stream that is opened, is no call.
      const page = () => range.ask([...call(token), ['X-Forwarded-Method', 'GET'], ['X-Forwarded-Uri', '/']])
      expect(await statuses(3, page)).toEqual([200, 200, 200])
    } finally {
      await range.close()
    }
  })

  it('AuthZEN: what is allowed counts, what is not does not', async () => {
    const gateway = await gatewayWith([{ id: 'two', rate: '2/h' }], {
      policy: { rules: [...RULES.rules, { deny: ['notes/delete_*'], to: ['*'] }] },
    })
    try {
      const root = { username: 'root', password: 'eleven quiet owls in a barn', administrator: true }
      await addUser(gateway.store, root)
      await addUser(gateway.store, ANN)
      const api = await adminApiOf(gateway, createPerson(root), 'portcullis:admin')
      const made = await api.token({ name: 'pep', kind: 'service', owner: 'ingress', scopes: ['portcullis:decide'] })
      const service = decisionsAs(gateway, bearer(made.secret))
      const ask = async (name: string) => {
        const { body } = await service.evaluation({
          subject: { type: 'user', id: 'ann@example.com' },
          action: { name: 'can_use' },
          resource: { type: 'tool', id: `notes/${name}` },
        })
        return body
      }
      const answers = [
        await ask('delete_note'),
        await ask('read_note'),
        await ask('delete_note'),
        await ask('read_note'),
      ]
      expect(answers.map(({ decision }) => decision)).toEqual([false, true, false, true])
      expect(await ask('read_note')).toMatchObject({
        decision: false,
        context: { reason: 'rate_limited', rule: 'two' },
      })
    } finally {
      await gateway.close()
    }
  })
})

describe('many servers as one', () => {
  it('a call at /mcp is a call of the server that has the tool', async () => {
    const gateway = await gatewayWith([{ id: 'two', match: 'notes/*', rate: '2/h' }])
    try {
      const token = await gateway.tokenFor('*')
      const at = `${gateway.url}/mcp`
      expect(await statuses(3, () => callTool(at, token, 'notes__read_note'))).toEqual([200, 200, 429])
      expect(await statuses(3, () => callTool(at, token, 'files__read_note'))).toEqual([200, 200, 200])
      expect((await callTool(gateway.resource('notes'), await gateway.tokenFor('notes'), 'read_note')).status).toBe(429)
      const events = await gateway.audit((all) => all.some(({ reason }) => reason === 'rate_limited'))
      expect(events.find(({ reason }) => reason === 'rate_limited')).toMatchObject({ server: 'notes', rule: 'two' })
    } finally {
      await gateway.close()
    }
  })

  it('a call through a virtual server counts for both of its names, and once', async () => {
    const servers = [
      { id: 'notes', url: canary.url },
      { id: 'support', tools: ['notes/read_*'] },
    ]
    const gateway = await gatewayWith(
      [
        { id: 'behind', match: 'notes/*', rate: '3/h' },
        { id: 'both', match: '*/*', rate: '4/h' },
      ],
      { servers },
    )
    try {
      const [through, straight] = [await gateway.tokenFor('support'), await gateway.tokenFor('notes')]
      const view = () => callTool(gateway.resource('support'), through, 'read_note')
      expect(await statuses(2, view)).toEqual([200, 200])
      expect(await statuses(2, () => callTool(gateway.resource('notes'), straight, 'read_note'))).toEqual([200, 429])
      expect((await view()).status).toBe(429)
    } finally {
      await gateway.close()
    }
  })
})
