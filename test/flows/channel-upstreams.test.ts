// Servers that are spoken to over one lasting channel, behind the gate: HTTP+SSE of 2024-11-05 (the real server-everything), WebSocket,
// and programs of which each caller has one of their own. Called by the official client, in both eras, at both addresses.
import { join } from 'node:path'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ANN, BOB, startGateway, type TestGateway } from '../support/gateway.ts'
import { type LastingServer, startSocketServer, startSseServer } from '../support/lasting-servers.ts'
import type { Mode } from '../support/sdk.ts'
import { startEverything, type TestUpstream } from '../support/upstream.ts'

const NASTY = join(import.meta.dirname, '../support/nasty-child.js')
const own = { type: 'caller' } as const

let everything: TestUpstream
let sse: LastingServer
let socket: LastingServer
let gateway: TestGateway

beforeAll(async () => {
  everything = await startEverything('sse')
  sse = await startSseServer()
  socket = await startSocketServer()
  gateway = await startGateway({
    servers: [
      { id: 'everything', url: everything.url, transport: 'sse' },
      { id: 'sse', url: sse.url, transport: 'sse', credentials: own },
      { id: 'socket', url: socket.url, credentials: own },
      { id: 'child', command: ['node', NASTY], credentials: own, credentialEnv: 'API_TOKEN' },
    ],
    policy: { rules: [{ allow: ['*/*', 'prompt:*/*', 'resource:*/*', 'method:*/*'], to: ['*'] }] },
  })
})
afterAll(async () => {
  await gateway?.close()
  await Promise.all([everything?.stop(), sse?.close(), socket?.close()])
})

interface Person {
  readonly user?: typeof ANN
  /** What this person has at the server. */
  readonly upstream?: string
  readonly mode?: Mode
}

/** One sign-in for each person and address. */
const tokens = new Map<string, Promise<string>>()
function tokenOf(at: string, user = ANN): Promise<string> {
  const key = `${at} ${user.username}`
  const token = tokens.get(key) ?? gateway.tokenFor(at, { user })
  tokens.set(key, token)
  return token
}

async function connected<T>(at: string, person: Person, use: (client: Client) => Promise<T>): Promise<T> {
  const token = await tokenOf(at, person.user)
  const headers = {
    authorization: `Bearer ${token}`,
    ...(person.upstream && { 'x-upstream-authorization': `Bearer ${person.upstream}` }),
  }
  const { upstream, mode = 'auto' } = person
  const client = new Client(
    { name: 'flow', version: '1' },
    { versionNegotiation: { mode }, capabilities: { roots: {} } },
  )
  client.setRequestHandler('roots/list', async () => ({ roots: [{ uri: `file:///${upstream}` }] }))
  await client.connect(new StreamableHTTPClientTransport(new URL(gateway.resource(at)), { requestInit: { headers } }))
  try {
    return await use(client)
  } finally {
    await client.close()
  }
}

async function say(client: Client, name: string, args: Record<string, unknown> = {}): Promise<string> {
  const { content } = await client.callTool({ name, arguments: args })
  return (content as { text: string }[])[0]?.text ?? ''
}

/** At its own address the names are the server's, at /mcp they have its prefix. */
const PLACES = ['own', '*'] as const
const MODES: readonly Mode[] = ['legacy', { pin: '2026-07-28' }]
const placed = (server: string, place: (typeof PLACES)[number]) =>
  place === '*' ? { at: '*', prefix: `${server}__` } : { at: server, prefix: '' }

describe.each(PLACES)('at the address %s', (place) => {
  describe.each(MODES)('a client of the era %o', (mode) => {
    it('calls server-everything over HTTP+SSE', async () => {
      const { at, prefix } = placed('everything', place)
      await connected(at, { mode }, async (client) => {
        const names = (await client.listTools()).tools.map(({ name }) => name)
        expect(names).toContain(`${prefix}echo`)
        expect(await say(client, `${prefix}echo`, { message: 'hello there' })).toContain('hello there')
        expect((await client.listPrompts()).prompts.length).toBeGreaterThan(0)
        expect((await client.listResources()).resources.length).toBeGreaterThan(0)
      })
    })

    it.each(['sse', 'socket'])('calls the small server over %s with the caller’s own credential', async (server) => {
      const { at, prefix } = placed(server, place)
      await connected(at, { mode, upstream: 'of-ann' }, async (client) => {
        expect((await client.listTools()).tools.map(({ name }) => name)).toContain(`${prefix}whoami`)
        expect(JSON.parse(await say(client, `${prefix}whoami`))).toMatchObject({ authorization: 'Bearer of-ann' })
      })
    })
  })
})

describe.each(['sse', 'socket'])('a question of the server over %s', (server) => {
  it.each(PLACES.flatMap((place) => MODES.map((mode) => [place, mode] as const)))(
    'reaches the person in the middle of whose call it is: at %s, era %o',
    async (place, mode) => {
      const { at, prefix } = placed(server, place)
      const asked = await Promise.all(
        [ANN, BOB].map((user) =>
          connected(at, { user, mode, upstream: `asked-${user.username}` }, async (client) =>
            Promise.all([1, 2, 3].map(() => say(client, `${prefix}ask`, { method: 'roots/list' }))),
          ),
        ),
      )
      const roots = (name: string) => JSON.stringify({ roots: [{ uri: `file:///asked-${name}` }] })
      expect(asked).toEqual(['ann', 'bob'].map((name) => [roots(name), roots(name), roots(name)]))
    },
  )
})

describe('two people at once, with credentials of their own', () => {
  const PEOPLE = [
    { user: ANN, upstream: 'of-ann' },
    { user: BOB, upstream: 'of-bob' },
  ] as const

  it.each(['sse', 'socket'])('are never mixed over %s, with equal request ids', async (server) => {
    const said = await Promise.all(
      PEOPLE.map((person) =>
        connected(server, { ...person, mode: 'legacy' }, (client) =>
          Promise.all(Array.from({ length: 50 }, async () => JSON.parse(await say(client, 'whoami')) as object)),
        ),
      ),
    )
    said.forEach((answers, at) => {
      for (const answer of answers) expect(answer).toMatchObject({ authorization: `Bearer ${PEOPLE[at]?.upstream}` })
    })
  })

  it('have a process each, which holds the one credential and not the other', async () => {
    const pids = await Promise.all(
      PEOPLE.map((person) =>
        connected('child', { ...person, mode: 'legacy' }, async (client) => {
          const all = await Promise.all(
            Array.from({ length: 20 }, async () => {
              const env = JSON.parse(await say(client, 'env')) as Record<string, string>
              return `${env['API_TOKEN']} ${await say(client, 'pid')}`
            }),
          )
          expect(new Set(all).size).toBe(1)
          expect(all[0]).toMatch(new RegExp(`^${person.upstream} `))
          return all[0]?.split(' ')[1]
        }),
      ),
    )
    expect(new Set(pids).size).toBe(2)
  })

  it('have a new process once the credential is a new one', async () => {
    const tokens: (string | undefined)[] = []
    for (const upstream of ['first', 'second'])
      await connected('child', { upstream, mode: 'legacy' }, async (client) => {
        tokens.push((JSON.parse(await say(client, 'env')) as Record<string, string>)['API_TOKEN'])
      })
    expect(tokens).toEqual(['first', 'second'])
  })
})

it('the streams and connections of people end with the gate', async () => {
  expect(sse.open() + socket.open()).toBeGreaterThan(0)
  await gateway.close()
  await expect.poll(() => [sse.open(), socket.open()]).toEqual([0, 0])
})
