// A client of the handshake era at the aggregate, over real sockets: catalogue rows E12, E14, E15, E18, E26, E27, E36, E37 and E39.
import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { Upstream } from '../../../upstreams/upstream.ts'
import { type Hub, listenAt, NOBODY, type Rules, startHub, until } from './fan-in.support.ts'
import { startChild, startLegacyServer, startModernServer } from './scripted.support.ts'

const opened: { close(): Promise<unknown> }[] = []
afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.close()
})
const kept = <T extends { close(): Promise<unknown> }>(each: T): T => {
  opened.push(each)
  return each
}

async function start(rules: Partial<Rules> = {}) {
  const a = kept(await startLegacyServer('a'))
  const b = kept(await startLegacyServer('b'))
  const fresh = kept(await startModernServer('m'))
  const child = startChild('c')
  const upstreams: Record<string, Upstream> = { a: a.upstream, b: b.upstream, m: fresh.upstream, c: child }
  const hub = kept(await startHub(upstreams, ['m'], rules))
  const listen = async (query = '', headers: Record<string, string> = {}) =>
    kept(await listenAt(`${hub.url}?${query}`, { headers }))
  const join = (session: string, server: typeof a, own: string) =>
    hub.channel.joined(session, server.upstream, { server: server.upstream.id, session: own, revision: '2025-11-25' })
  return { a, b, m: fresh, child, hub, listen, join }
}

