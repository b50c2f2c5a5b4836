// The door's phases: who asks, what is said, whether it may be. Nothing that is refused reaches the upstream.

import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { call, type Door, json, modern, modernHeaders, openDoor, rpc, sse } from './endpoint.support.ts'

let door: Door
beforeEach(async () => {
  door = await openDoor()
})
afterEach(() => door.close())

describe('phase 1: who is it', () => {
  it.each(['GET', 'POST', 'DELETE', 'PUT', 'HEAD'])(
    'asks a stranger for a credential before anything else: %s',
    async (method) => {
      const answer = await fetch(door.url(), { method })
      expect(answer.status).toBe(401)
      expect(door.canary.seen).toEqual([])
    },
  )

  it('records a credential that was refused, and not a stranger who only asks the way', async () => {
    expect((await fetch(door.url(), { method: 'POST' })).status).toBe(401)
    expect(door.gate.events).toEqual([])
    expect((await door.post(call('read'), {}, 'canary', 'revoked')).status).toBe(401)
    expect(door.gate.events).toMatchObject([
      { decision: 'deny', reason: 'revoked', subject: 'unknown' },
      { decision: 'deny', reason: 'revoked', outcome: 'refused', status: 401 },
    ])
    expect(door.canary.seen).toEqual([])
  })

  it('says which methods there are to those it knows', async () => {
    const answer = await fetch(door.url(), { method: 'PUT', headers: { authorization: 'Bearer alice' } })
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'POST, GET, DELETE, OPTIONS'])
  })

  it('E23: an unknown server and a hidden one are the same 404', async () => {
    const unknown = await door.post(call('read'), {}, 'nothing')
    door.gate.state.view = 'none'
    const hidden = await door.post(call('read'))
    expect([hidden.status, await hidden.text()]).toEqual([404, await unknown.text()])
    expect(unknown.status).toBe(404)
    expect(door.canary.seen).toEqual([])
  })

  it('E33, E34: answers its origins and no others', async () => {
    door.answerAll()
    const foreign = await door.post(call('read'), { origin: 'http://evil.example' })
    expect([foreign.status, foreign.headers.get('access-control-allow-origin')]).toEqual([403, null])
    const opaque = await door.post(call('read'), { origin: 'null' })
    expect(opaque.status).toBe(403)
    expect(door.canary.seen).toEqual([])
    const own = await door.post(call('read'), { origin: 'https://ide.example' })
    expect([own.status, own.headers.get('access-control-allow-origin')]).toEqual([200, 'https://ide.example'])
    const preflight = await fetch(door.url(), { method: 'OPTIONS', headers: { origin: 'https://ide.example' } })
    expect([preflight.status, preflight.headers.get('access-control-allow-methods')]).toEqual([
      204,
      'POST, GET, DELETE',
    ])
  })
})

describe('phase 2: what does it say', () => {
  it.each([
    ['not JSON', '{', {}, 400, -32700],
    ['a batch', [call('read')], {}, 400, -32600],
    ['a second method', '{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}', {}, 400, -32600],
    [
      'a head that says another name',
      modern('tools/call', { name: 'read' }),
      modernHeaders('tools/call', 'secret'),
      400,
      -32020,
    ],
    ['a legacy body under a modern method head', call('read'), { 'mcp-method': 'tools/list' }, 400, -32020],
  ])('refuses %s, and the upstream hears nothing', async (_, body, headers, status, code) => {
    const answer = await door.post(body, headers)
    expect([answer.status, (await rpc(answer)).error.code]).toEqual([status, code])
    expect(door.canary.seen).toEqual([])
    expect(door.gate.events.map(({ decision }) => decision)).toEqual(['deny', 'deny'])
  })

  it.each([
    ['too much', 'x'.repeat(5000), {}, 413],
    ['another type', '{}', { 'content-type': 'text/plain' }, 415],
    ['a coding', '{}', { 'content-encoding': 'gzip' }, 415],
  ])('refuses %s', async (_, body, headers, status) => {
    expect((await door.post(body, headers)).status).toBe(status)
    expect(door.canary.seen).toEqual([])
  })

  it('E9: refuses a chunked body once it is too large, and closes', async () => {
    const socket = connect(door.gate.port, '127.0.0.1')
    socket.write(
      'POST /servers/canary/mcp HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n',
    )
    for (let at = 0; at < 5; at++) socket.write(`3e8\r\n${' '.repeat(1000)}\r\n`)
    const chunks: Buffer[] = []
    for await (const chunk of socket) chunks.push(chunk)
    expect(Buffer.concat(chunks).toString()).toMatch(/^HTTP\/1\.1 413 .*\r\n/)
    expect(door.canary.seen).toEqual([])
  })

  it('refuses a body that does not arrive', async () => {
    const socket = connect(door.gate.port, '127.0.0.1')
    socket.write(
      'POST /servers/canary/mcp HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer a\r\nContent-Type: application/json\r\nContent-Length: 90\r\n\r\n{',
    )
    const [answer] = await once(socket, 'data')
    socket.destroy()
    expect(String(answer)).toMatch(/^HTTP\/1\.1 408 /)
  })
})

