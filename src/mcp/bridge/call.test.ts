// One request across the eras, over real connections: whose session it is made in, what the other side gets to see, how it ends.
import { afterEach, describe, expect, it } from 'vitest'
import { ANONYMOUS, type Principal } from '../../protocol/principal.ts'
import type { RemoteUpstream } from '../../upstreams/upstream.ts'
import { type BridgeCall, createBridge } from './call.ts'
import type { ClientHello } from './hello.ts'
import {
  type Answer,
  error,
  events,
  type HandshakeServer,
  json,
  person,
  result,
  startHandshakeServer,
  startServer,
} from './servers.support.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

const META = 'io.modelcontextprotocol/'
const LEGACY: ClientHello = {
  revision: '2025-11-25',
  capabilities: { sampling: {} },
  clientInfo: { name: 'c', version: '1' },
}
const MODERN: ClientHello = { ...LEGACY, revision: '2026-07-28' }
const NEVER = new AbortController().signal
const ANN = person('ann')

function bridged() {
  const state = { now: 1_000_000, reports: [] as unknown[] }
  const bridge = createBridge({
    clock: () => state.now,
    report: (id, outcome) => void state.reports.push(outcome.ok ? id : outcome.reason),
  })
  closing.push(bridge.close)
  return { bridge, state }
}

type Bridge = ReturnType<typeof bridged>['bridge']

const calling = (args: Record<string, unknown> = {}, more: Partial<BridgeCall> = {}): BridgeCall => ({
  principal: ANN,
  message: { jsonrpc: '2.0', id: 'c1', method: 'tools/call', params: { name: 'echo', arguments: args } },
  hello: MODERN,
  signal: NEVER,
  onNotification: () => undefined,
  ...more,
})
const listing = (more: Partial<BridgeCall> = {}) =>
  calling({}, { message: { jsonrpc: '2.0', id: 2, method: 'tools/list' }, ...more })

interface Told {
  readonly session: string
  readonly args: Record<string, unknown>
  readonly id: number
}
async function told(bridge: Bridge, upstream: RemoteUpstream, call: BridgeCall): Promise<Told> {
  const { result } = await bridge.bridgeCall(upstream, call)
  return (result as { structuredContent: Told }).structuredContent
}

async function handshaking(given: Parameters<typeof startHandshakeServer>[0] = {}): Promise<HandshakeServer> {
  const server = await startHandshakeServer(given)
  closing.push(server.close)
  return server
}
async function answering(answer: Answer) {
  const server = await startServer(answer)
  closing.push(server.close)
  return server
}
const methods = ({ seen }: Pick<HandshakeServer, 'seen'>) => seen.map(({ method }) => method)

