// Accounts connected in the flow: a call that needs one brings the person to our page, and after it the same call works.
import {
  Client,
  type ElicitRequestURLParams,
  SSEClientTransport,
  StreamableHTTPClientTransport,
} from '@modelcontextprotocol/client'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import type { Person } from '../support/person.ts'
import type { Mode } from '../support/sdk.ts'
import { startTokenGuarded, type TokenGuarded } from '../support/token-guarded.ts'
import { type GuardedUpstream, startGuardedUpstream } from '../support/upstream-auth.ts'
import { socketTransport } from '../support/websocket.ts'

let notes: TokenGuarded
let github: GuardedUpstream
let gateway: TestGateway
const clients: Client[] = []

beforeEach(async () => {
  notes = await startTokenGuarded({ 'ann-secret-1': 'ann at notes', 'bob-secret-1': 'bob at notes' })
  github = await startGuardedUpstream({ expiresIn: 3600 })
  gateway = await startGateway({
    servers: [
      { id: 'notes', title: 'Team notes', url: notes.url, credentials: { type: 'secret', title: 'Notes token' } },
      { id: 'github', title: 'Git hub', url: github.url, credentials: { type: 'oauth', scopes: ['repo'] } },
      { id: 'desk', tools: [{ from: 'notes/whoami', name: 'me' }] },
    ],
    policy: {
      rules: [
        { allow: ['*/*', 'resource:*/*', 'prompt:*/*'], to: ['*'] },
        { deny: ['notes/echo'], to: ['user:bob@example.com'] },
      ],
    },
  })
})
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close()
  await gateway.close()
  await Promise.all([notes.close(), github.close()])
})

interface Connected {
  readonly client: Client
  /** Links that the client was asked to open. */
  readonly links: string[]
}

interface How {
  readonly mode: Mode
  /** What its user does with a question; none: the client cannot be asked. */
  readonly onLink?: (link: string) => Promise<'accept' | 'decline'>
}

async function connect(server: string, token: string, { mode, onLink }: How): Promise<Connected> {
  const links: string[] = []
  const capabilities = onLink === undefined ? {} : { elicitation: { url: {} } }
  const client = new Client({ name: 'host', version: '1' }, { versionNegotiation: { mode }, capabilities })
  if (onLink !== undefined)
    client.setRequestHandler('elicitation/create', async ({ params }) => {
      const { url } = params as ElicitRequestURLParams
      links.push(url)
      return { action: await onLink(url) }
    })
  clients.push(client)
  const headers = { authorization: `Bearer ${token}` }
  await client.connect(
    new StreamableHTTPClientTransport(new URL(gateway.resource(server)), { requestInit: { headers } }),
  )
  return { client, links }
}

const textOf = (result: unknown) => (result as { content: { text: string }[] }).content[0]?.text
const toolsOf = async ({ client }: Connected) => (await client.listTools()).tools.map(({ name }) => name)
const call = ({ client }: Connected, name: string) => client.callTool({ name, arguments: {} })
const linkIn = (text: string | undefined) => /http\S+/.exec(text ?? '')?.[0] ?? ''

async function refusalOf(work: Promise<unknown>) {
  const error = (await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )) as {
    code: number
    message: string
    data: { elicitations: { mode: string; url: string; elicitationId: string }[] }
  }
  expect(error).toBeDefined()
  return error
}

async function paste(person: Person, link: string, secret: string) {
  return person.submit(await person.follow(link), /^connect$/i, { secret })
}

describe('a client of the handshake era that opens links', () => {
  const legacy: How = { mode: 'legacy', onLink: async () => 'accept' }

  it('is told -32042, and the same call works once the secret is pasted', async () => {
    const ann = await gateway.person('ann')
    const host = await connect('notes', await gateway.tokenFor('notes', { user: ann }), legacy)
    expect(host.client.getInstructions()).toContain('Team notes')
    expect(await toolsOf(host)).toEqual(['connect_account'])
    const { code, data } = await refusalOf(call(host, 'whoami'))
    expect(code).toBe(-32042)
    const [elicitation] = data.elicitations
    expect(elicitation).toMatchObject({ mode: 'url' })
    expect(elicitation?.url).toBe(`${gateway.url}/tokens?elicitation_id=${elicitation?.elicitationId}`)
    const done = await paste(ann, elicitation?.url ?? '', 'ann-secret-1')
    expect([done.status, done.html.includes('Connected')]).toEqual([200, true])
    expect(textOf(await call(host, 'whoami'))).toBe('ann at notes')
    expect(await toolsOf(host)).toEqual(['whoami', 'echo'])
    expect(textOf(await call(host, 'connect_account'))).toContain('is connected')
  })

  it('hears that there are other tools now', async () => {
    const ann = await gateway.person('ann')
    const host = await connect('notes', await gateway.tokenFor('notes', { user: ann }), legacy)
    const changed = new Promise<void>((resolve) => {
      host.client.setNotificationHandler('notifications/tools/list_changed', () => resolve())
    })
    const { data } = await refusalOf(call(host, 'connect_account'))
    await paste(ann, data.elicitations[0]?.url ?? '', 'ann-secret-1')
    await changed
    expect(await toolsOf(host)).toContain('whoami')
  })

  it('goes through the authorization server of the upstream', async () => {
    const ann = await gateway.person('ann')
    const host = await connect('github', await gateway.tokenFor('github', { user: ann }), legacy)
    const { code, data } = await refusalOf(call(host, 'whoami'))
    expect(code).toBe(-32042)
    const page = await ann.follow(data.elicitations[0]?.url ?? '')
    expect(page.html).toContain('Git hub')
    expect(page.html).toContain(new URL(github.issuer).host)
    expect(page.html).toContain('repo')
    const done = await ann.submit(page, /^connect$/i)
    expect([done.status, new URL(done.url).pathname]).toEqual([200, '/connections/connected'])
    expect(done.url).not.toContain('code')
    expect(textOf(await call(host, 'whoami'))).toBe('account-1')
  })
})

