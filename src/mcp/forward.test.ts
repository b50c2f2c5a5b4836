// Phase 4: the bytes that reach the upstream, and what becomes of its answer.

import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ACCEPT, call, type Door, json, openDoor, rpc, stop } from './endpoint.support.ts'

let door: Door
beforeEach(async () => {
  door = await openDoor()
})
afterEach(() => door.close())

describe('phase 4: the bytes', () => {
  it('C11: what reaches the upstream', async () => {
    door.answerAll()
    const body =
      '{"jsonrpc":"2.0", "id":1,"method":"tools/call","params":{"name":"read","arguments":{"n":1.0,"n":2,"é":"\\u00e9"}}}'
    const answer = await door.post(body, {
      cookie: 'session=1',
      'x-api-key': 'k',
      dpop: 'x',
      'x-forwarded-user': 'root',
      x_forwarded_user: 'root',
      'proxy-authorization': 'Basic x',
      'mcp-param-tenant': 'a',
      'mcp-session-id': '',
    })
    expect(answer.status).toBe(404)
    expect(
      (
        await door.post(body, {
          'mcp-param-tenant': 'a',
          cookie: 'session=1',
          'user-agent': 'test',
          x_forwarded_user: 'root',
        })
      ).status,
    ).toBe(200)
    const [seen] = door.canary.seen
    expect(seen?.body).toBe(body)
    expect(seen?.headers).toEqual({
      host: `127.0.0.1:${door.canary.port}`,
      connection: 'keep-alive',
      accept: ACCEPT,
      'user-agent': 'test',
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(body)),
      'mcp-param-tenant': 'a',
      'x-request-id': 'request-1',
      authorization: 'Bearer of-the-gate',
    })
  })

  it('D11: trailers are nobody’s headers', async () => {
    door.answerAll()
    const socket = connect(door.gate.port, '127.0.0.1')
    const body = JSON.stringify(call('read'))
    socket.write(
      `POST /servers/canary/mcp HTTP/1.1\r\nHost: g\r\nConnection: close\r\nAuthorization: Bearer a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nTrailer: X-Forwarded-User\r\n\r\n${Buffer.byteLength(body).toString(16)}\r\n${body}\r\n0\r\nX-Forwarded-User: root\r\n\r\n`,
    )
    const chunks: Buffer[] = []
    for await (const chunk of socket) chunks.push(chunk)
    expect(Buffer.concat(chunks).toString()).toMatch(/^HTTP\/1\.1 200 /)
    expect(JSON.stringify(door.canary.seen)).not.toContain('root')
  })

  it('what comes back', async () => {
    door.canary.state.answer = (_, res) => {
      json(
        res,
        { jsonrpc: '2.0', id: 1, result: {} },
        {
          'set-cookie': 'a=1',
          'cache-control': 'no-store',
          'x-powered-by': 'x',
          'www-authenticate': 'Bearer',
          'access-control-allow-origin': '*',
        },
      )
    }
    const answer = await door.post(call('read'))
    const headers = Object.fromEntries(answer.headers)
    expect(Object.keys(headers).sort()).toEqual([
      ...['cache-control', 'connection', 'content-length', 'content-type', 'date', 'keep-alive'],
    ])
  })

  it('a small answer leaves in one write', async () => {
    door.answerAll()
    const socket = connect(door.gate.port, '127.0.0.1')
    const body = JSON.stringify(call('read'))
    socket.write(
      `POST /servers/canary/mcp HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer a\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    )
    const [first] = await once(socket, 'data')
    socket.destroy()
    expect(String(first)).toMatch(
      /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\n\{"jsonrpc":"2\.0","id":1,"result":\{"ok":true\}\}$/,
    )
  })

  it('a large answer streams', async () => {
    const text = 'é'.repeat(500_000)
    door.answerAll({ text })
    expect((await rpc(await door.post(call('read')))).result.text).toBe(text)
  })

  const faults: [string, (res: ServerResponse) => void, number][] = [
    ['a redirect', (res) => void res.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(), 502],
    [
      '401 with a challenge',
      (res) => void res.writeHead(401, { 'www-authenticate': 'Bearer resource_metadata="http://x/"' }).end(),
      502,
    ],
    ['403', (res) => void json(res, { error: 'no' }, {}, 403), 502],
    ['200 HTML', (res) => void res.writeHead(200, { 'content-type': 'text/html' }).end('<h1>'), 502],
    ['204', (res) => void res.writeHead(204).end(), 502],
    ['500 HTML', (res) => void res.writeHead(500, { 'content-type': 'text/html' }).end('<h1>'), 502],
    ['the answer to another id', (res) => void json(res, { jsonrpc: '2.0', id: 2, result: {} }), 502],
    [
      'a request for an answer',
      (res) => void json(res, { jsonrpc: '2.0', id: 1, method: 'sampling/createMessage' }),
      502,
    ],
    ['no JSON', (res) => void res.writeHead(200, { 'content-type': 'application/json' }).end('{'), 502],
    ['a coding', (res) => void json(res, {}, { 'content-encoding': 'gzip' }), 502],
    ['a reset', (res) => void res.socket?.destroy(), 502],
    [
      'an answer cut short',
      (res) =>
        void res
          .writeHead(200, { 'content-type': 'application/json', 'content-length': '99' })
          .write('{', () => res.socket?.destroy()),
      502,
    ],
    ['a plain 404', (res) => void res.writeHead(404, { 'content-type': 'text/plain' }).end('x'), 404],
    ['a plain 429', (res) => void res.writeHead(429, { 'retry-after': '9' }).end('x'), 429],
  ]
  it.each(faults)('E27: %s is one JSON-RPC error', async (_, answer, status) => {
    door.canary.state.answer = (_req, res) => answer(res)
    await expectOneError(status)
  })

  it('E27: silence is one JSON-RPC error, in its time', async () => {
    await door.close()
    door = await openDoor({ requestTimeout: 400 })
    door.canary.state.answer = () => undefined
    await expectOneError(504)
  })

  async function expectOneError(status: number): Promise<void> {
    const response = await door.post(call('read', 'mine'))
    expect(response.status).toBe(status)
    expect(response.headers.get('www-authenticate')).toBeNull()
    expect(response.headers.get('location')).toBeNull()
    const body = await rpc(response)
    expect(body).toMatchObject({ jsonrpc: '2.0', id: 'mine', error: { code: expect.any(Number) } })
    expect(JSON.stringify(body)).not.toContain('127.0.0.1')
    expect(door.canary.seen).toHaveLength(1)
  }

  it('an upstream that is not there', async () => {
    await stop(door.canary.server)
    const answer = await door.post(call('read', 5))
    expect([answer.status, (await rpc(answer)).id]).toEqual([502, 5])
    expect(door.gate.events.at(-1)).toMatchObject({ outcome: 'upstream_error', status: 502, decision: 'allow' })
    door.canary.server.listen(door.canary.port)
    await once(door.canary.server, 'listening')
  })

  it('passes JSON-RPC errors of the upstream with their status', async () => {
    const error = { jsonrpc: '2.0', id: 1, error: { code: -32022, message: 'version' } }
    door.canary.state.answer = (_, res) => void json(res, error, {}, 400)
    const answer = await door.post(call('read'))
    expect([answer.status, await rpc(answer)]).toEqual([400, error])
  })

  it('notifications are accepted without a body', async () => {
    door.canary.state.answer = (_, res) => void res.writeHead(202).end()
    const answer = await door.post({ jsonrpc: '2.0', method: 'notifications/initialized' })
    expect([answer.status, await answer.text()]).toEqual([202, ''])
    expect(door.canary.seen).toHaveLength(1)
  })

  it('E14: every caller gets the answer to its own question', async () => {
    door.canary.state.answer = (_, res, body) => {
      const { id, params } = JSON.parse(body)
      setTimeout(() => json(res, { jsonrpc: '2.0', id, result: { nonce: params.arguments.nonce } }), Math.random() * 20)
    }
    const one = async (at: number) => {
      const nonce = `${at}-${Math.random()}`
      const message = {
        jsonrpc: '2.0',
        id: at % 3,
        method: 'tools/call',
        params: { name: 'read', arguments: { nonce } },
      }
      expect((await rpc(await door.post(message, {}, 'canary', `user${at}`))).result.nonce).toBe(nonce)
    }
    await Promise.all(Array.from({ length: 200 }, (_, at) => one(at)))
  })

  it.each([
    [200, 200],
    [400, 400],
    [503, 503],
    [201, 502],
    [206, 502],
    [600, 502],
    [999, 502],
  ])('has a status of ours or a known one: %i → %i', async (said, heard) => {
    const answered = said >= 400 ? { error: { code: -32602, message: 'No.' } } : { result: {} }
    door.canary.state.answer = (_, res) => void json(res, { jsonrpc: '2.0', id: 1, ...answered }, {}, said)
    expect((await door.post(call('read'))).status).toBe(heard)
  })

  it.each([
    [1024, 200],
    [1025, 502],
  ])('a session id of %i characters: %i', async (length, status) => {
    door.canary.state.answer = (_, res) =>
      void json(res, { jsonrpc: '2.0', id: 1, result: {} }, { 'mcp-session-id': 'a'.repeat(length) })
    const answer = await door.post({ jsonrpc: '2.0', id: 1, method: 'initialize', params: {} })
    expect([answer.status, answer.headers.has('mcp-session-id')]).toEqual([status, status === 200])
  })
})
