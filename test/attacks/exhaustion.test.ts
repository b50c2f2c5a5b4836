// What costs the attacker little and us much, or everyone their service: another protocol, amplification, idle connections, and
// input that might end the process. Catalogue rows F5, F8, F13 and F14.

import type { AddressInfo } from 'node:net'
import { createServer, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BOB } from '../support/gateway.ts'
import { mostHeld, settledMemory } from '../support/held-memory.ts'
import {
  attackTable,
  callHead,
  expectAlive,
  expectNoInside,
  expectServed,
  MCP_PATH,
  type Range,
  type Shot,
  shoot,
  startRange,
  toolCall,
} from '../support/range.ts'
import { chunked, connectRaw, converse, type RawConnection, rawRequest, readAnswers } from '../support/raw.ts'

let range: Range

beforeAll(async () => {
  range = await startRange()
})
// Closing it is row F14's last word on all that was fired here.
afterAll(() => range?.close())

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
/** RFC 9113 §4.1. */
const frame = (type: number, flags: number, stream: number, payload = ''): string => {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return head.toString('latin1') + payload
}
const SETTINGS = frame(4, 0, 0)
const RESETS = Array.from(
  { length: 500 },
  (_, at) => frame(1, 4, 2 * at + 1, '\x82\x86\x84') + frame(3, 0, 2 * at + 1, '\0\0\0\x08'),
).join('')

const PREFACES: readonly {
  readonly id: string
  readonly bytes: (head: string) => string
  readonly statuses: readonly number[]
}[] = [
  { id: 'the preface', bytes: () => PREFACE + SETTINGS, statuses: [400] },
  { id: 'the preface and rapid resets', bytes: () => PREFACE + SETTINGS + RESETS, statuses: [400] },
  { id: 'the preface and a flood of SETTINGS', bytes: () => PREFACE + SETTINGS.repeat(1000), statuses: [400] },
  {
    id: 'the preface and endless CONTINUATION',
    bytes: () => PREFACE + SETTINGS + frame(1, 0, 1, '\x82') + frame(9, 0, 1, '\x84').repeat(1000),
    statuses: [400],
  },
  { id: 'PRI as a method', bytes: () => 'PRI /health HTTP/1.1\r\nHost: x\r\n\r\n', statuses: [400] },
  {
    id: 'an upgrade, and the preface behind it',
    bytes: (head) =>
      `GET /health HTTP/1.1\r\n${head}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n${PREFACE}${SETTINGS}`,
    statuses: [200],
  },
  {
    id: 'an upgrade to h2',
    bytes: (head) => `GET /health HTTP/1.1\r\n${head}Connection: Upgrade\r\nUpgrade: h2\r\n\r\n${PREFACE}`,
    statuses: [200],
  },
]

describe('F5 HTTP/2, which is not offered', () => {
  attackTable('gets no frame', PREFACES, async ({ bytes, statuses }) => {
    const before = range.canary.requests.length
    for (let round = 0; round < 20; round++) {
      const { answers, left } = await converse(range.gateway.port, bytes(`Host: 127.0.0.1:${range.gateway.port}\r\n`))
      // PRI may also be met with silence; no answer is ever a frame, since a frame is no whole HTTP/1.1 answer.
      expect(left.toString('latin1')).toBe('')
      if (answers.length > 0 || statuses[0] === 200) expect(answers.map(({ status }) => status)).toEqual(statuses)
    }
    expect(range.canary.requests.length).toBe(before)
    await expectAlive(range)
  })
})

const kb = (count: number): string => 'a'.repeat(count * 1024)
const OPEN_DOORS: readonly { readonly id: string; readonly shot: Shot }[] = [
  { id: 'GET /health', shot: { method: 'GET', target: `/health?${kb(7)}` } },
  { id: 'GET /ready', shot: { method: 'GET', target: `/ready?${kb(7)}` } },
  { id: 'GET nothing', shot: { method: 'GET', target: `/${kb(7)}` } },
  { id: 'GET server metadata', shot: { method: 'GET', target: `/.well-known/oauth-authorization-server?${kb(7)}` } },
  {
    id: 'GET resource metadata',
    shot: { method: 'GET', target: `/.well-known/oauth-protected-resource${MCP_PATH}?${kb(7)}` },
  },
  { id: 'GET authorize', shot: { method: 'GET', target: `/oauth/authorize?client_id=${kb(3)}&state=${kb(4)}` } },
  { id: 'GET authorize with many names', shot: { method: 'GET', target: `/oauth/authorize?${'a=&'.repeat(2500)}` } },
  { id: 'GET an interaction', shot: { method: 'GET', target: `/interaction/${'a'.repeat(128)}` } },
  {
    id: 'POST token',
    shot: { target: '/oauth/token', body: `grant_type=authorization_code&client_id=x&code=${kb(15)}` },
  },
  { id: 'POST token with many names', shot: { target: '/oauth/token', body: 'a=&'.repeat(5000) } },
  { id: 'POST revoke', shot: { target: '/oauth/revoke', body: `client_id=x&token=${kb(15)}` } },
  { id: 'POST introspect', shot: { target: '/oauth/introspect', body: `client_id=x&token=${kb(15)}` } },
  { id: 'POST register', shot: { target: '/oauth/register', body: `{"client_name":"${kb(60)}","redirect_uris":[]}` } },
  {
    id: 'POST register, deep',
    shot: { target: '/oauth/register', body: `{"a":${'['.repeat(30_000)}${']'.repeat(30_000)}}` },
  },
  { id: 'POST MCP without a token', shot: { body: toolCall('modern', 'read_note', `{"x":"${kb(60)}"}`) } },
  { id: 'POST MCP with an invented token', shot: { bend: { Authorization: `Bearer ${kb(3)}.${kb(3)}.${kb(3)}` } } },
]
const ROUNDS = 30
/** Besides what was sent, an answer may have a page's or a document's own length. */
const OWN_WORDS = 16 * 1024

