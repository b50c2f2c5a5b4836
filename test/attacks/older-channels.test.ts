// WebSocket and HTTP+SSE are no way around the guard: who is calling, from which page, for how long, and into what a connection turns.
// Catalogue rows C30 and D20; RFC 6455 §4 and §10.2; MCP 2024-11-05, Transports.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { registerClient } from '../support/client.ts'
import { testClock } from '../support/gateway.ts'
import { callHead, expectNoSecret, type Range, shoot, startRange, toolCall } from '../support/range.ts'
import { connectRaw, converse, rawRequest } from '../support/raw.ts'
import { refusedStatus, socketUrl, untilClosed } from '../support/websocket.ts'

const clock = testClock()
const WS = '/servers/canary/ws'
const SSE = '/servers/canary/sse'
const MESSAGES = '/servers/canary/messages'

let range: Range
const bearer = (token = range.token) => ({ Authorization: `Bearer ${token}` })
const url = (path: string) => range.gateway.url + path

beforeAll(async () => {
  range = await startRange({
    clock,
    server: { limits: { body: '4kb', streamsPerPrincipal: 3 }, allowedOrigins: ['https://app.example'] },
  })
})
afterAll(async () => range?.close())

/** An open socket that has had an answer, so that it is known to work. */
async function openSocket(headers: Record<string, string> = bearer()): Promise<WebSocket> {
  const socket = new WebSocket(socketUrl(url(WS)), { headers })
  await new Promise((resolve, reject) => {
    socket.once('open', resolve)
    socket.once('error', reject)
  })
  return socket
}

const nextMessage = (socket: WebSocket): Promise<{ id?: unknown; error?: unknown; result?: unknown }> =>
  new Promise((resolve, reject) => {
    socket.once('message', (data) => resolve(JSON.parse(String(data))))
    socket.once('close', (code) => reject(new Error(`closed with ${code}`)))
  })

const ended = (socket: WebSocket): Promise<number> => new Promise((resolve) => socket.once('close', resolve))

async function say(socket: WebSocket, text: string) {
  const answer = nextMessage(socket)
  socket.send(text)
  return answer
}

/** An old event stream: where its messages go, and what comes on it. */
async function openEvents(headers: Record<string, string> = bearer()) {
  const stream = await fetch(url(SSE), { headers })
  const reader = stream.body?.getReader()
  let text = ''
  const until = async (pattern: RegExp): Promise<string> => {
    for (;;) {
      const found = pattern.exec(text)
      if (found) return found[1] ?? found[0]
      const { done, value } = (await reader?.read()) ?? { done: true, value: undefined }
      if (done) throw new Error(`the stream ended: ${text}`)
      text += Buffer.from(value ?? []).toString()
    }
  }
  const over = async (): Promise<void> => {
    for (;;) if ((await reader?.read())?.done !== false) return
  }
  const address = await until(/event: endpoint\ndata: (\S+)\n/)
  return { address, until, over, close: () => reader?.cancel() }
}

const post = (address: string, body: string, headers: Record<string, string> = bearer()) =>
  fetch(url(address), { method: 'POST', headers: { 'Content-Type': 'application/json', ...headers }, body })

