// Servers over HTTP+SSE (MCP 2024-11-05) and over WebSocket as upstreams: what reaches them, what they may say, how they come back.
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { AROUND, remoteConfig } from '../../../../test/support/configured.ts'
import {
  type LastingServer,
  type SseOptions,
  startSocketServer,
  startSseServer,
} from '../../../../test/support/lasting-servers.ts'
import type { RemoteServerConfig } from '../../../config/servers.ts'
import type { RpcRequest, RpcResponse } from '../../../protocol/jsonrpc.ts'
import { ANONYMOUS } from '../../../protocol/principal.ts'
import type { Caller } from '../../caller.ts'
import type { ChannelUpstream, Given } from '../../upstream.ts'
import { openChannelUpstream } from '../open.ts'
import { endpointIn } from './sse.ts'

type Kind = 'sse' | 'websocket'
const ends: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

async function startServer(kind: Kind, options: SseOptions = {}): Promise<LastingServer> {
  const server = await (kind === 'sse' ? startSseServer(options) : startSocketServer(options))
  ends.push(server.close)
  return server
}

function openUpstream(kind: Kind, url: string, own: Partial<RemoteServerConfig> = {}) {
  const logged: string[] = []
  const outcomes: string[] = []
  const time = { now: 1_000_000 }
  const log = (fields: object, message: string) => logged.push(`${message} ${JSON.stringify(fields)}`)
  const upstream = openChannelUpstream(
    remoteConfig({ id: 'far', url, transport: kind, requestTimeout: 10_000, idleTimeout: 10_000, ...own }),
    {
      log: { debug: log, info: log, warn: log },
      clock: () => time.now,
      around: AROUND,
      directory: '/nowhere',
      report: (outcome) => outcomes.push(outcome.ok ? 'ok' : outcome.reason),
    },
  )
  ends.push(upstream.close)
  return { upstream, logged, outcomes, time }
}

const caller = (subject: string): Caller => ({ principal: { ...ANONYMOUS, kind: 'person', subject }, rawHeaders: [] })
const [ann, bob] = [caller('ann'), caller('bob')]
const bearer = (token: string): Given => ({ headers: { authorization: `Bearer ${token}` } })

const reach = (upstream: ChannelUpstream, caller: Caller, token: string, told: Record<string, string> = {}) =>
  upstream.instanceFor?.(caller, { given: bearer(token), told }) ?? upstream

const never = new AbortController().signal
const call = (upstream: ChannelUpstream, name: string, args: object = {}, options: object = {}): Promise<RpcResponse> =>
  upstream.request(
    { jsonrpc: '2.0', id: 'mine', method: 'tools/call', params: { name, arguments: args } },
    { signal: never, onNotification: () => undefined, ...options },
  )
async function say(upstream: ChannelUpstream, name: string, args: object = {}, options: object = {}): Promise<string> {
  const { result } = await call(upstream, name, args, options)
  return (result as { content: { text: string }[] }).content[0]?.text ?? ''
}