describe('F8 a stranger gets no lever', () => {
  attackTable('in bytes, upstream requests, records and log', OPEN_DOORS, async ({ shot }) => {
    const { gateway, canary } = range
    const type =
      shot.body?.includes('=') === true && !shot.body.includes('{')
        ? 'application/x-www-form-urlencoded'
        : 'application/json'
    const bend = { Authorization: undefined, 'Content-Type': type, ...shot.bend }
    const [reached, lines, records] = [canary.requests.length, gateway.log.length, (await gateway.audit()).length]
    for (let round = 0; round < ROUNDS; round++) {
      const { status, headers, body } = await shoot(range, { ...shot, bend })
      expect(status).toBeLessThan(500)
      const size = body.length + headers.reduce((sum, [name, value]) => sum + name.length + value.length + 4, 0)
      expect(size).toBeLessThan(OWN_WORDS + 2 * (shot.body?.length ?? 0) + 2 * (shot.target?.length ?? 0))
    }
    expect(canary.requests.length).toBe(reached)
    const written = gateway.log.slice(lines).reduce((sum, line) => sum + line.length, 0)
    const sent = (shot.body?.length ?? 0) + (shot.target?.length ?? 0)
    expect(written / ROUNDS).toBeLessThan(2048 + sent)
    expect((await gateway.audit()).length - records).toBeLessThanOrEqual(ROUNDS)
  })

  it('keeps nothing of what it was sent', async () => {
    const pour = async (): Promise<number> => {
      let sent = 0
      for (let round = 0; round < 20; round++)
        for (const { shot } of OPEN_DOORS) {
          await shoot(range, { ...shot, bend: { Authorization: undefined, ...shot.bend } })
          sent += (shot.body?.length ?? 0) + (shot.target?.length ?? 0)
        }
      return sent
    }
    await pour()
    // What is kept is kept of every flood; what the machine has merely not collected yet is not there of each of them.
    const kept: number[] = []
    for (let flood = 0; flood < 4; flood++) {
      const before = await settledMemory()
      const sent = await pour()
      expect(sent).toBeGreaterThan(5 * 1024 ** 2)
      // What is kept is the test's own copy of the log.
      kept.push(((await settledMemory()) - before) / sent)
    }
    expect(Math.min(...kept)).toBeLessThan(1 / 2)
    await expectAlive(range)
  })
})

describe('F8 a body in parts of one byte', () => {
  it('is held as what it weighs, and served once it is whole', async () => {
    const body = toolCall('modern', 'read_note', JSON.stringify({ text: 'x'.repeat(500_000) }))
    const head = callHead(range, 'modern', { 'Transfer-Encoding': 'chunked' })
    const crumbs = body.replace(/./gs, '1\r\n$&\r\n')
    const connection = await connectRaw(range.gateway.port)
    const most = await mostHeld(async () => {
      connection.send(rawRequest({ target: MCP_PATH, headers: head, body: '' }))
      connection.send(crumbs)
      connection.send('0\r\n\r\n')
      const { answers } = readAnswers(await connection.closed())
      expect(answers.map(({ status }) => status)).toEqual([200])
    })
    // Over a hundred bytes for each, were each kept by itself.
    expect(most).toBeLessThan(body.length * 60)
  })
})