const listChanged = { jsonrpc: '2.0', method: 'notifications/tools/list_changed' }
const updated = (uri: string) => ({
  jsonrpc: '2.0' as const,
  method: 'notifications/resources/updated',
  params: { uri },
})
const log = (data: string) => ({
  jsonrpc: '2.0' as const,
  method: 'notifications/message',
  params: { level: 'info', data },
})
const answers = (hub: Hub, query: string, body: object) =>
  fetch(`${hub.url}?${query}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', ...body }),
  })

describe('the stream of a client', () => {
  it('carries what the servers of both eras and a child say of their lists, many changes as one', async () => {
    const { a, m, child, hub, listen } = await start()
    const client = await listen()
    expect(client.response.headers.get('content-type')).toBe('text/event-stream')
    await until(() => a.streams.size === 1 && m.streams.size === 1)
    for (let change = 0; change < 100; change++) a.say(listChanged)
    m.say({ jsonrpc: '2.0', method: 'notifications/prompts/list_changed' })
    child.say({ jsonrpc: '2.0', method: 'notifications/resources/list_changed' })
    await until(() => new Set(client.methods()).size === 3)
    expect(client.methods().length).toBeLessThanOrEqual(4)
    expect(client.heard.find(({ method }) => String(method).includes('prompts'))).toEqual({
      jsonrpc: '2.0',
      method: 'notifications/prompts/list_changed',
    })
    expect(new Set(hub.changed)).toEqual(new Set(['a', 'm', 'c']))
    expect(hub.errors).toEqual([])
  })

  it('says nothing of a server that the caller does not see, also when that changes while it is open', async () => {
    const { a, b, hub, listen } = await start()
    hub.rules.hidden.add('b')
    const client = await listen()
    await until(() => a.streams.size === 1)
    expect(b.opened).toBe(0)
    hub.rules.hidden.add('a')
    a.say(listChanged)
    await until(() => hub.changed.length === 1)
    hub.rules.hidden.delete('a')
    a.say({ jsonrpc: '2.0', method: 'notifications/prompts/list_changed' })
    await until(() => client.heard.length > 0)
    expect(client.methods()).toEqual(['notifications/prompts/list_changed'])
  })

  it('tells of resources that the client subscribed to and may read, by whichever server has them', async () => {
    const { a, m, child, hub, listen, join } = await start()
    hub.rules.unreadable.add('a:secret')
    const client = await listen()
    await join('s', a, 'of-ann')
    const subscribe = (upstream: Upstream, uri: string) =>
      hub.channel.subscribe({
        session: 's',
        upstream,
        uri,
        signal: AbortSignal.timeout(20_000),
        ask: async () => ({ jsonrpc: '2.0', id: 1, result: {} }),
      })
    await subscribe(a.upstream, 'a:docs')
    await subscribe(a.upstream, 'a:secret')
    await subscribe(child, 'c:docs')
    await subscribe(m.upstream, 'm:docs')
    await until(() =>
      m.posted.some(({ params }) => JSON.stringify(params).includes('"resourceSubscriptions":["m:docs"]')),
    )
    await until(() => m.streams.size === 2)
    for (const uri of ['a:docs', 'a:secret', 'a:other', 'm:docs']) a.say(updated(uri))
    for (const uri of ['c:docs', 'c:other', 'a:docs2']) child.say(updated(uri))
    m.say(updated('m:docs'))
    const uris = () => new Set(client.heard.map(({ params }) => (params as { uri?: unknown }).uri))
    await until(() => uris().size === 3)
    expect(uris()).toEqual(new Set(['a:docs', 'c:docs', 'm:docs']))
    await hub.channel.unsubscribe({
      session: 's',
      upstream: m.upstream,
      uri: 'm:docs',
      signal: AbortSignal.timeout(20_000),
      ask: () => Promise.reject(new Error('A server that is listened to is not asked.')),
    })
    await until(() => m.streams.size === 1)
  })

  it('keeps the log and the progress of others out, and its own in', async () => {
    const { a, child, hub, listen, join } = await start()
    const [ann, bob] = [await listen('user=ann&session=s1'), await listen('user=bob&session=s2')]
    await join('s1', a, 'of-ann')
    hub.channel.running.begin(
      's1',
      { id: 1, params: { _meta: { progressToken: 'p' } } },
      { server: 'a', cancel: () => undefined },
    )
    await until(() => a.streams.size === 2)
    const [shared, own] = [a.of('a-1'), a.of('of-ann')]
    const progress = (token: string) => ({
      jsonrpc: '2.0',
      method: 'notifications/progress',
      params: { progressToken: token },
    })
    const write = (stream: typeof own, message: object) => stream?.write(`data: ${JSON.stringify(message)}\n\n`)
    child.say(log('of the child'))
    write(shared, log('to everybody'))
    write(shared, progress('p'))
    write(own, log('to ann'))
    write(own, progress('q'))
    write(own, progress('p'))
    await until(() => ann.heard.length === 2)
    write(shared, listChanged)
    await until(() => bob.heard.length === 1 && ann.heard.length === 3)
    expect(ann.heard.slice(0, 2)).toEqual([log('to ann'), progress('p')])
    expect(bob.methods()).toEqual(['notifications/tools/list_changed'])
  })

  it('replays nothing: the id of an event is nobody’s (row E15)', async () => {
    const { a, b, listen, join } = await start()
    const first = await listen('user=ann&session=s1')
    await join('s1', a, 'of-ann')
    await until(() => a.streams.size === 2)
    for (const stream of a.streams) stream.write(`id: 17\ndata: ${JSON.stringify(log('to ann'))}\n\n`)
    await until(() => first.heard.length === 1)
    expect(first.state.text).not.toMatch(/^id/m)
    const second = await listen('user=bob&session=s2', { 'last-event-id': '17' })
    await until(() => b.opened > 0)
    for (const server of [a, b]) expect(server.posted.every((message) => !('last-event-id' in message))).toBe(true)
    expect(second.heard).toEqual([])
  })

  it('is one for each session: a client that comes back takes over', async () => {
    const { a, listen, join } = await start()
    const first = await listen('session=s')
    const other = await listen('session=t')
    await join('s', a, 'of-ann')
    const second = await listen('session=s')
    await until(() => first.state.over)
    expect(other.state.over).toBe(false)
    await until(() => a.opened === 3)
    a.of('of-ann')?.write(`data: ${JSON.stringify(log('still'))}\n\n`)
    await until(() => second.heard.length === 1)
  })

  it('ends with the credential, with the session, and takes a place that is free again', async () => {
    const { a, hub, listen } = await start({ streamsPerPrincipal: 1 })
    const first = await listen()
    expect((await listen()).response.status).toBe(429)
    for (const end of [...hub.ends]) end('expired')
    await until(() => first.state.over)
    await until(() => a.streams.size === 0)
    expect(hub.ends.size).toBe(0)
    const second = await listen()
    expect(second.response.status).toBe(200)
    hub.channel.end('s', NOBODY)
    await until(() => second.state.over)
    expect((await listen()).response.status).toBe(200)
  })
})

describe('a server that misbehaves', () => {
  it('is silent, dead or breaks off, and the others are heard; it is again when it is back', async () => {
    const { a, b, hub, listen, join } = await start()
    await b.close()
    opened.splice(opened.indexOf(b), 1)
    const client = await listen()
    await join('s', a, 'of-ann')
    await until(() => a.streams.size === 2)
    const before = a.opened
    for (const stream of [...a.streams]) stream.destroy()
    await until(() => a.opened >= before + 2 && a.streams.size === 2)
    a.say(log('back'))
    await until(() => client.heard.length === 1)
    expect(hub.errors).toEqual([])
  })

  it('floods, and is taken no faster than the client reads; others are heard in between', async () => {
    const { a, b, listen, join } = await start()
    const client = await listen()
    await join('s', a, 'of-ann')
    await join('s', b, 'of-ann')
    await until(() => a.streams.size === 2 && b.streams.size === 2)
    for (let message = 0; message < 2000; message++) a.say(log(`${message} ${'x'.repeat(500)}`))
    b.say(log('from b'))
    await until(() => client.heard.some(({ params }) => (params as { data?: unknown }).data === 'from b'))
    await until(() => client.heard.length === 2001)
  })

  it('has its events framed by us: no line of it ends one (row E26)', async () => {
    const { a, listen, join } = await start()
    const client = await listen()
    await join('s', a, 'of-ann')
    await until(() => a.streams.size === 2)
    const own = a.of('of-ann')
    own?.write(`event: endpoint\nid: 1\nretry: 1\ndata: ${JSON.stringify(log('a\n\nevent: x\ndata: y'))}\n\n`)
    own?.write(`data: {"jsonrpc":"2.0",\rdata: "method":"notifications/message","params":{"data":"cr"}}\r\r`)
    own?.write('data: {"jsonrpc":"2.0","id":1,"result":{"of":"another call"}}\n\ndata: not json\n\n: comment\n\n')
    own?.write(`data: ${JSON.stringify(log('nul \u0000'))}\n\n`)
    await until(() => client.heard.length === 3)
    expect(client.heard.map(({ params }) => (params as { data: string }).data)).toEqual([
      'a\n\nevent: x\ndata: y',
      'cr',
      'nul \u0000',
    ])
    expect(client.state.text.match(/^(?!event: message$|data: |$).*/gm)).toBeNull()
  })

  it('sends an event without end, and loses its stream', async () => {
    const { a, hub, listen, join } = await start()
    const client = await listen()
    await join('s', a, 'of-ann')
    await until(() => a.streams.size === 2)
    const before = a.opened
    a.write(`data: ${'x'.repeat(100_000)}`)
    await until(() => a.opened >= before + 2)
    a.say(log('small'))
    await until(() => client.heard.length === 1)
    expect(hub.errors).toEqual([])
  })
})

describe('a client that does not read (row E36)', () => {
  /** Reads nothing until it is told to. */
  async function startReader(rules: Partial<Rules>) {
    const all = await start(rules)
    const socket = connect(Number(new URL(all.hub.url).port), '127.0.0.1').on('error', () => undefined)
    kept({ close: async () => void socket.destroy() })
    socket.write('GET /?session=s HTTP/1.1\r\nHost: hub\r\n\r\n')
    await once(socket, 'data')
    socket.pause()
    await all.join('s', all.a, 'of-ann')
    await until(() => all.a.streams.size === 2)
    const say = (text: string) => all.a.of('of-ann')?.write(`data: ${JSON.stringify(log(text))}\n\n`)
    return { ...all, socket, say }
  }
  const TEXT = 'x'.repeat(50_000)

  it('holds its servers up, and gets all of it when it reads', async () => {
    const { a, socket, say } = await startReader({ streamBuffer: 200_000, streamStall: 60_000 })
    for (let at = 0; at < 600; at++) say(TEXT)
    say('the last')
    await until(() => (a.of('of-ann')?.writableLength ?? 0) > 1_000_000)
    let tail = ''
    socket.on('data', (chunk) => {
      tail = (tail + chunk).slice(-200)
    })
    socket.resume()
    await until(() => tail.includes('the last'))
  })

  it('loses its stream when it stands still', async () => {
    const { a, say } = await startReader({ streamBuffer: 200_000, streamStall: 50 })
    for (let at = 0; at < 600; at++) say(TEXT)
    await until(() => a.streams.size === 0)
  })

  it('loses its stream when what cannot be held up is too much', async () => {
    const { a, child, hub } = await startReader({ streamBuffer: 200_000, streamStall: 60_000 })
    const uri = `c:${TEXT}`
    await hub.channel.subscribe({
      session: 's',
      upstream: child,
      uri,
      signal: AbortSignal.timeout(20_000),
      ask: async () => ({ jsonrpc: '2.0', id: 1, result: {} }),
    })
    for (let at = 0; at < 600; at++) child.say(updated(uri))
    await until(() => a.streams.size === 0)
  })
})

describe('a question of a server', () => {
  const question = (id: unknown, method = 'roots/list', params?: object) => ({
    jsonrpc: '2.0',
    id,
    method,
    ...(params && { params }),
  })

  async function ask(...asked: object[]) {
    const all = await start()
    all.hub.client.capabilities = { roots: {}, elicitation: { url: {} } }
    const client = await all.listen('user=ann&session=s1')
    await all.join('s1', all.a, 'of-ann')
    await until(() => all.a.streams.size === 2)
    const [shared, own] = [all.a.of('a-1'), all.a.of('of-ann')]
    for (const each of asked) own?.write(`data: ${JSON.stringify(each)}\n\n`)
    return { ...all, client, shared, own }
  }
  const responses = (posted: readonly Record<string, unknown>[]) =>
    posted.filter((message) => 'result' in message || 'error' in message)

  it('reaches the client under an id of ours, and its answer the very session that asked', async () => {
    const { a, b, hub, client } = await ask(question(7), question('7'), question(8, 'ping'))
    await until(() => client.heard.length === 3)
    const ids = client.heard.map(({ id }) => String(id))
    expect(client.heard[0]).toEqual({ jsonrpc: '2.0', id: ids[0], method: 'roots/list' })
    expect(new Set(ids).size).toBe(3)
    const taken = await answers(hub, 'user=ann&session=s1', { id: ids[1], result: { roots: [{ uri: 'file:///x' }] } })
    expect([taken.status, taken.headers.get('x-became')]).toEqual([202, 'taken'])
    await answers(hub, 'user=ann&session=s1', { id: ids[2], error: { code: -1, message: 'No.' } })
    expect(responses(a.posted)).toEqual([
      { jsonrpc: '2.0', id: '7', result: { roots: [{ uri: 'file:///x' }] }, session: 'of-ann' },
      { jsonrpc: '2.0', id: 8, error: { code: -1, message: 'No.' }, session: 'of-ann' },
    ])
    expect(b.posted.filter((message) => 'result' in message)).toEqual([])
  })

  it('is answered by nobody else, from no other session, with no other id and only once (rows E12, E14, E37)', async () => {
    const { a, hub, client } = await ask(question(7))
    await until(() => client.heard.length === 1)
    const { id } = client.heard[0] ?? {}
    const became = async (query: string, answered: unknown) =>
      (await answers(hub, query, { id: answered, result: {} })).headers.get('x-became')
    expect(await became('user=bob&session=s1', id)).toBe('stray')
    expect(await became('user=ann&session=s2', id)).toBe('stray')
    for (const made of [7, '7', 'x'.repeat(80)]) expect(await became('user=ann&session=s1', made)).toBe('stray')
    expect(responses(a.posted)).toEqual([])
    expect(await became('user=ann&session=s1', id)).toBe('taken')
    expect(await became('user=ann&session=s1', id)).toBe('stray')
    expect(responses(a.posted)).toHaveLength(1)
  })

  it('goes no further than what the client declared, and the server is told so', async () => {
    const link = (url: string) => ({ mode: 'url', url, elicitationId: 'e', message: 'Sign in.' })
    const { a, client } = await ask(
      question(1, 'sampling/createMessage', { messages: [] }),
      question(2, 'elicitation/create', link('javascript:alert(1)')),
      question(3, 'elicitation/create', link('http://evil.example/')),
      question(4, 'tools/call', { name: 'x' }),
      question('x'.repeat(300)),
      question(null),
      question(5, 'elicitation/create', link('https://login.example.com/')),
    )
    await until(() => client.heard.length === 1 && responses(a.posted).length === 4)
    expect(client.heard[0]).toMatchObject({
      method: 'elicitation/create',
      params: { url: 'https://login.example.com/' },
    })
    const refused = responses(a.posted).map(({ id, error, session }) => [id, (error as { code: number }).code, session])
    expect(refused.sort()).toEqual([
      [1, -32601, 'of-ann'],
      [2, -32602, 'of-ann'],
      [3, -32602, 'of-ann'],
      [4, -32601, 'of-ann'],
    ])
  })

  it('is not heard where everybody listens: nobody knows whom it is for', async () => {
    const { client, shared, own } = await ask()
    shared?.write(`data: ${JSON.stringify(question(1))}\n\n`)
    own?.write(`data: ${JSON.stringify(question(2))}\n\n`)
    await until(() => client.heard.length === 1)
    shared?.write(`data: ${JSON.stringify(listChanged)}\n\n`)
    await until(() => client.heard.length === 2)
    expect(client.methods()).toEqual(['roots/list', 'notifications/tools/list_changed'])
  })

  it('is taken back under the id that the client knows', async () => {
    const { client, own } = await ask(question(7))
    await until(() => client.heard.length === 1)
    for (const requestId of [8, 7])
      own?.write(
        `data: ${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId } })}\n\n`,
      )
    await until(() => client.heard.length === 2)
    expect(client.heard[1]).toMatchObject({
      method: 'notifications/cancelled',
      params: { requestId: client.heard[0]?.['id'] },
    })
  })
})