describe('a WebSocket', () => {
  it('is closed with 1008 for whoever proves nothing, and serves whoever does', async () => {
    const before = range.canary.requests.length
    expect(await untilClosed(url(WS), { say: toolCall('legacy') })).toEqual({
      code: 1008,
      reason: 'Authentication required',
    })
    for (const wrong of ['Bearer x', 'Basic YTpi', `Bearer ${range.token}x`])
      expect(await untilClosed(url(WS), { headers: { Authorization: wrong }, say: toolCall('legacy') })).toEqual({
        code: 1008,
        reason: 'Invalid authentication',
      })
    expect(range.canary.requests.length).toBe(before)
    const socket = await openSocket()
    expect(await say(socket, toolCall('legacy', 'read_note', '{}', '9'))).toMatchObject({ id: 9, result: {} })
    socket.close()
    expect(range.canary.requests.filter(({ body }) => body.includes('read_note')).length).toBe(1)
    expectNoSecret(range)
  })

  it('takes no token from the address', async () => {
    expect(await refusedStatus(`${url(WS)}?access_token=${range.token}`, {})).toBe(400)
  })

  it('is not for the page of another (cross-site WebSocket hijacking)', async () => {
    expect(await refusedStatus(url(WS), { ...bearer(), Origin: 'https://evil.example' })).toBe(403)
    const socket = await openSocket({ ...bearer(), Origin: 'https://app.example' })
    socket.close()
  })

  it('hides what policy hides, and refuses what the gate refuses', async () => {
    const socket = await openSocket()
    const before = range.canary.requests.length
    expect(await say(socket, toolCall('legacy', 'delete_note'))).toMatchObject({ id: 1, error: { code: -32602 } })
    expect(await say(socket, '{"jsonrpc":"2.0","id":1,"id":2,"method":"tools/list"}')).toHaveProperty('error')
    expect(await say(socket, `[${toolCall('legacy')}]`)).toHaveProperty('error')
    expect(await say(socket, 'no json')).toMatchObject({ error: { code: -32700 } })
    expect(range.canary.requests.length).toBe(before)
    expect(await say(socket, toolCall('legacy'))).toHaveProperty('result')
    socket.close()
  })

  it('is closed for bytes, and for more than a body may hold', async () => {
    const head = { headers: bearer() }
    expect((await untilClosed(url(WS), { ...head, say: Buffer.from(toolCall('legacy')) })).code).toBe(1003)
    expect(
      (await untilClosed(url(WS), { ...head, say: toolCall('legacy', 'read_note', `{"a":"${'x'.repeat(5000)}"}`) }))
        .code,
    ).toBe(1009)
  })

  it('has a place among the streams of its principal, and gives it back', async () => {
    const person = await range.gateway.person('bob')
    const token = await range.gateway.tokenFor('canary', { user: person })
    const sockets = await Promise.all([1, 2, 3].map(() => openSocket(bearer(token))))
    expect(await refusedStatus(url(WS), bearer(token))).toBe(429)
    for (const socket of sockets) {
      const over = ended(socket)
      socket.close()
      await over
    }
    ;(await openSocket(bearer(token))).close()
  })
})

describe('a connection', () => {
  const handshake = (path: string, over: Readonly<Record<string, string>> = {}) => {
    const head = {
      Host: `127.0.0.1:${range.gateway.port}`,
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==',
      ...bearer(),
      ...over,
    }
    return rawRequest({ method: 'GET', target: path, headers: Object.entries(head) })
  }
  const call = () => {
    const body = toolCall('legacy')
    const headers = callHead(range, 'legacy', { 'Content-Length': String(body.length), Connection: undefined })
    return rawRequest({ target: '/servers/canary/mcp', headers, body })
  }

  it.each(['h2c', 'foo', 'websocket', 'TLS/1.0'])('does not become %s on the way to a server', async (protocol) => {
    const bend = { Upgrade: protocol, Connection: 'Upgrade, HTTP2-Settings', 'HTTP2-Settings': 'x' }
    expect((await shoot(range, { wire: 'legacy', bend })).status).toBe(200)
    const names = range.canary.requests.at(-1)?.rawHeaders.map((name) => name.toLowerCase()) ?? []
    expect(names).not.toContain('upgrade')
    expect(names).not.toContain('http2-settings')
  })

  it('becomes a WebSocket only where there is one, and behind no request of its own', async () => {
    const elsewhere = await converse(range.gateway.port, handshake('/health'))
    expect(elsewhere.answers[0]?.status).not.toBe(101)
    // Both in one write: the first has no answer yet when the second would take the connection.
    const raw = await connectRaw(range.gateway.port)
    raw.send(Buffer.concat([call(), handshake(WS)]))
    expect((await raw.closed()).toString()).not.toContain('101 Switching')
    ;(await openSocket()).close()
  })
})

