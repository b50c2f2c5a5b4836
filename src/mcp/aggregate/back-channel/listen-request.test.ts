// `subscriptions/listen` of a modern client at the aggregate, over real sockets: catalogue rows E15 and E18.
import { afterEach, describe, expect, it, vi } from 'vitest'
import { listenAt, listenRequest, type Rules, startHub, until } from './fan-in.support.ts'
import { startChild, startLegacyServer, startModernServer } from './scripted.support.ts'

const opened: { close(): Promise<unknown> }[] = []
afterEach(async () => {
  vi.useRealTimers()
  for (const each of opened.splice(0).reverse()) await each.close()
})
const kept = <T extends { close(): Promise<unknown> }>(each: T): T => {
  opened.push(each)
  return each
}

async function start(rules: Partial<Rules> = {}) {
  const old = kept(await startLegacyServer('a'))
  const fresh = kept(await startModernServer('m'))
  const child = startChild('c')
  const hub = kept(await startHub({ a: old.upstream, m: fresh.upstream, c: child }, ['m'], rules))
  const listen = async (notifications: unknown, id?: number | string) =>
    kept(await listenAt(hub.url, listenRequest(notifications, id)))
  return { a: old, m: fresh, child, hub, listen }
}

const ALL = { toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true }
const changed = (list: string) => ({ jsonrpc: '2.0' as const, method: `notifications/${list}/list_changed` })
const updated = (uri: string) => ({
  jsonrpc: '2.0' as const,
  method: 'notifications/resources/updated',
  params: { uri },
})
const id = (value: unknown) => ({ 'io.modelcontextprotocol/subscriptionId': value })