describe('phase 3: may it', () => {
  it('a hidden tool answers as an unknown one would, and is not forwarded', async () => {
    door.gate.state.view = 'some'
    for (const name of ['secret', 'nothing']) {
      const answer = await door.post(call(name, 'x'))
      expect([answer.status, await rpc(answer)]).toEqual([
        200,
        { jsonrpc: '2.0', id: 'x', error: { code: -32602, message: `Unknown tool: ${name}` } },
      ])
    }
    expect(door.canary.seen).toEqual([])
    expect(door.gate.events.filter(({ status }) => status === undefined)).toMatchObject([
      { decision: 'deny', reason: 'no_rule_allows', name: 'secret', method: 'tools/call' },
      { decision: 'deny', reason: 'no_rule_allows', name: 'nothing' },
    ])
    door.answerAll()
    expect((await rpc(await door.post(call('read')))).result).toEqual({ ok: true })
  })

  it.each([
    ['prompts/get', { name: 'p' }, 200, -32602],
    ['resources/read', { uri: 'file:///etc' }, 200, -32002],
    ['resources/subscribe', { uri: 'file:///etc' }, 200, -32002],
    ['completion/complete', { ref: { type: 'ref/prompt', name: 'p' } }, 200, -32602],
    ['completion/complete', { ref: { type: 'ref/resource', uri: 'file:///etc' } }, 200, -32002],
    ['completion/complete', { ref: { type: 'ref/other' } }, 400, -32602],
    ['tools/call', { name: 7 }, 400, -32602],
    ['tools/call', {}, 400, -32602],
  ])('E21: %s %j', async (method, params, status, code) => {
    door.gate.state.view = 'some'
    const answer = await door.post({ jsonrpc: '2.0', id: 1, method, params })
    expect([answer.status, (await rpc(answer)).error.code]).toEqual([status, code])
    expect(door.canary.seen).toEqual([])
  })

  it('decides every resource that a subscription wants to hear of', async () => {
    door.gate.state.view = 'some'
    door.canary.state.answer = (_, res) => void sse(res).end('data: {"jsonrpc":"2.0","id":1,"result":{}}\n\n')
    const listen = (...uris: string[]) =>
      door.post(
        modern('subscriptions/listen', { notifications: { resourceSubscriptions: uris } }),
        modernHeaders('subscriptions/listen'),
      )
    const refused = await listen('file:///docs', 'file:///etc')
    expect((await rpc(refused)).error).toEqual({
      code: -32602,
      message: 'Resource not found',
      data: { uri: 'file:///etc' },
    })
    expect(door.canary.seen).toEqual([])
    expect((await listen('file:///docs')).status).toBe(200)
  })

  it('asks for the scope that is missing, after policy and never for what is hidden', async () => {
    door.gate.state.view = 'some'
    door.gate.state.scopes = false
    const visible = await door.post(call('read'))
    expect(visible.status).toBe(403)
    expect((await door.post(call('secret'))).status).toBe(200)
    expect(door.canary.seen).toEqual([])
    expect(door.gate.events[0]).toMatchObject({ decision: 'deny', reason: 'scope_missing', name: 'read' })
  })

  it('forwards nothing that cannot be recorded', async () => {
    door.answerAll()
    door.gate.state.spool = false
    expect((await door.post(call('read'))).status).toBe(500)
    expect(door.canary.seen).toEqual([])
    door.gate.state.spool = true
    expect((await door.post(call('read'))).status).toBe(200)
  })

  const listOf = (more: object) =>
    JSON.stringify({ jsonrpc: '2.0', ...more, id: 1, result: { tools: [{ name: 'secret' }, { name: 'read' }] } })
  it.each([
    ['a byte order mark', `\ufeffdata: ${listOf({})}\n\n`, true],
    ['a method beside the result', `data: ${listOf({ method: 'x' })}\n\n`, false],
    ['a batch', `data: [${listOf({})}]\n\n`, false],
  ])('filters or refuses a list behind %s', async (_, stream, passes) => {
    door.gate.state.view = 'some'
    door.canary.state.answer = (_req, res) => void sse(res).end(stream)
    const text = await (await door.post({ jsonrpc: '2.0', id: 1, method: 'tools/list' })).text()
    expect(text).not.toContain('secret')
    expect([text.includes('"read"'), text.includes('"error"')]).toEqual([passes, !passes])
  })

  it('filters lists for those who see a part', async () => {
    const tools = [{ name: 'read', description: 'é' }, { name: 'secret' }]
    const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
    door.canary.state.answer = (_, res) =>
      void json(res, { jsonrpc: '2.0', id: 1, result: { tools, cacheScope: 'public' } })
    // Whole, and still theirs alone: others may see less of it.
    expect((await rpc(await door.post(list))).result).toEqual({ tools, cacheScope: 'private' })
    door.gate.state.view = 'some'
    const filtered = { tools: [tools[0]], cacheScope: 'private' }
    expect((await rpc(await door.post(list))).result).toEqual(filtered)
    door.canary.state.answer = (_, res) => {
      const message = JSON.stringify({ jsonrpc: '2.0', id: 1, result: { tools } })
      sse(res).write(': hello\n\n')
      res.end(`id: 7\nevent: message\ndata: ${message}\n\n`)
    }
    const text = await (await door.post(list)).text()
    expect(text).toBe(
      `: hello\n\nid: 7\nevent: message\ndata: ${JSON.stringify({ jsonrpc: '2.0', id: 1, result: { tools: [tools[0]] } })}\n\n`,
    )
  })

  it.each([
    [
      'a list too large to be judged',
      (res: ServerResponse) =>
        void json(res, { jsonrpc: '2.0', id: 1, result: { tools: [], pad: 'x'.repeat(300_000) } }),
    ],
    [
      'the same as an event',
      (res: ServerResponse) =>
        void sse(res).end(`data: {"jsonrpc":"2.0","id":1,"result":{"tools":[],"pad":"${'x'.repeat(300_000)}"}}\n\n`),
    ],
    [
      'a list of another shape',
      (res: ServerResponse) => void json(res, { jsonrpc: '2.0', id: 1, result: { tools: 'secret' } }),
    ],
    [
      'a list under a status of failure',
      (res: ServerResponse) => void json(res, { jsonrpc: '2.0', id: 1, result: [{ name: 'secret' }] }, {}, 400),
    ],
  ])('does not let pass %s', async (_, answer) => {
    door.gate.state.view = 'some'
    door.canary.state.answer = (_req, res) => answer(res)
    const text = await (await door.post({ jsonrpc: '2.0', id: 1, method: 'tools/list' }))
      .text()
      .catch(() => 'broken off')
    expect(text).not.toContain('secret')
    expect(text).not.toContain('xxxx')
  })
})
