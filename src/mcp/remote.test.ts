// Sessions of the handshake era at a remote upstream.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ACCEPT, call, type Door, json, modern, modernHeaders, openDoor, rpc, sse } from './endpoint.support.ts'

let door: Door
beforeEach(async () => {
  door = await openDoor()
})
afterEach(() => door.close())

describe('sessions of a remote upstream', () => {
  const initialize = {
    jsonrpc: '2.0',
    id: 0,
    method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {} },
  }
  const open = async (token = 'alice') => {
    door.canary.state.answer = (_, res, body) =>
      void json(
        res,
        { jsonrpc: '2.0', id: JSON.parse(body || '{"id":0}').id, result: {} },
        { 'mcp-session-id': 'raw-upstream-id' },
      )
    const answer = await door.post(initialize, {}, 'canary', token)
    return answer.headers.get('mcp-session-id') ?? ''
  }

  it('are sealed, opened, and echoed as the client knows them', async () => {
    const id = await open()
    expect(id).toMatch(/^[\w-]{80,}$/)
    const answer = await door.post(call('read'), { 'mcp-session-id': id })
    expect(answer.headers.get('mcp-session-id')).toBe(id)
    expect(door.canary.seen.map(({ headers }) => headers['mcp-session-id'])).toEqual([undefined, 'raw-upstream-id'])
  })

  it('E12: are nobody else’s, in any method', async () => {
    const id = await open('alice')
    for (const method of ['POST', 'GET', 'DELETE']) {
      const answer = await fetch(door.url(), {
        method,
        headers: {
          authorization: 'Bearer bob',
          'content-type': 'application/json',
          accept: ACCEPT,
          'mcp-session-id': id,
        },
        ...(method === 'POST' && { body: JSON.stringify(call('read', 9)) }),
      })
      expect([answer.status, (await rpc(answer)).error]).toEqual([404, { code: -32001, message: 'Session not found' }])
    }
    expect((await door.post(call('read'), { 'mcp-session-id': 'raw-upstream-id' })).status).toBe(404)
    expect(door.canary.seen).toHaveLength(1)
    expect((await door.post(call('read'), { 'mcp-session-id': id })).status).toBe(200)
  })

  it('have the last word in the record: what policy allowed and the session refused is a denial', async () => {
    expect((await door.post(call('read'), { 'mcp-session-id': 'forged' })).status).toBe(404)
    expect(door.gate.events).toMatchObject([
      { decision: 'allow', reason: 'allowed_by_rule' },
      { decision: 'deny', reason: 'session_not_found', outcome: 'refused', status: 404 },
    ])
    expect(door.gate.events[1]?.rule).toBeUndefined()
  })

  it('end with DELETE', async () => {
    const id = await open()
    door.canary.state.answer = (_, res) => void res.writeHead(204).end()
    const headers = { authorization: 'Bearer alice', 'mcp-session-id': id }
    expect((await fetch(door.url(), { method: 'DELETE', headers })).status).toBe(204)
    expect(door.canary.seen.at(-1)).toMatchObject({
      method: 'DELETE',
      headers: { 'mcp-session-id': 'raw-upstream-id' },
    })
    expect((await door.post(call('read'), { 'mcp-session-id': id })).status).toBe(404)
    expect(door.canary.seen).toHaveLength(2)
  })

  it('mean nothing in the modern era', async () => {
    const id = await open()
    const answer = await door.post(modern('tools/list'), { ...modernHeaders('tools/list'), 'mcp-session-id': id })
    expect([answer.status, answer.headers.get('mcp-session-id')]).toEqual([200, null])
    expect(door.canary.seen.at(-1)?.headers['mcp-session-id']).toBeUndefined()
  })

  it('resume at the upstream’s own event', async () => {
    const id = await open()
    door.canary.state.answer = (_, res) => void sse(res).end('id: 6\ndata: {"jsonrpc":"2.0","id":4,"result":{}}\n\n')
    const headers = {
      authorization: 'Bearer alice',
      accept: 'text/event-stream',
      'mcp-session-id': id,
      'last-event-id': '5',
    }
    expect(await (await fetch(door.url(), { headers })).text()).toBe(
      'id: 6\ndata: {"jsonrpc":"2.0","id":4,"result":{}}\n\n',
    )
    expect(door.canary.seen.at(-1)?.headers).toMatchObject({
      'last-event-id': '5',
      'mcp-session-id': 'raw-upstream-id',
    })
  })

  it('do not resume for those who see a part, who hear no answers of other requests and no hidden resources', async () => {
    const id = await open()
    const event = (at: number, message: object) =>
      `id: ${at}\ndata: ${JSON.stringify({ jsonrpc: '2.0', ...message })}\n\n`
    const updated = (at: number, uri: string) =>
      event(at, { method: 'notifications/resources/updated', params: { uri } })
    const kept = `${updated(1, 'file:///docs')}${event(2, { id: 1, method: 'ping' })}: still here\n\n`
    const dropped =
      updated(3, 'file:///secret') +
      event(4, { id: 4, result: { tools: [{ name: 'secret' }] } }) +
      event(5, { id: 4, method: 'x', result: { tools: [{ name: 'secret' }] } }) +
      event(6, { id: 4, error: { code: 1, message: 'secret' } }) +
      'data: [{"result":"secret"}]\n\n'
    door.canary.state.answer = (_, res) => void sse(res).end(`\ufeff${dropped}${kept}`)
    const headers = {
      authorization: 'Bearer alice',
      accept: 'text/event-stream',
      'mcp-session-id': id,
      'last-event-id': '5',
    }
    const listen = async () => (await fetch(door.url(), { headers })).text()
    expect(await listen()).toBe(dropped + kept)
    expect(door.canary.seen.at(-1)?.headers['last-event-id']).toBe('5')
    door.gate.state.view = 'some'
    expect(await listen()).toBe(kept)
    expect(door.canary.seen.at(-1)?.headers['last-event-id']).toBeUndefined()
  })

  it('tell those who may not resume that no answer came', async () => {
    const id = await open()
    door.canary.state.answer = (_, res) => void sse(res).end('id: 1\ndata: \n\n')
    const ask = async () => (await door.post(call('read'), { 'mcp-session-id': id })).text()
    expect(await ask()).not.toContain('error')
    door.gate.state.view = 'some'
    expect(await ask()).toContain('"error"')
  })
})