describe('a listening request', () => {
  it('is acknowledged first, once the servers are listened to, and carries the id of the client’s own request', async () => {
    // Its patience with the servers does not end here: the word comes because they are listened to.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const { a, m, child, hub, listen } = await start()
    const client = await listen(ALL, 'mine')
    await until(() => client.heard.length === 1)
    expect(client.heard[0]).toEqual({
      jsonrpc: '2.0',
      method: 'notifications/subscriptions/acknowledged',
      params: { notifications: ALL, _meta: id('mine') },
    })
    expect([a.streams.size, m.streams.size]).toEqual([1, 1])
    m.say(changed('tools'))
    a.say(changed('prompts'))
    child.say(changed('resources'))
    await until(() => client.heard.length === 4)
    expect(new Set(client.methods().slice(1))).toEqual(
      new Set(['tools', 'prompts', 'resources'].map((list) => changed(list).method)),
    )
    for (const { params } of client.heard) expect(params).toMatchObject({ _meta: id('mine') })
    expect(hub.errors).toEqual([])
  })

  it('waits for no server that does not come, and nothing is heard before its first word', async () => {
    const { a, m, hub, listen } = await start()
    const late = Promise.withResolvers<void>()
    a.hold = late.promise
    const client = await listen({ toolsListChanged: true })
    await until(() => m.streams.size === 1)
    m.say(changed('tools'))
    await until(() => hub.changed.length === 1)
    await until(() => client.heard.length === 2)
    expect(client.methods()).toEqual(['notifications/subscriptions/acknowledged', 'notifications/tools/list_changed'])
    late.resolve()
    await until(() => a.streams.size === 1)
    a.say(changed('tools'))
    await until(() => client.heard.length === 3)
  })

  it('hears only what it asked for', async () => {
    const { a, hub, listen } = await start()
    const client = await listen({ toolsListChanged: true, promptsListChanged: false })
    await until(() => client.heard.length === 1 && a.streams.size === 1)
    a.say(changed('prompts'))
    a.say({ jsonrpc: '2.0', method: 'notifications/message', params: { data: 'x' } })
    a.say({ jsonrpc: '2.0', id: 1, method: 'roots/list' })
    a.say(changed('tools'))
    await until(() => client.heard.length === 2)
    expect(client.heard[0]).toMatchObject({ params: { notifications: { toolsListChanged: true } } })
    expect(client.methods()[1]).toBe('notifications/tools/list_changed')
    expect(new Set(hub.changed)).toEqual(new Set(['a']))
  })

  it('is granted as far as the caller may hear: what is hidden is left out like what is nowhere (row E18)', async () => {
    const { a, m, child, hub, listen } = await start()
    hub.rules.unreadable.add('m:secret')
    hub.rules.hidden.add('c')
    const asked = ['a:docs', 'm:docs', 'm:secret', 'c:docs', 'nowhere:docs']
    const client = await listen({ resourceSubscriptions: asked }, 9)
    await until(() => client.heard.length === 1 && a.streams.size === 1 && m.streams.size === 1)
    await until(() => a.posted.some(({ method }) => method === 'resources/subscribe'))
    expect(client.heard[0]?.['params']).toEqual({
      notifications: { resourceSubscriptions: ['a:docs', 'm:docs'] },
      _meta: id(9),
    })
    const subscribed = a.posted.filter(({ method }) => method === 'resources/subscribe').map(({ params }) => params)
    expect(subscribed).toEqual([{ uri: 'a:docs' }])
    expect(m.posted.map(({ params }) => (params as { notifications: unknown }).notifications)).toEqual([
      { resourceSubscriptions: ['m:docs'] },
    ])
    for (const uri of ['m:secret', 'm:other', 'a:docs']) m.say(updated(uri))
    m.say(updated('m:docs'))
    a.say(updated('a:docs'))
    child.say(updated('c:docs'))
    await until(() => client.heard.length === 3)
    expect(new Set(client.heard.slice(1).map(({ params }) => (params as { uri: string }).uri))).toEqual(
      new Set(['m:docs', 'a:docs']),
    )
    expect(client.heard[1]).toMatchObject({ params: { _meta: id(9) } })
  })

  it('asks a child once for what it wants, and lets go of it with the last who wanted it', async () => {
    const { child, listen } = await start()
    const asked = () => child.asked.map(({ method, params }) => `${method} ${params?.['uri']}`)
    const first = await listen({ resourceSubscriptions: ['c:docs'] }, 1)
    const second = await listen({ resourceSubscriptions: ['c:docs', 'c:more'] }, 2)
    await until(() => first.heard.length === 1 && second.heard.length === 1)
    child.say(updated('c:docs'))
    child.say(updated('c:more'))
    await until(() => first.heard.length === 2 && second.heard.length === 3)
    await second.close()
    await until(() => asked().includes('resources/unsubscribe c:more'))
    expect(asked()).not.toContain('resources/unsubscribe c:docs')
    await first.close()
    await until(() => asked().includes('resources/unsubscribe c:docs'))
  })

  it('shares one stream of a server about its lists among all who listen, and closes it after the last', async () => {
    const { m, listen } = await start()
    const clients = await Promise.all([1, 2, 3].map((at) => listen({ toolsListChanged: true }, at)))
    await until(() => clients.every(({ heard }) => heard.length === 1) && m.streams.size > 0)
    expect(m.opened).toBe(1)
    await clients[0]?.close()
    m.say(changed('tools'))
    await until(() => clients.slice(1).every(({ heard }) => heard.length === 2))
    for (const client of clients) await client.close()
    await until(() => m.streams.size === 0)
  })

  it('ends with a result where nothing can ever be heard', async () => {
    const { hub, listen } = await start()
    for (const server of ['a', 'm', 'c']) hub.rules.hidden.add(server)
    const client = await listen({ ...ALL, resourceSubscriptions: ['a:docs'] }, 'x')
    await until(() => client.state.over)
    expect(client.heard).toEqual([
      {
        jsonrpc: '2.0',
        method: 'notifications/subscriptions/acknowledged',
        params: { notifications: {}, _meta: id('x') },
      },
      { jsonrpc: '2.0', id: 'x', result: { resultType: 'complete', _meta: id('x') } },
    ])
  })

  it.each([
    ['draining', { result: { resultType: 'complete', _meta: id('x') } }],
    ['revoked', { error: { code: -32603, message: 'The credential of this stream has ended.' } }],
  ] as const)('ends when it must (%s), with a last word', async (reason, word) => {
    const { a, m, hub, listen } = await start({ streamsPerPrincipal: 1 })
    const client = await listen(ALL, 'x')
    await until(() => client.heard.length === 1)
    expect((await listen(ALL)).response.status).toBe(429)
    for (const end of [...hub.ends]) end(reason)
    await until(() => client.state.over)
    expect(client.heard.at(-1)).toEqual({ jsonrpc: '2.0', id: 'x', ...word })
    await until(() => a.streams.size === 0 && m.streams.size === 0)
    expect((await listen(ALL)).response.status).toBe(200)
  })

  it('gives up at servers of the handshake era what it listened to; the session is that of the person’s calls', async () => {
    const { a, listen } = await start()
    const client = await listen({ resourceSubscriptions: ['a:docs'] })
    await until(() => a.streams.size === 1)
    await client.close()
    const given = () => a.posted.find(({ method }) => method === 'resources/unsubscribe')
    await until(() => given() !== undefined)
    expect(given()).toMatchObject({ session: 'a-1', params: { uri: 'a:docs' } })
    expect(a.ended).toEqual([])
  })

  it.each([undefined, 'all', [], { resourceSubscriptions: 'a:docs' }, { resourceSubscriptions: [7] }])(
    'is refused for a filter that is none: %o',
    async (notifications) => {
      const { hub } = await start()
      const response = await fetch(hub.url, listenRequest(notifications))
      expect(response.status).toBe(400)
      expect(await response.json()).toMatchObject({ error: { code: -32602 } })
    },
  )
})