describe('a modern client at a server of the handshake era', () => {
  it('is answered in its own words, over a session that declares nothing', async () => {
    const [{ bridge, state }, server] = [bridged(), await handshaking()]
    const progress: unknown[] = []
    const message = {
      jsonrpc: '2.0' as const,
      id: 'c1',
      method: 'tools/call',
      params: { name: 'echo', arguments: { steps: 2, a: 1.5 }, _meta: { progressToken: 'p', [`${META}x`]: 1 } },
    }
    const onNotification = (notification: unknown) => void progress.push(notification)
    const answer = await bridge.bridgeCall(server.upstream, calling({}, { message, onNotification }))
    const { id } = (answer.result as { structuredContent: Told }).structuredContent
    expect(answer).toMatchObject({
      id: 'c1',
      result: {
        resultType: 'complete',
        structuredContent: { args: { steps: 2, a: 1.5 }, meta: { progressToken: id, [`${META}x`]: 1 } },
        _meta: { [`${META}serverInfo`]: { name: 'handshake', version: '1' } },
      },
    })
    expect(progress).toEqual(
      [1, 2].map((step) => ({
        jsonrpc: '2.0',
        method: 'notifications/progress',
        params: { progressToken: 'p', progress: step },
      })),
    )
    expect(methods(server)).toEqual(['server/discover', 'initialize', 'notifications/initialized', 'tools/call'])
    const [opened] = server.sessions.values()
    expect(opened?.params).toMatchObject({
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 'portcullis' },
    })
    expect(server.seen.at(-1)?.headers['mcp-method']).toBeUndefined()
    expect(state.reports).toEqual(['a'])
  })

  it('has lists that count for nobody else', async () => {
    const [{ bridge }, server] = [bridged(), await handshaking()]
    const { result: list } = await bridge.bridgeCall(server.upstream, listing())
    expect(list).toMatchObject({ tools: [{ name: 'echo' }], ttlMs: 0, cacheScope: 'private', resultType: 'complete' })
  })

  it('speaks the revision that the server settles on, and no other than we know', async () => {
    const { bridge } = bridged()
    const older = await handshaking({ revision: '2025-03-26' })
    await bridge.bridgeCall(older.upstream, listing())
    expect(older.seen.at(-1)?.headers['mcp-protocol-version']).toBe('2025-03-26')
    const strange = await handshaking({ revision: '1999-01-01', id: 'b' })
    await expect(bridge.bridgeCall(strange.upstream, listing())).rejects.toMatchObject({ reason: 'protocol' })
  })

  it('E12 E14 never shares a session with another person: 100 clients with equal ids, each its own nonce', async () => {
    const [{ bridge }, server] = [bridged(), await handshaking()]
    const calls = Array.from({ length: 400 }, (_, at) => ({ subject: `p${at % 100}`, nonce: `n${at}` }))
    const answers = await Promise.all(
      calls.map(({ subject, nonce }, at) =>
        told(bridge, server.upstream, calling({ nonce, slow: (at * 7) % 40 }, { principal: person(subject) })),
      ),
    )
    expect(answers.map(({ args }) => args['nonce'])).toEqual(calls.map(({ nonce }) => nonce))
    const sessionsOf = (subject: string) =>
      new Set(answers.filter((_, at) => calls[at]?.subject === subject).map(({ session }) => session))
    const all = calls.slice(0, 100).flatMap(({ subject }) => [...sessionsOf(subject)])
    expect(new Set(all).size).toBe(100)
    expect(all).toHaveLength(100)
    expect(bridge.sessions()).toBe(100)
    expect(new Set(answers.map(({ id }) => id)).size).toBe(400)
  })

  it('E12 has no name: each call has a session of its own, which ends with it', async () => {
    const [{ bridge }, server] = [bridged(), await handshaking()]
    const nobody = (kind: Principal['kind']): Principal => ({ ...ANONYMOUS, kind })
    const first = await told(bridge, server.upstream, calling({}, { principal: nobody('anonymous') }))
    const second = await told(bridge, server.upstream, calling({}, { principal: nobody('person') }))
    expect(first.session).not.toBe(second.session)
    await expect.poll(() => server.sessions.size).toBe(0)
    expect(bridge.sessions()).toBe(0)
  })

  it('finds its session again, until it has idled', async () => {
    const [{ bridge, state }, server] = [bridged(), await handshaking()]
    const first = await told(bridge, server.upstream, calling())
    state.now += 299_999
    bridge.sweep()
    expect((await told(bridge, server.upstream, calling())).session).toBe(first.session)
    state.now += 300_000
    bridge.sweep()
    await expect.poll(() => [server.sessions.size, bridge.sessions()]).toEqual([0, 0])
    expect((await told(bridge, server.upstream, calling())).session).not.toBe(first.session)
  })

  it('keeps a session as long as a call runs in it, however long that takes', async () => {
    const [{ bridge, state }, server] = [bridged(), await handshaking()]
    const running = told(bridge, server.upstream, calling({ slow: 200 }))
    await expect.poll(() => methods(server)).toContain('tools/call')
    state.now += 3_600_000
    bridge.sweep()
    expect(server.sessions.has((await running).session)).toBe(true)
  })

  const LOSSES: Parameters<typeof startHandshakeServer>[0][] = [
    {},
    { lost: (m, res) => json(res, error(m, -32000, 'Bad Request: No valid session ID provided'), 400) },
    { lost: (m, res) => json(res, error(m, -32000, 'Bad Request: Server not initialized'), 400) },
    { lost: (_m, res) => void res.writeHead(404).end() },
  ]
  it.each(LOSSES)(
    'gets a new session where the server has forgotten it: a list at once, a call the next time (%#)',
    async (given) => {
      const [{ bridge, state }, server] = [bridged(), await handshaking(given)]
      const first = await told(bridge, server.upstream, calling())
      server.forget()
      const again = await bridge.bridgeCall(server.upstream, listing())
      expect(again.result).toMatchObject({ tools: [{ name: 'echo' }] })
      expect(again.result).not.toMatchObject({ session: first.session })
      server.forget()
      await expect(bridge.bridgeCall(server.upstream, calling())).rejects.toMatchObject({ reason: 'session_lost' })
      expect((await told(bridge, server.upstream, calling())).session).not.toBe(first.session)
      expect(state.reports).not.toContain('session_lost')
    },
  )

  it('is not asked again and again at a server that forgets every session', async () => {
    const { bridge } = bridged()
    const server = await handshaking({ id: 'b' })
    const forgetting = await answering((m, _q, res) => {
      if (m.method === 'initialize')
        return json(res, result(m, { protocolVersion: '2025-11-25', capabilities: {} }), 200, { 'Mcp-Session-Id': 's' })
      if (m.id === undefined) return void res.writeHead(202).end()
      res.writeHead(404).end()
    })
    await expect(bridge.bridgeCall(forgetting.upstream, listing())).rejects.toMatchObject({ reason: 'session_lost' })
    expect(methods(forgetting).filter((method) => method === 'tools/list')).toHaveLength(2)
    expect((await bridge.bridgeCall(server.upstream, listing())).result).toBeDefined()
  })

  it('that leaves has the call cancelled by its id there, and nobody else', async () => {
    const [{ bridge }, server] = [bridged(), await handshaking()]
    const leaving = new AbortController()
    const [gone, stays] = [
      bridge.bridgeCall(server.upstream, calling({ slow: 300, who: 'gone' }, { signal: leaving.signal })),
      told(bridge, server.upstream, calling({ slow: 300, who: 'stays' })),
    ]
    await expect.poll(() => methods(server).filter((method) => method === 'tools/call')).toHaveLength(2)
    leaving.abort()
    await expect(gone).rejects.toMatchObject({ reason: 'cancelled' })
    expect((await stays).args).toMatchObject({ who: 'stays' })
    await expect.poll(() => methods(server)).toContain('notifications/cancelled')
    const cancelled = server.seen.filter(({ method }) => method === 'notifications/cancelled')
    const ids = server.seen
      .filter(({ message }) => JSON.stringify(message).includes('"gone"'))
      .map(({ message }) => message.id)
    expect(cancelled.map(({ message }) => message.params?.['requestId'])).toEqual(ids)
  })

  it('has a log level of its own in a session that others of it share', async () => {
    const [{ bridge }, server] = [bridged(), await handshaking()]
    const at = (level: string) => {
      const params = { name: 'echo', _meta: { [`${META}logLevel`]: level } }
      return bridge.bridgeCall(
        server.upstream,
        calling({}, { message: { jsonrpc: '2.0', id: 1, method: 'tools/call', params } }),
      )
    }
    for (const level of ['warning', 'error', 'debug', 'warning', 'loud']) await at(level)
    const levels = server.seen.filter(({ method }) => method === 'logging/setLevel')
    expect(levels.map(({ message }) => message.params)).toEqual([{ level: 'warning' }, { level: 'debug' }])
  })

  it('is asked nothing: a server that asks is told so, and does not wait', async () => {
    const { bridge } = bridged()
    const replies: unknown[] = []
    const asking = await answering((m, _q, res) => {
      if (m.method === 'initialize') return json(res, result(m, { protocolVersion: '2025-11-25', capabilities: {} }))
      if (m.method === 'server/discover') return void res.writeHead(404).end()
      if (m.method === undefined) replies.push(m)
      if (m.method !== 'tools/list') return void res.writeHead(202).end()
      const question = { jsonrpc: '2.0', id: 'q', method: 'sampling/createMessage', params: {} }
      events(res, question, { ...question, id: 'p', method: 'ping' })
      const wait = setInterval(() => {
        if (replies.length < 2) return
        clearInterval(wait)
        events(res, result(m, { tools: [] })).end()
      }, 5)
    })
    expect((await bridge.bridgeCall(asking.upstream, listing())).result).toMatchObject({ tools: [] })
    expect(replies).toEqual(
      expect.arrayContaining([
        { jsonrpc: '2.0', id: 'q', error: { code: -32601, message: 'This client declared no such capability.' } },
        { jsonrpc: '2.0', id: 'p', result: {} },
      ]),
    )
  })
})

