// The door in front of a child process.
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { RpcNotification } from '../../protocol/jsonrpc.ts'
import { call, type Door, openDoor, rpc, until } from '../endpoint.support.ts'

let door: Door
beforeEach(async () => {
  door = await openDoor()
})
afterEach(() => door.close())

describe('a child process', () => {
  const initialize = {
    jsonrpc: '2.0',
    id: 0,
    method: 'initialize',
    params: { protocolVersion: '2025-06-18', capabilities: {} },
  }
  const open = async (token = 'alice') => {
    const answer = await door.post(initialize, {}, 'child', token)
    return { session: answer.headers.get('mcp-session-id') ?? '', body: await rpc(answer) }
  }
  const ask = (session: string, body: unknown, token = 'alice') =>
    door.post(body, { 'mcp-session-id': session }, 'child', token)

  it('shakes hands in the client’s revision, and offers neither logging nor tasks', async () => {
    const { session, body } = await open()
    expect(session).toMatch(/^[\w-]{80,}$/)
    expect(body).toEqual({
      jsonrpc: '2.0',
      id: 0,
      result: { protocolVersion: '2025-06-18', capabilities: { tools: {} }, serverInfo: { name: 'child' } },
    })
    expect(
      (await rpc(await ask(session, { jsonrpc: '2.0', id: 1, method: 'logging/setLevel', params: { level: 'debug' } })))
        .error.code,
    ).toBe(-32601)
    expect(door.child.asked).toEqual([])
  })

  it('takes requests in their session only', async () => {
    const { session } = await open()
    expect(await rpc(await ask(session, { jsonrpc: '2.0', id: 1, method: 'ping' }))).toEqual({
      jsonrpc: '2.0',
      id: 1,
      result: {},
    })
    expect((await rpc(await ask(session, call('read', 2)))).result).toEqual({ said: 'tools/call' })
    expect((await door.post(call('read'), {}, 'child')).status).toBe(400)
    expect((await ask('x', call('read'))).status).toBe(404)
    expect((await ask(session, call('read'), 'bob')).status).toBe(404)
    expect(
      (await door.post(call('read'), { 'mcp-session-id': session, 'mcp-protocol-version': '1999-01-01' }, 'child'))
        .status,
    ).toBe(400)
    expect(door.child.asked).toEqual(['tools/call'])
    const ended = await fetch(door.url('child'), {
      method: 'DELETE',
      headers: { authorization: 'Bearer alice', 'mcp-session-id': session },
    })
    expect(ended.status).toBe(200)
    expect((await ask(session, call('read'))).status).toBe(404)
  })

  it('filters its lists', async () => {
    const { session } = await open()
    door.gate.state.view = 'some'
    expect((await rpc(await ask(session, { jsonrpc: '2.0', id: 1, method: 'tools/list' }))).result).toEqual({
      tools: [{ name: 'read' }],
    })
    expect((await rpc(await ask(session, call('secret')))).error.message).toBe('Unknown tool: secret')
  })

  it('of one caller’s own offers logging, and tells each session’s level to it, with its calls again', async () => {
    const wanted: string[] = []
    Object.assign(door.child, { personal: true, wantLogs: async (level: string) => void wanted.push(level) })
    const { session, body } = await open()
    expect(body.result['capabilities']).toEqual({ tools: {}, logging: {} })
    const set = async (level: string) =>
      rpc(await ask(session, { jsonrpc: '2.0', id: 1, method: 'logging/setLevel', params: { level } }))
    expect((await set('loud')).error.code).toBe(-32602)
    await ask(session, call('read', 2))
    expect(wanted).toEqual([])
    expect((await set('warning')).result).toEqual({})
    await ask(session, call('read', 3))
    expect(wanted).toEqual(['warning', 'warning'])
    const headers = { authorization: 'Bearer alice', accept: 'text/event-stream', 'mcp-session-id': session }
    const stream = await fetch(door.url('child'), { headers })
    for (const level of ['info', 'error'])
      door.child.say({ jsonrpc: '2.0', method: 'notifications/message', params: { level } })
    const taken = await fetch(door.url('child'), { headers })
    expect((await stream.text()).match(/"level":"[^"]+"/g)).toEqual(['"level":"error"'])
    await taken.body?.cancel()
  })

  it('streams from the first progress on', async () => {
    const { session } = await open()
    const answer = await ask(session, call('slow', 's'))
    expect(answer.headers.get('content-type')).toBe('text/event-stream')
    door.child.gate.resolve()
    const events = (await answer.text()).split('\n\n')
    expect(events[0]).toContain('notifications/progress')
    expect(events[1]).toContain('"id":"s","result"')
  })

  it('E37: cancels only what the session runs itself', async () => {
    const alice = await open('alice')
    const bob = await open('bob')
    const answer = await ask(alice.session, call('slow', 1))
    const cancel = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } }
    expect((await ask(bob.session, cancel, 'bob')).status).toBe(202)
    expect((await ask(alice.session, { ...cancel, params: { requestId: '1' } })).status).toBe(202)
    await delay(20)
    expect(door.gate.events.some(({ outcome, name }) => outcome === 'cancelled' && name === 'slow')).toBe(false)
    expect((await ask(alice.session, cancel)).status).toBe(202)
    expect(await answer.text()).toContain('cancelled')
  })

  it('E18: a listener hears list changes, and of resources only those it asked for and may see', async () => {
    const { session } = await open()
    door.gate.state.view = 'some'
    const subscribe = (uri: string) =>
      ask(session, { jsonrpc: '2.0', id: 1, method: 'resources/subscribe', params: { uri } })
    expect((await rpc(await subscribe('file:///docs'))).result).toEqual({ said: 'resources/subscribe' })
    expect((await rpc(await subscribe('file:///etc'))).error.code).toBe(-32002)
    const headers = { authorization: 'Bearer alice', accept: 'text/event-stream', 'mcp-session-id': session }
    const stream = await fetch(door.url('child'), { headers })
    const updated = (uri: string): RpcNotification => ({
      jsonrpc: '2.0',
      method: 'notifications/resources/updated',
      params: { uri },
    })
    door.child.say(updated('file:///etc'))
    door.child.say(updated('file:///other'))
    door.child.say({ jsonrpc: '2.0', method: 'notifications/message', params: { data: 'of somebody' } })
    door.child.say(updated('file:///docs'))
    door.child.say({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' })
    const taken = await fetch(door.url('child'), { headers })
    const text = await stream.text()
    expect(text.match(/"method":"[^"]+"/g)).toEqual([
      '"method":"notifications/resources/updated"',
      '"method":"notifications/tools/list_changed"',
    ])
    expect(text).not.toContain('etc')
    await taken.body?.cancel()
  })

  it('counts listeners by principal, and gives their places back', async () => {
    const sessions = await Promise.all(Array.from({ length: 5 }, async () => (await open()).session))
    const listen = (session: string) =>
      fetch(door.url('child'), {
        headers: { authorization: 'Bearer alice', accept: 'text/event-stream', 'mcp-session-id': session },
      })
    const answers = await Promise.all(sessions.map(listen))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 200, 429, 429])
    await Promise.all(answers.map((answer) => answer.body?.cancel()))
    await until(() => door.gate.ends.size === 0)
    for (let at = 0; at < 5; at++) expect((await listen('forged')).status).toBe(404)
    const again = await listen(sessions[0] ?? '')
    expect(again.status).toBe(200)
    await again.body?.cancel()
  })
})