describe('a modern client that opens links', () => {
  it('is asked in the middle of the call, which goes on afterwards', async () => {
    const ann = await gateway.person('ann')
    const host = await connect('notes', await gateway.tokenFor('notes', { user: ann }), {
      mode: 'auto',
      async onLink(link) {
        await paste(ann, link, 'ann-secret-1')
        return 'accept'
      },
    })
    expect(await toolsOf(host)).toEqual(['connect_account'])
    expect(textOf(await call(host, 'whoami'))).toBe('ann at notes')
    expect(host.links).toHaveLength(1)
    // The server hears nothing of our question.
    const echoed = notes.seen.filter(({ method }) => method === 'tools/call')
    expect(echoed.map(({ body }) => /requestState|inputResponses/.test(body))).toEqual([false])
  })

  it.each(['accept', 'decline'] as const)('that %ss and connects nothing is told in words', async (action) => {
    const ann = await gateway.person('ann')
    const host = await connect('notes', await gateway.tokenFor('notes', { user: ann }), {
      mode: 'auto',
      onLink: async () => action,
    })
    const result = await call(host, 'whoami')
    expect(result).toMatchObject({ isError: true })
    expect(linkIn(textOf(result))).toContain('/tokens?elicitation_id=')
    expect(host.links).toHaveLength(1)
    expect(notes.seen.filter(({ method }) => method === 'tools/call')).toEqual([])
  })

  it('goes through the authorization server of the upstream', async () => {
    const bob = await gateway.person('bob')
    const host = await connect('github', await gateway.tokenFor('github', { user: bob }), {
      mode: 'auto',
      async onLink(link) {
        await bob.submit(await bob.follow(link), /^connect$/i)
        return 'accept'
      },
    })
    expect(textOf(await call(host, 'whoami'))).toBe('account-1')
  })
})

describe.each(['legacy', 'auto'] as const)('a client that opens no links (%s)', (mode) => {
  it('is told the link in words', async () => {
    const ann = await gateway.person('ann')
    const host = await connect('notes', await gateway.tokenFor('notes', { user: ann }), { mode })
    const result = await call(host, 'whoami')
    expect(result).toMatchObject({ isError: true })
    await paste(ann, linkIn(textOf(result)), 'ann-secret-1')
    expect(textOf(await call(host, 'whoami'))).toBe('ann at notes')
  })
})

describe('all servers as one', () => {
  it.each(['legacy', 'auto'] as const)('show a way to connect each (%s)', async (mode) => {
    const ann = await gateway.person('ann')
    const host = await connect('*', await gateway.tokenFor('*', { user: ann }), { mode })
    expect((await toolsOf(host)).sort()).toEqual(['github__connect_account', 'notes__connect_account'])
    await paste(ann, linkIn(textOf(await call(host, 'notes__connect_account'))), 'ann-secret-1')
    expect((await toolsOf(host)).sort()).toEqual(['github__connect_account', 'notes__echo', 'notes__whoami'])
    expect(textOf(await call(host, 'notes__whoami'))).toBe('ann at notes')
  })
})

describe('the channels of older clients', () => {
  it.each(['sse', 'ws'] as const)('bring the link, and stay (%s)', async (channel) => {
    const ann = await gateway.person('ann')
    const headers = { Authorization: `Bearer ${await gateway.tokenFor('notes', { user: ann })}` }
    const url = `${gateway.url}/servers/notes/${channel}`
    const client = new Client({ name: 'older', version: '1' }, { versionNegotiation: { mode: 'legacy' } })
    clients.push(client)
    const sse = () => new SSEClientTransport(new URL(url), { requestInit: { headers } })
    await client.connect(channel === 'ws' ? socketTransport(url, headers) : sse())
    const host = { client, links: [] }
    await paste(ann, linkIn(textOf(await call(host, 'whoami'))), 'ann-secret-1')
    expect(textOf(await call(host, 'whoami'))).toBe('ann at notes')
  })
})

