// Subscriptions of a client of the handshake era at the aggregate, by what the server is.
import { afterEach, describe, expect, it } from 'vitest'
import type { Upstream } from '../../../upstreams/upstream.ts'
import { listenAt, NOBODY, startHub, until } from './fan-in.support.ts'
import { startChild, startLegacyServer, startModernServer } from './scripted.support.ts'

const opened: { close(): Promise<unknown> }[] = []
afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.close()
})
const kept = <T extends { close(): Promise<unknown> }>(each: T): T => {
  opened.push(each)
  return each
}

async function start() {
  const a = kept(await startLegacyServer('a'))
  const m = kept(await startModernServer('m'))
  const child = startChild('c')
  const hub = kept(await startHub({ a: a.upstream, m: m.upstream, c: child }, ['m']))
  const asked: string[] = []
  const act = (way: 'subscribe' | 'unsubscribe', session: string, upstream: Upstream, refused = false) => {
    const uri = `${upstream.id}:docs`
    return hub.channel[way]({
      session,
      upstream,
      uri,
      signal: AbortSignal.timeout(20_000),
      async ask() {
        asked.push(`${way} ${session} ${uri}`)
        const said = refused ? { error: { code: -32602, message: 'No.' } } : { result: {} }
        return { jsonrpc: '2.0', id: 1, ...said }
      },
    })
  }
  const join = (own: string) =>
    hub.channel.joined('s', a.upstream, { server: 'a', session: own, revision: '2025-11-25' })
  const listen = async (session = 's') => kept(await listenAt(`${hub.url}?session=${session}`))
  return { a, m, child, hub, asked, act, join, listen }
}

const updated = (uri: string) => ({
  jsonrpc: '2.0' as const,
  method: 'notifications/resources/updated',
  params: { uri },
})
const changed = { jsonrpc: '2.0' as const, method: 'notifications/tools/list_changed' }

describe('a subscription', () => {
  it('is the server’s to refuse, and one that was refused is none', async () => {
    const { a, act, join, listen } = await start()
    const client = await listen()
    await join('of-ann')
    await until(() => a.streams.size === 2)
    expect((await act('subscribe', 's', a.upstream, true))?.error?.code).toBe(-32602)
    a.of('of-ann')?.write(`data: ${JSON.stringify(updated('a:docs'))}\n\ndata: ${JSON.stringify(changed)}\n\n`)
    await until(() => client.heard.length === 1)
    expect(client.methods()).toEqual([changed.method])
    expect((await act('subscribe', 's', a.upstream))?.result).toEqual({})
    a.of('of-ann')?.write(`data: ${JSON.stringify(updated('a:docs'))}\n\n`)
    await until(() => client.heard.length === 2)
  })

  it('outlives the session at the server: it is asked for again in the next', async () => {
    const { a, act, join } = await start()
    await join('first')
    await act('subscribe', 's', a.upstream)
    await join('first')
    await join('second')
    const again = () => a.posted.filter(({ method }) => method === 'resources/subscribe')
    await until(() => again().some(({ session }) => session === 'second'))
    expect(again()).toMatchObject([{ params: { uri: 'a:docs' }, session: 'second' }])
  })

  it('at a child ends when the last who wanted it leaves, or is gone', async () => {
    const { child, hub, asked, act } = await start()
    for (const session of ['s1', 's2', 's3']) await act('subscribe', session, child)
    expect(await act('unsubscribe', 's1', child)).toBeUndefined()
    expect(asked.filter((each) => each.startsWith('unsubscribe'))).toEqual([])
    hub.channel.end('s2', NOBODY)
    expect(child.asked).toEqual([])
    hub.channel.end('s3', NOBODY)
    await until(() => child.asked.length > 0)
    expect(child.asked).toMatchObject([{ method: 'resources/unsubscribe', params: { uri: 'c:docs' } }])
    await act('subscribe', 's1', child)
    await act('unsubscribe', 's1', child)
    expect(asked.at(-1)).toBe('unsubscribe s1 c:docs')
  })

  it('at a server of 2026-07-28 is listened to, as long as the client listens', async () => {
    const { m, asked, act, listen } = await start()
    expect(await act('subscribe', 's', m.upstream)).toBeUndefined()
    expect(m.opened).toBe(0)
    const client = await listen()
    await until(() => m.streams.size === 2)
    m.say(updated('m:docs'))
    // Once on each of the streams that it was asked for: this server does not look at what they are for.
    await until(() => client.heard.length === 2)
    expect(client.heard[1]).toEqual(updated('m:docs'))
    await act('unsubscribe', 's', m.upstream)
    await until(() => m.streams.size === 1)
    expect(asked).toEqual([])
  })

  it('is one of a thousand at most', async () => {
    const { child, hub, act } = await start()
    const ask = async () => ({ jsonrpc: '2.0' as const, id: 1, result: {} })
    const signal = AbortSignal.timeout(20_000)
    for (let at = 0; at < 1000; at++)
      await hub.channel.subscribe({ session: 's', upstream: child, uri: `c:${at}`, signal, ask })
    await expect(act('subscribe', 's', child)).rejects.toThrow('Too many subscriptions.')
    expect((await act('subscribe', 't', child))?.result).toEqual({})
  })
})

it('a question of a server that is there no more is answered to nobody', async () => {
  const { a, hub, join, listen } = await start()
  hub.client.capabilities = { roots: {} }
  const client = await listen()
  await join('of-ann')
  await until(() => a.streams.size === 2)
  a.of('of-ann')?.write('data: {"jsonrpc":"2.0","id":7,"method":"roots/list"}\n\n')
  await until(() => client.heard.length === 1)
  delete hub.upstreams['a']
  const response = await fetch(`${hub.url}?session=s`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: client.heard[0]?.['id'], result: {} }),
  })
  expect([response.status, response.headers.get('x-became')]).toEqual([202, 'stray'])
})