describe.each(['sse', 'websocket'] as const)('a server over %s', (kind) => {
  it('is initialized once, and answers each under its own id', async () => {
    const server = await startServer(kind)
    const { upstream, outcomes } = openUpstream(kind, server.url)
    expect(await upstream.initialize()).toMatchObject({
      protocolVersion: '2024-11-05',
      serverInfo: { name: 'lasting' },
    })
    const answers = await Promise.all(Array.from({ length: 20 }, (_, at) => say(upstream, 'echo', { at })))
    expect(answers).toEqual(Array.from({ length: 20 }, (_, at) => `{"at":${at}}`))
    expect(server.heads).toHaveLength(1)
    expect(outcomes).toEqual(['ok'])
  })

  it('is reached over a connection for each caller, with that caller’s credential', async () => {
    const server = await startServer(kind)
    const { upstream } = openUpstream(kind, server.url)
    const whose = (caller: Caller, token: string) =>
      reach(upstream, caller, token, { 'x-forwarded-user': caller.principal.subject })
    const said = await Promise.all(
      Array.from({ length: 20 }, (_, at) =>
        at % 2 === 0 ? say(whose(ann, 'a'), 'whoami') : say(whose(bob, 'b'), 'whoami'),
      ),
    )
    const people = said.map((text) => JSON.parse(text) as Record<string, unknown>)
    people.forEach((one, at) => {
      const [user, token] = at % 2 === 0 ? ['ann', 'a'] : ['bob', 'b']
      expect(one).toMatchObject({ authorization: `Bearer ${token}`, 'x-forwarded-user': user })
    })
    expect(new Set(people.map((one) => one['connection'])).size).toBe(2)
  })

  it('has the new credential with the next call, and the old one no more', async () => {
    const server = await startServer(kind)
    const { upstream } = openUpstream(kind, server.url)
    const own = reach(upstream, ann, 'old')
    await say(own, 'echo')
    reach(upstream, ann, 'new')
    await say(own, 'echo')
    if (kind === 'sse') expect(server.posts.at(-1)?.authorization).toBe('Bearer new')
    else expect(server.heads.map(({ authorization }) => authorization)).toEqual(['Bearer old', 'Bearer new'])
    await expect.poll(() => server.open()).toBe(1)
  })

  it('ends with what its caller was given', async () => {
    const server = await startServer(kind)
    const { upstream } = openUpstream(kind, server.url)
    const own = reach(upstream, ann, 'a')
    await say(own, 'echo')
    upstream.endInstance?.('ann')
    await expect.poll(() => server.open()).toBe(0)
    await expect(call(own, 'echo')).rejects.toMatchObject({ reason: 'exited' })
    expect(await say(reach(upstream, ann, 'a'), 'echo')).toBe('{}')
  })

  it('asks the caller in the middle of whose call it is', async () => {
    const server = await startServer(kind)
    const { upstream } = openUpstream(kind, server.url)
    const own = reach(upstream, ann, 'a')
    expect(JSON.parse(await say(own, 'capabilities'))).toHaveProperty('roots')
    const onRequest = async ({ id }: RpcRequest) => ({ jsonrpc: '2.0' as const, id, result: { roots: [] } })
    const unable = call(own, 'hold', {}, { onRequest: () => undefined }).catch(() => undefined)
    expect(await say(own, 'ask', {}, { onRequest })).toBe('{"roots":[]}')
    expect(JSON.parse(await say(own, 'ask'))).toMatchObject({ code: -32601 })
    void unable
    // What callers share asks nobody, and says so from the start.
    const { upstream: shared } = openUpstream(kind, server.url, { instances: 'shared' })
    expect(await say(shared, 'capabilities')).toBe('{}')
    expect(JSON.parse(await say(shared, 'ask', {}, { onRequest }))).toMatchObject({ code: -32601 })
    // The gate's own beside callers' own declares what theirs do, since it is asked what they will be offered; and asks nobody either.
    expect(await say(upstream, 'capabilities')).toBe(await say(own, 'capabilities'))
    expect(JSON.parse(await say(upstream, 'ask', {}, { onRequest }))).toMatchObject({ code: -32601 })
  })

  it('that breaks off fails each call once, and is there again for the next', async () => {
    const server = await startServer(kind)
    const { upstream, outcomes, time } = openUpstream(kind, server.url)
    const held = [call(upstream, 'hold'), call(upstream, 'drop')]
    for (const outcome of await Promise.allSettled(held)) expect(outcome).toMatchObject({ reason: { reason: 'reset' } })
    await expect(call(upstream, 'echo')).rejects.toMatchObject({ reason: 'reset' })
    time.now += 1000
    expect(await say(upstream, 'echo')).toBe('{}')
    expect(outcomes).toEqual(['ok', 'reset', 'ok'])
    // One that was good for a while may come back at once.
    time.now += 60_000
    server.dropAll()
    await expect.poll(() => outcomes.at(-1)).toBe('reset')
    expect(await say(upstream, 'echo')).toBe('{}')
  })

  it.each([
    [401, 'upstream_unauthorized'],
    [403, 'upstream_unauthorized'],
    [302, 'redirect'],
    [500, 'upstream_error'],
  ])('that refuses with %i is not asked twice, and says nothing of the credential', async (status, reason) => {
    const server = await startServer(kind, { accept: () => status })
    const { upstream, logged } = openUpstream(kind, server.url)
    const own = reach(upstream, ann, 's3cret-of-ann')
    await expect(own.initialize()).rejects.toMatchObject({ reason })
    await expect(call(own, 'echo')).rejects.toMatchObject({ reason })
    expect(server.heads).toHaveLength(1)
    expect(logged.join()).not.toContain('s3cret')
  })

  it('that refuses the credential is tried once with another, and what was under way there goes on', async () => {
    const accept = ({ authorization }: IncomingHttpHeaders) => (authorization === 'Bearer stale' ? 401 : undefined)
    const server = await startServer(kind, { accept })
    const { upstream } = openUpstream(kind, server.url)
    const asked: object[] = []
    const renewed = async (refused: object) => {
      asked.push(refused)
      return bearer('fresh')
    }
    const own = upstream.instanceFor?.(ann, { given: bearer('stale'), told: {}, renewed }) ?? upstream
    expect(JSON.parse(await say(own, 'whoami'))).toMatchObject({ authorization: 'Bearer fresh' })
    expect(asked).toEqual([{ status: 401, challenge: undefined }])
    // However many are refused at once, one connection is opened with the new one.
    const many = upstream.instanceFor?.(caller('cyd'), { given: bearer('stale'), told: {}, renewed }) ?? upstream
    const before = server.heads.length
    await Promise.all(Array.from({ length: 10 }, () => say(many, 'echo')))
    expect(server.heads.length - before).toBe(2)
    const none = upstream.instanceFor?.(bob, { given: bearer('stale'), told: {}, renewed: async () => undefined })
    await expect(none?.initialize()).rejects.toMatchObject({ reason: 'upstream_unauthorized' })
    // Whoever comes with another credential need not wait for what the old one failed of.
    expect(await say(reach(upstream, bob, 'of-bob'), 'echo')).toBe('{}')
  })

  it('that is not there, or says nothing, is told apart', async () => {
    const gone = await startServer(kind)
    await gone.close()
    await expect(openUpstream(kind, gone.url).upstream.initialize()).rejects.toMatchObject({ reason: 'connect' })
    const silent = createServer(() => undefined).listen(0, '127.0.0.1')
    ends.push(async () => silent.close().closeAllConnections())
    await new Promise((resolve) => silent.once('listening', resolve))
    const url = gone.url.replace(/:\d+/, `:${(silent.address() as AddressInfo).port}`)
    const { upstream } = openUpstream(kind, url, { requestTimeout: 300 })
    await expect(upstream.initialize()).rejects.toMatchObject({ reason: 'timeout' })
  })

  it('that answers with too much fails that call', async () => {
    const server = await startServer(kind)
    const { upstream } = openUpstream(kind, server.url, { maxAnswer: 100_000 })
    await expect(call(upstream, 'big', { size: 300_000 })).rejects.toMatchObject({
      // Over WebSocket the library ends the connection; a stream of events goes on behind it.
      reason: kind === 'sse' ? 'protocol' : 'too_large',
    })
    if (kind === 'sse') expect(await say(upstream, 'big', { size: 3 })).toBe('xxx')
  })

  it('is closed for good with the gate', async () => {
    const server = await startServer(kind)
    const { upstream } = openUpstream(kind, server.url)
    const held = expect(call(upstream, 'hold')).rejects.toMatchObject({ reason: 'exited' })
    await expect.poll(() => server.open()).toBe(1)
    await upstream.close()
    await held
    await expect.poll(() => server.open()).toBe(0)
  })
})