describe('a client of the handshake era at a modern server', () => {
  const modern =
    (answer: Answer): Answer =>
    (m, q, res) =>
      m.method === 'server/discover'
        ? json(res, result(m, { supportedVersions: ['2026-07-28'], capabilities: {}, resultType: 'complete' }))
        : answer(m, q, res)

  it('is answered in its own words, and said to be able to nothing', async () => {
    const { bridge } = bridged()
    const server = await answering(
      modern((m, _q, res) => json(res, result(m, { content: [], resultType: 'complete' }))),
    )
    const call = calling({ a: 1 }, { hello: LEGACY, logLevel: 'info' })
    expect(await bridge.bridgeCall(server.upstream, call)).toEqual({
      jsonrpc: '2.0',
      id: 'c1',
      result: { content: [] },
    })
    expect(server.seen.at(-1)?.headers).toMatchObject({ 'mcp-method': 'tools/call', 'mcp-name': 'echo' })
    expect(server.seen.at(-1)?.message.params).toMatchObject({
      arguments: { a: 1 },
      _meta: { [`${META}clientCapabilities`]: {}, [`${META}logLevel`]: 'info', [`${META}clientInfo`]: { name: 'c' } },
    })
  })

  it('hears that more is wanted than it can give', async () => {
    const { bridge } = bridged()
    const asking = modern((m, _q, res) => json(res, result(m, { resultType: 'input_required', inputRequests: {} })))
    const server = await answering(asking)
    const answer = await bridge.bridgeCall(server.upstream, calling({}, { hello: LEGACY }))
    expect(answer).toMatchObject({ id: 'c1', result: { isError: true } })
    const own = await bridge.bridgeCall(server.upstream, calling())
    expect(own).toMatchObject({ id: 'c1', result: { resultType: 'input_required' } })
  })

  it('has pings and log levels answered here', async () => {
    const { bridge } = bridged()
    const server = await answering(modern((m, _q, res) => json(res, error(m, -32601), 404)))
    for (const method of ['ping', 'logging/setLevel']) {
      const message = { jsonrpc: '2.0' as const, id: 4, method }
      const answer = await bridge.bridgeCall(server.upstream, calling({}, { message, hello: LEGACY }))
      expect(answer).toEqual({ jsonrpc: '2.0', id: 4, result: {} })
    }
    expect(methods(server)).toEqual(['server/discover'])
  })

  it('is served after a server went back to the handshake, once that has shown', async () => {
    const { bridge } = bridged()
    let upgraded = true
    const server = await answering((m, _q, res) => {
      if (upgraded && m.method === 'server/discover') return json(res, result(m, { capabilities: {} }))
      if (upgraded) return json(res, result(m, { tools: [], resultType: 'complete' }))
      if (m.method === 'initialize') return json(res, result(m, { protocolVersion: '2025-06-18', capabilities: {} }))
      if (m.id === undefined) return void res.writeHead(202).end()
      if (m.params?.['_meta'] !== undefined) return json(res, error(m, -32000, 'What is this?'), 400)
      json(res, result(m, { tools: [{ name: 'old' }] }))
    })
    const list = () => bridge.bridgeCall(server.upstream, listing({ hello: LEGACY }))
    expect((await list()).result).toEqual({ tools: [] })
    upgraded = false
    expect((await list()).error).toMatchObject({ message: 'What is this?' })
    expect((await list()).result).toEqual({ tools: [{ name: 'old' }] })
  })
})

describe('a server that does not do its part', () => {
  it('has not changed its era by failing, but by not shaking hands any more', async () => {
    const { bridge } = bridged()
    let status = 503
    const server = await answering((m, _q, res) =>
      json(res, error(m, -32000), m.method === 'initialize' ? status : 404),
    )
    const list = () => bridge.bridgeCall(server.upstream, listing())
    const failing = { name: 'UpstreamError', reason: 'upstream_error' }
    for (status of [503, 400, 400]) await expect(list()).rejects.toMatchObject(failing)
    expect(methods(server)).toEqual(['server/discover', 'initialize', 'initialize', 'server/discover', 'initialize'])
  })

  it('is one error for whoever called, and is reported', async () => {
    const { bridge, state } = bridged()
    const lying = await answering((m, _q, res) =>
      m.method === 'server/discover' ? json(res, result(m, {})) : json(res, result({ ...m, id: 0 }, {})),
    )
    await expect(bridge.bridgeCall(lying.upstream, calling())).rejects.toMatchObject({ reason: 'protocol' })
    expect(state.reports).toEqual(['protocol'])
  })
})