describe('what is no tool', () => {
  it('asks for an account in an error, with what the client knows', async () => {
    const ann = await gateway.person('ann')
    const token = await gateway.tokenFor('notes', { user: ann })
    const [able, unable] = [
      await connect('notes', token, { mode: 'legacy', onLink: async () => 'accept' }),
      await connect('notes', token, { mode: 'legacy' }),
    ]
    for (const ask of [
      ({ client }: Connected) => client.readResource({ uri: 'note://1' }),
      ({ client }: Connected) => client.subscribeResource({ uri: 'note://1' }),
      ({ client }: Connected) => client.getPrompt({ name: 'hello' }),
    ]) {
      expect((await refusalOf(ask(able))).code).toBe(-32042)
      const { code, message } = await refusalOf(ask(unable))
      expect(code).toBe(-32603)
      expect(linkIn(message)).toContain('/tokens?elicitation_id=')
    }
  })
})

describe('two people', () => {
  it('have an account each, and neither link opens for the other', async () => {
    const [ann, bob] = [await gateway.person('ann'), await gateway.person('bob')]
    const how: How = { mode: 'legacy', onLink: async () => 'accept' }
    const one = await connect('notes', await gateway.tokenFor('notes', { user: ann }), how)
    const other = await connect('notes', await gateway.tokenFor('notes', { user: bob }), how)
    const link = (await refusalOf(call(one, 'whoami'))).data.elicitations[0]?.url ?? ''
    const refused = await bob.follow(link)
    expect(refused.status).toBe(403)
    expect(refused.html).toContain('somebody else')
    expect(refused.html).not.toMatch(/ann|notes/i)
    await paste(ann, link, 'ann-secret-1')
    expect(textOf(await call(one, 'whoami'))).toBe('ann at notes')
    expect((await refusalOf(call(other, 'whoami'))).code).toBe(-32042)
    const own = (await refusalOf(call(other, 'whoami'))).data.elicitations[0]?.url ?? ''
    await paste(bob, own, 'bob-secret-1')
    expect(textOf(await call(other, 'whoami'))).toBe('bob at notes')
    expect(textOf(await call(one, 'whoami'))).toBe('ann at notes')
    expect([await toolsOf(one), await toolsOf(other)]).toEqual([['whoami', 'echo'], ['whoami']])
  })
})

describe('a virtual server', () => {
  it('shows the way to connect what it draws from, and its own names work at once', async () => {
    const ann = await gateway.person('ann')
    const host = await connect('desk', await gateway.tokenFor('desk', { user: ann }), { mode: 'legacy' })
    expect(await toolsOf(host)).toEqual(['connect_account'])
    await paste(ann, linkIn(textOf(await call(host, 'me'))), 'ann-secret-1')
    expect(textOf(await call(host, 'me'))).toBe('ann at notes')
    expect(await toolsOf(host)).toEqual(['me'])
  })
})

describe('rules', () => {
  it('hold before there is an account: what they hide is not told from what is not there', async () => {
    const bob = await gateway.person('bob')
    const how: How = { mode: 'legacy', onLink: async () => 'accept' }
    const host = await connect('notes', await gateway.tokenFor('notes', { user: bob }), how)
    expect((await refusalOf(call(host, 'whoami'))).code).toBe(-32042)
    expect(await refusalOf(call(host, 'echo'))).toMatchObject({
      code: -32602,
      message: expect.stringContaining('Unknown tool: echo'),
    })
    await paste(bob, `${gateway.url}/connections/connect?server=notes`, 'bob-secret-1')
    expect(await toolsOf(host)).toEqual(['whoami'])
    expect(await refusalOf(call(host, 'echo'))).toMatchObject({ code: -32602 })
  })

  it('are recorded with what was asked for', async () => {
    const ann = await gateway.person('ann')
    const host = await connect('notes', await gateway.tokenFor('notes', { user: ann }), { mode: 'legacy' })
    await call(host, 'whoami')
    const isCall = (event: { kind: string; method?: string }) => event.kind === 'call' && event.method === 'tools/call'
    const events = await gateway.audit((all) => all.some(isCall))
    const recorded = events.find(isCall)
    expect(recorded).toMatchObject({ server: 'notes', name: 'whoami', decision: 'deny', reason: 'connection_needed' })
    expect(recorded).not.toHaveProperty('via')
  })
})
