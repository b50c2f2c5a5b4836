// Listening in the session in which the person's calls run: one stream of it, shared, and what is subscribed to there.
import type { ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, expect, it } from 'vitest'
import type { Principal } from '../../protocol/principal.ts'
import { listeningSource, type Message as Said } from '../aggregate/back-channel/sources.ts'
import { createBridge } from './call.ts'
import { error, events, json, type Message, person, result, startServer } from './servers.support.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

const ABLE = { elicitation: { form: {} } }
const updated = (uri: string) => ({ jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri } })

/** Tells of a change in the session in which a tool was called, and there of what was subscribed to; one stream a session, or none. */
async function start({ hasStream = true } = {}) {
  const sessions = new Map<string, { readonly uris: Set<string>; stream?: ServerResponse }>()
  let [opened, refused] = [0, 0]
  const server = await startServer(async (message: Message, req, res) => {
    const { method, params = {} } = message
    if (method === 'server/discover') return void res.writeHead(404).end()
    if (method === 'initialize') {
      const id = `s${++opened}`
      sessions.set(id, { uris: new Set() })
      const said = { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: { name: 's', version: '1' } }
      return json(res, result(message, said), 200, { 'Mcp-Session-Id': id })
    }
    const session = sessions.get(String(req.headers['mcp-session-id']))
    if (session === undefined) return json(res, error(message, -32001, 'Session not found'), 404)
    if (method === 'GET') {
      if (!hasStream) return void res.writeHead(405).end()
      if (session.stream !== undefined) refused += 1
      if (session.stream !== undefined) return void res.writeHead(409).end()
      session.stream = res
      return events(res).flushHeaders()
    }
    if (method === 'resources/subscribe') session.uris.add(String(params['uri']))
    if (method === 'resources/unsubscribe') session.uris.delete(String(params['uri']))
    if (method === 'tools/call' && session.stream !== undefined)
      events(session.stream, ...[...session.uris].map(updated), { jsonrpc: '2.0', method: 'notifications/x', id: 1 })
    if (message.id === undefined) return void res.writeHead(202).end()
    json(res, result(message, { content: [] }))
  })
  const bridge = createBridge({ report: () => undefined, clock: Date.now })
  closing.push(server.close, () => bridge.close())
  const call = (principal: Principal, capabilities = {}) =>
    bridge.bridgeCall(server.upstream, {
      principal,
      message: { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'change' } },
      hello: { revision: '2026-07-28', capabilities, clientInfo: { name: 'c', version: '1' } },
      signal: AbortSignal.timeout(5000),
      onNotification: () => undefined,
      ask: () => undefined,
    })
  async function listen(principal: Principal, uris: readonly string[], capabilities = {}) {
    const stop = new AbortController()
    const heard: unknown[] = []
    const state = { opened: 0, over: false }
    const needs = { eraOf: bridge.eraOf, mostBytes: 65_536, waits: { first: 10, most: 20 } }
    const reached = { server: 'a', get: () => server.upstream }
    const run = listeningSource(needs, reached, uris, bridge.listenAs(principal, capabilities))
      .run(
        (message: Said) => void heard.push((message['params'] as { uri?: unknown } | undefined)?.uri),
        stop.signal,
        () => state.opened++,
      )
      .finally(() => {
        state.over = true
      })
    closing.push(() => stop.abort())
    await until(() => state.opened > 0 || state.over)
    return { heard, state, run, stop }
  }
  return { server, bridge, sessions, call, listen, refused: () => refused }
}

async function until(holds: () => boolean): Promise<void> {
  for (let left = 4000; !holds(); left--) {
    if (left === 0) throw new Error('It never came true.')
    await delay(5)
  }
}

it.each([{}, ABLE])(
  'hears what the person’s own calls bring about, on the one stream of the session: %j',
  async (able) => {
    const { sessions, call, listen, refused } = await start()
    const [ann, bob] = [person('ann'), person('bob')]
    if (able === ABLE) await call(ann, able)
    const [hers, his] = [await listen(ann, ['x:1'], able), await listen(bob, ['x:1'], able)]
    await call(ann, able)
    await until(() => hers.heard.length === 1)
    // What comes to him first is of a call of his own.
    expect(his.heard).toEqual([])
    await call(bob, able)
    await until(() => his.heard.length === 1)
    expect([hers.heard, his.heard, sessions.size, refused()]).toEqual([['x:1'], ['x:1'], 2, 0])
  },
)

it('gives up what no other listener of the person wants, and the session stays for the calls', async () => {
  const { sessions, call, listen } = await start()
  const ann = person('ann')
  const one = await listen(ann, ['x:1', 'x:2'])
  const two = await listen(ann, ['x:2', 'x:3'])
  const uris = () => [...(sessions.get('s1')?.uris ?? [])]
  expect(uris()).toEqual(['x:1', 'x:2', 'x:3'])
  one.stop.abort()
  await one.run
  await until(() => !uris().includes('x:1'))
  expect(uris()).toEqual(['x:2', 'x:3'])
  await call(ann)
  await until(() => two.heard.length === 2)
  expect([one.heard, two.heard, sessions.size]).toEqual([[], ['x:2', 'x:3'], 1])
})

it('opens another session for one that was lost, and subscribes there', async () => {
  const { sessions, call, listen } = await start()
  const ann = person('ann')
  const one = await listen(ann, ['x:1'])
  sessions.clear()
  // The call finds out; it may not be repeated.
  await expect(call(ann)).rejects.toThrow()
  await until(() => one.state.opened === 2)
  expect([...(sessions.get('s2')?.uris ?? [])]).toEqual(['x:1'])
  await call(ann)
  await until(() => one.heard.length === 1)
})

it('finds out by itself that the session was lost, when the stream has ended with it', async () => {
  const { sessions, listen } = await start()
  const one = await listen(person('ann'), ['x:1'])
  const { stream } = sessions.get('s1') ?? {}
  sessions.clear()
  stream?.end()
  await until(() => one.state.opened === 2)
  expect([...(sessions.get('s2')?.uris ?? [])]).toEqual(['x:1'])
})

it('follows the person to another account', async () => {
  const { bridge, sessions, listen } = await start()
  const one = await listen(person('ann'), ['x:1'])
  bridge.forgetPrincipal('a', 'ann')
  await until(() => one.state.opened === 2)
  expect([...(sessions.get('s2')?.uris ?? [])]).toEqual(['x:1'])
})

it.each([[['x:1']], [[]]])('is over where the session has no stream: %j', async (uris) => {
  const { listen, sessions } = await start({ hasStream: false })
  const one = await listen(person('ann'), uris)
  await one.run
  expect([one.state.opened, sessions.size]).toEqual([0, 1])
})

it('gives nobody a session of their own, which ends with the listening', async () => {
  const { bridge, listen, server } = await start()
  const nobody = { ...person('anonymous'), kind: 'anonymous' as const }
  const [one, two] = [await listen(nobody, ['x:1']), await listen(nobody, ['x:1'])]
  expect(bridge.sessions()).toBe(2)
  for (const each of [one, two]) each.stop.abort()
  await Promise.all([one.run, two.run])
  await until(() => server.seen.filter(({ method }) => method === 'DELETE').length === 2)
  expect(bridge.sessions()).toBe(0)
})