describe('F13 idle connections', () => {
  it('keep nobody out, and are ended when they never ask', async () => {
    const patient = await startRange({ server: { limits: { headersTimeout: '2s' } } })
    const idle: RawConnection[] = []
    for (let batch = 0; batch < 20; batch++)
      idle.push(...(await Promise.all(Array.from({ length: 100 }, () => connectRaw(patient.gateway.port)))))
    idle.forEach((connection, at) => {
      if (at % 2 === 0) connection.send('GET /health HTTP/1.1\r\nHost: loc')
    })
    const token = await patient.gateway.tokenFor('canary', { user: BOB })
    await expectServed(patient, { bend: { Authorization: `Bearer ${token}` } })
    // Half a head is answered with 408; a connection that said nothing may be closed without a word.
    const [half, silent] = [await idle[0]?.closed(), await idle[1]?.closed()]
    expect(half?.toString('latin1')).toMatch(/^HTTP\/1\.1 408 /)
    expect(silent?.toString('latin1')).toMatch(/^(HTTP\/1\.1 408 |$)/)
    await Promise.all(idle.map((connection) => connection.closed()))
    await expectAlive(patient)
    await patient.close()
  })

  it('beyond the limit are closed at once, and those within are served', async () => {
    const narrow = await startRange({ server: { limits: { connections: 50 } } })
    const within = await Promise.all(Array.from({ length: 45 }, () => connectRaw(narrow.gateway.port)))
    const beyond = await Promise.all(Array.from({ length: 100 }, () => connectRaw(narrow.gateway.port)))
    const closed = await Promise.all(beyond.slice(50).map((connection) => connection.closed()))
    expect(closed.map(({ length }) => length)).toEqual(Array(50).fill(0))
    const [first] = within
    first?.send(`GET /health HTTP/1.1\r\nHost: 127.0.0.1:${narrow.gateway.port}\r\n\r\n`)
    expect((await first?.next())?.status).toBe(200)
    for (const connection of [...within, ...beyond]) connection.destroy()
    await narrow.gateway.restart()
    await expectAlive(narrow)
    await narrow.close()
  })
})

/** An upstream whose every answer breaks in another place. */
async function startBreaking(): Promise<{ url: string; close(): void }> {
  const head = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n'
  const endings: readonly ((socket: Socket) => void)[] = [
    (socket) => void socket.resetAndDestroy(),
    (socket) => void socket.end(),
    (socket) => void socket.end('nonsense\r\n\r\n'),
    (socket) => void socket.end(`${head}Content-Length: 1000\r\n\r\n{"jsonrpc"`),
    (socket) => void socket.end(`${head}Transfer-Encoding: chunked\r\n\r\nzz\r\n`),
    (socket) => void socket.end(`${head}Content-Length: 4\r\n\r\nnull`),
    (socket) => void socket.end(`${head}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`),
    (socket) => void socket.end(`${head}Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nxxxx`),
    (socket) =>
      void socket.end(
        'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: {"jsonrpc":"2.0","method":"x"}\n\ndata: {',
      ),
    (socket) => void socket.end('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n'),
    (socket) => void socket.end('HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n'),
  ]
  let turn = 0
  const server = createServer((socket) => {
    socket.on('error', () => undefined).once('data', () => endings[turn++ % endings.length]?.(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`, close: () => void server.close() }
}

describe('F14 input that might end the process', () => {
  it('is cut off in the middle, at any place, in any door', async () => {
    const port = range.gateway.port
    const host = `Host: 127.0.0.1:${port}\r\n`
    const call = rawRequest({
      target: MCP_PATH,
      headers: callHead(range, 'modern', {
        Connection: 'keep-alive',
        'Content-Length': String(toolCall('modern').length),
      }),
      body: toolCall('modern'),
    })
    const pieces = rawRequest({
      target: MCP_PATH,
      headers: callHead(range, 'modern', { 'Transfer-Encoding': 'chunked' }),
      body: chunked(toolCall('modern')),
    })
    const register = Buffer.from(
      `POST /oauth/register HTTP/1.1\r\n${host}Content-Type: application/json\r\nContent-Length: 500\r\n\r\n{"redirect_uris":`,
    )
    const token = Buffer.from(
      `POST /oauth/token HTTP/1.1\r\n${host}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 500\r\n\r\ngrant_type=`,
    )
    const authorize = Buffer.from(`GET /oauth/authorize?client_id=x HTTP/1.1\r\n${host}\r\n`)
    for (const request of [call, pieces, register, token, authorize])
      for (let part = 1; part <= 12; part++) {
        const connection = await connectRaw(port)
        connection.send(request.subarray(0, Math.ceil((request.length * part) / 12)))
        if (part % 3 === 0) await new Promise((resolve) => setImmediate(resolve))
        connection.destroy()
      }
    const burst = await connectRaw(port)
    burst.send(Buffer.concat(Array.from({ length: 50 }, () => call)))
    await burst.next('POST')
    burst.destroy()
    await expectAlive(range)
  })

  it('is an upstream that breaks, in every place', async () => {
    const breaking = await startBreaking()
    // A server that only ever breaks would be left alone.
    const breaker = { failures: 10_000 }
    const broken = await startRange({ servers: [{ id: 'canary', url: breaking.url, breaker }] })
    for (const wire of ['modern', 'legacy'] as const)
      for (let round = 0; round < 22; round++) {
        const answer = await shoot(broken, { wire })
        // The fault is the upstream's: one JSON-RPC error, 502 where nothing had been said yet.
        expect([200, 502]).toContain(answer.status)
        expect(answer.body.toString()).toContain('"error"')
        expectNoInside(answer.body.toString())
      }
    expect((await shoot(broken, { method: 'GET', target: '/health' })).status).toBe(200)
    await broken.close()
    breaking.close()
    await expectAlive(range)
  })
})