describe('the address for messages (MCP 2024-11-05, Transports)', () => {
  const base = new URL('https://mcp.example.com/a/sse')
  it.each([
    ['/messages?s=1', '/messages?s=1'],
    ['messages?s=1', '/a/messages?s=1'],
    ['https://mcp.example.com/m', '/m'],
    ['?session=1', '/a/sse?session=1'],
    ['https://evil.example.com/m', undefined],
    ['//evil.example.com/m', undefined],
    ['http://mcp.example.com/m', undefined],
    ['https://mcp.example.com:444/m', undefined],
    ['https://a:b@mcp.example.com/m', undefined],
    ['javascript:alert(1)', undefined],
    ['https://', undefined],
  ])('%s', (said, path) => {
    expect(endpointIn(said, base)).toBe(path)
  })

  it('at another origin gets no message and no credential', async () => {
    const other = await startServer('sse')
    const server = await startServer('sse', { endpoint: `http://127.0.0.1:${other.port}/messages?session=` })
    const { upstream } = openUpstream('sse', server.url)
    await expect(upstream.initialize()).rejects.toMatchObject({ reason: 'protocol' })
    expect(other.posts).toEqual([])
  })

  it('that takes no message fails the call', async () => {
    const server = await startServer('sse', { taken: 403 })
    const { upstream } = openUpstream('sse', server.url)
    await expect(upstream.initialize()).rejects.toMatchObject({ reason: 'upstream_unauthorized' })
  })
})