describe('what is no WebSocket', () => {
  /** A handshake written by hand, and what follows it. */
  const open = async (over: Readonly<Record<string, string>>, behind: Buffer = Buffer.alloc(0)): Promise<string> => {
    const head = {
      Host: `127.0.0.1:${range.gateway.port}`,
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==',
      ...over,
    }
    const connection = await connectRaw(range.gateway.port)
    connection.send(Buffer.concat([rawRequest({ method: 'GET', target: WS, headers: Object.entries(head) }), behind]))
    if (behind.length > 0) setTimeout(() => connection.send(behind), 100)
    return (await connection.closed()).toString('latin1')
  }

  it('ends the connection and not the process: frames that no peer may send', async () => {
    for (const frame of ['ff8001020304', '8b8001020304', '8100', '81ff7fffffffffffffff01020304', 'c18001020304'])
      for (const credential of [{}, bearer()])
        expect(await open(credential, Buffer.from(frame, 'hex'))).toContain('101 Switching Protocols')
    const socket = await openSocket()
    expect(await say(socket, toolCall('legacy'))).toHaveProperty('result')
    socket.close()
  })

  it('holds no place among the streams', async () => {
    const bad = [
      { 'Sec-WebSocket-Key': 'bad' },
      { 'Sec-WebSocket-Protocol': 'mcp,mcp' },
      { 'Sec-WebSocket-Protocol': 'a b' },
    ]
    for (const over of [...bad, ...bad]) expect(await open({ ...bearer(), ...over })).toContain('400 Bad Request')
    expect(await open({ ...bearer(), 'Sec-WebSocket-Version': '8' })).toContain('426 Upgrade Required')
    ;(await openSocket()).close()
  })
})

describe('an old event stream', () => {
  it('takes messages of its own caller only', async () => {
    const events = await openEvents()
    const body = toolCall('legacy', 'read_note', '{}', '21')
    const bob = await range.gateway.tokenFor('canary', { user: await range.gateway.person('bob') })
    const before = range.canary.requests.length
    expect((await post(events.address, body, { Authorization: '' })).status).toBe(401)
    expect((await post(events.address, body, bearer(bob))).status).toBe(404)
    expect((await post(`${MESSAGES}?sessionId=${'a'.repeat(32)}`, body)).status).toBe(404)
    expect((await post(MESSAGES, body)).status).toBe(404)
    expect((await post(events.address, body, { ...bearer(), Origin: 'https://evil.example' })).status).toBe(403)
    expect((await post(events.address, body, { ...bearer(), 'Content-Type': 'text/plain' })).status).toBe(415)
    expect(range.canary.requests.length).toBe(before)
    expect((await post(events.address, body)).status).toBe(202)
    expect(await events.until(/data: (\{.*"id":21.*\})\n/)).toContain('"result"')
    await events.close()
  })

  it('is gone for its messages when its client is gone', async () => {
    const events = await openEvents()
    await events.close()
    const status = async () => (await post(events.address, toolCall('legacy'))).status
    await expect.poll(status).toBe(404)
  })
})

describe('the places of a principal', () => {
  it('are the same for both kinds: whoever has one less has one more of the other', async () => {
    const token = await range.gateway.tokenFor('canary', { user: await range.gateway.person('edda') })
    const listen = async () => {
      const leaving = new AbortController()
      const { status } = await fetch(url(SSE), { headers: bearer(token), signal: leaving.signal })
      return { status, leave: () => leaving.abort() }
    }
    const expectFull = async () => {
      expect(await refusedStatus(url(WS), bearer(token))).toBe(429)
      expect((await listen()).status).toBe(429)
    }
    const sockets = [await openSocket(bearer(token)), await openSocket(bearer(token))]
    const events = await listen()
    expect(events.status).toBe(200)
    await expectFull()
    // Another person has as many.
    const other = await range.gateway.tokenFor('canary', { user: await range.gateway.person('finn') })
    ;(await openSocket(bearer(other))).terminate()
    sockets[0]?.terminate()
    await expect.poll(async () => (await listen()).status).toBe(200)
    await expectFull()
  })
})

describe('the end of a credential (C30)', () => {
  it('ends the channels it opened: revoked', async () => {
    const client = await registerClient(range.gateway)
    const tokens = await range.gateway.signIn('canary', { user: await range.gateway.person('cleo'), client })
    const socket = await openSocket(bearer(tokens.accessToken))
    const events = await openEvents(bearer(tokens.accessToken))
    expect(await say(socket, toolCall('legacy'))).toHaveProperty('result')
    const code = ended(socket)
    await client.revoke(tokens.refreshToken ?? '')
    expect(await code).toBe(1008)
    await events.over()
    expect((await post(events.address, toolCall('legacy'), bearer(tokens.accessToken))).status).toBe(401)
  })

  it('ends the channels it opened: expired', async () => {
    const token = await range.gateway.tokenFor('canary', { user: await range.gateway.person('dora') })
    const socket = await openSocket(bearer(token))
    const events = await openEvents(bearer(token))
    const code = ended(socket)
    clock.advance('11m')
    expect(await code).toBe(1008)
    await events.over()
  })
})
