// Streams through the gate: events, breaks, leavers, slow readers.
import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ACCEPT, call, type Door, modern, modernHeaders, openDoor, sse, until } from './endpoint.support.ts'

let door: Door
beforeEach(async () => {
  door = await openDoor()
})
afterEach(() => door.close())

describe('streams', () => {
  it('pass events as they come, and end after the answer', async () => {
    door.canary.state.answer = (_, res) => {
      sse(res).write('event: message\ndata: {"jsonrpc":"2.0","method":"notifications/progress","params":{}}\n\n')
      setTimeout(() => res.end('data: {"result":{},"jsonrpc":"2.0","id":1}\n\n'), 10)
    }
    const answer = await door.post(call('read'))
    expect(answer.headers.get('content-type')).toBe('text/event-stream')
    expect(await answer.text()).toBe(
      'event: message\ndata: {"jsonrpc":"2.0","method":"notifications/progress","params":{}}\n\ndata: {"result":{},"jsonrpc":"2.0","id":1}\n\n',
    )
    expect(door.gate.events.at(-1)).toMatchObject({ outcome: 'answered', status: 200 })
  })

  it('have their head at once', async () => {
    door.canary.state.answer = (_, res) => void sse(res).flushHeaders()
    const answer = await fetch(door.url(), { headers: { authorization: 'Bearer alice', accept: 'text/event-stream' } })
    expect(answer.status).toBe(200)
    await answer.body?.cancel()
    await until(() => door.canary.state.aborted === 1)
  })

  it('a reset in the middle of an event is one error, and the half event is not seen', async () => {
    door.canary.state.answer = (_, res) => {
      sse(res).write(
        'data: {"jsonrpc":"2.0","method":"notifications/progress","params":{}}\n\ndata: {"jsonrpc":"2.0","id":1,"res',
      )
      setTimeout(() => res.socket?.destroy(), 10)
    }
    const events = (await (await door.post(call('read'))).text()).split('\n\n').filter((event) => event !== '')
    expect(events).toHaveLength(2)
    expect(JSON.parse((events[1] ?? '').replace('event: message\ndata: ', ''))).toEqual({
      jsonrpc: '2.0',
      id: 1,
      error: { code: -32603, message: expect.any(String), data: { requestId: 'request-1' } },
    })
    expect(door.gate.events.at(-1)).toMatchObject({ outcome: 'upstream_error' })
  })

  it('a reset after the answer adds nothing', async () => {
    const answer = 'data: {"jsonrpc":"2.0","id":1,"result":{}}\n\n'
    door.canary.state.answer = (_, res) => {
      sse(res).write(answer)
      setTimeout(() => res.socket?.destroy(), 10)
    }
    expect(await (await door.post(call('read'))).text()).toBe(answer)
  })

  const notification = 'data: {"jsonrpc":"2.0","method":"notifications/progress","params":{}}\n\n'
  it.each([
    ['the answer to another id', 'data: {"jsonrpc":"2.0","id":2,"result":{}}\n\n'],
    ['no JSON', 'data: hello\n\n'],
    ['an end without an answer', ''],
  ])('E27: %s ends them with one error', async (_, event) => {
    door.canary.state.answer = (_req, res) => void sse(res).end(notification + event)
    const text = await (await door.post(call('read'))).text()
    expect(text.match(/"error"/g)).toHaveLength(1)
    expect(text.startsWith(notification)).toBe(true)
  })

  it('E27: a second answer is not passed', async () => {
    const answer = 'data: {"jsonrpc":"2.0","id":1,"result":{}}\n\n'
    door.canary.state.answer = (_, res) => void sse(res).end(answer + answer)
    expect(await (await door.post(call('read'))).text()).toBe(answer)
  })

  it('a server asks its client in the handshake era only', async () => {
    const question = 'data: {"jsonrpc":"2.0","id":1,"method":"roots/list"}\n\n'
    const answer = 'data: {"jsonrpc":"2.0","id":1,"result":{}}\n\n'
    door.canary.state.answer = (_, res) => void sse(res).end(question + answer)
    expect(await (await door.post(call('read'))).text()).toBe(question + answer)
    const refused = await (
      await door.post(modern('tools/call', { name: 'read' }), modernHeaders('tools/call', 'read'))
    ).text()
    expect(refused).not.toContain('roots/list')
    expect(refused.match(/"error"/g)).toHaveLength(1)
  })

  it('a stream that a client can resume may close before its answer', async () => {
    door.canary.state.answer = (_, res) => void sse(res).end('id: 1\ndata: \n\n')
    expect(await (await door.post(call('read'))).text()).toBe('id: 1\ndata: \n\n')
  })

  it('end with the credential, upstream included', async () => {
    door.canary.state.answer = (_, res) => void sse(res).write(notification)
    const answer = await door.post(call('read'))
    await until(() => door.gate.ends.size === 1)
    for (const end of door.gate.ends) end()
    expect((await answer.text()).match(/"error"/g)).toHaveLength(1)
    await until(() => door.canary.state.aborted === 1)
    expect(door.gate.ends.size).toBe(0)
  })

  it('are counted by principal', async () => {
    door.canary.state.answer = (_, res) => void sse(res).flushHeaders()
    const open = (token: string) =>
      fetch(door.url(), { headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream' } })
    const opened = await Promise.all([open('alice'), open('alice'), open('alice')])
    expect(opened.map(({ status }) => status)).toEqual([200, 200, 200])
    const refused = await open('alice')
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '5'])
    const bob = await open('bob')
    expect(bob.status).toBe(200)
    await opened[0]?.body?.cancel()
    await until(() => door.gate.ends.size === 3)
    const again = await open('alice')
    expect(again.status).toBe(200)
    await Promise.all([...opened.slice(1), bob, again].map((answer) => answer.body?.cancel()))
  })

  it('are counted before the upstream is asked: many at once do not all find the last place', async () => {
    const waiting: (() => void)[] = []
    door.canary.state.answer = (_, res) => void waiting.push(() => sse(res).flushHeaders())
    const open = () => fetch(door.url(), { headers: { authorization: 'Bearer alice', accept: 'text/event-stream' } })
    const asked = Array.from({ length: 10 }, open)
    const refused: number[] = []
    for (const each of asked) void each.then(({ status }) => status === 429 && refused.push(status))
    await until(() => waiting.length === 3 && refused.length === 7)
    for (const answer of waiting) answer()
    const opened = (await Promise.all(asked)).filter(({ status }) => status === 200)
    expect(opened).toHaveLength(3)
    await Promise.all(opened.map((answer) => answer.body?.cancel()))
    await until(() => door.gate.ends.size === 0)
    // A stream that the upstream refuses gives its place back as well.
    door.canary.state.answer = (_, res) => void res.writeHead(405).end()
    for (let at = 0; at < 5; at++) expect((await open()).status).toBe(405)
  })

  it('modern: leaving is cancelling', async () => {
    door.canary.state.answer = () => {}
    const controller = new AbortController()
    const answer = fetch(door.url(), {
      method: 'POST',
      signal: controller.signal,
      headers: {
        authorization: 'Bearer alice',
        'content-type': 'application/json',
        accept: ACCEPT,
        ...modernHeaders('tools/call', 'read'),
      },
      body: JSON.stringify(modern('tools/call', { name: 'read' })),
    })
    await until(() => door.canary.seen.length === 1)
    controller.abort()
    await expect(answer).rejects.toThrow()
    await until(() => door.canary.state.aborted === 1)
    await until(() => door.gate.events.at(-1)?.outcome === 'cancelled')
  })

  it('modern: who leaves before the record is written is not forwarded', async () => {
    door.answerAll()
    const spooled = Promise.withResolvers<void>()
    door.gate.state.spooled = spooled.promise
    const left = new Promise((resolve) =>
      door.gate.server.once('connection', (socket) => socket.once('close', () => setImmediate(resolve))),
    )
    const controller = new AbortController()
    const answer = fetch(door.url(), {
      method: 'POST',
      signal: controller.signal,
      headers: {
        authorization: 'Bearer alice',
        'content-type': 'application/json',
        accept: ACCEPT,
        ...modernHeaders('tools/call', 'read'),
      },
      body: JSON.stringify(modern('tools/call', { name: 'read' })),
    })
    await until(() => door.gate.events.length === 1)
    controller.abort()
    await expect(answer).rejects.toThrow()
    await left
    spooled.resolve()
    await until(() => door.gate.events.length === 2)
    expect(door.gate.events.at(-1)).toMatchObject({ decision: 'allow', outcome: 'cancelled' })
    expect(door.canary.seen).toEqual([])
  })

  it('legacy: leaving is not cancelling', async () => {
    const go = Promise.withResolvers<void>()
    const ended = Promise.withResolvers<boolean>()
    door.canary.state.answer = (_, res) => {
      sse(res).write(notification)
      res.on('close', () => ended.resolve(res.writableFinished))
      void go.promise.then(() => res.end('data: {"jsonrpc":"2.0","id":1,"result":{}}\n\n'))
    }
    const controller = new AbortController()
    const answer = await fetch(door.url(), {
      method: 'POST',
      signal: controller.signal,
      headers: { authorization: 'Bearer alice', 'content-type': 'application/json', accept: ACCEPT },
      body: JSON.stringify(call('read')),
    })
    expect(answer.status).toBe(200)
    controller.abort()
    await until(() => door.gate.events.at(-1)?.outcome === 'cancelled')
    go.resolve()
    expect(await ended.promise).toBe(true)
    expect(door.canary.state.aborted).toBe(0)
  })

  it('E36: a slow reader holds the upstream back, and one that stands still loses its stream', async () => {
    let pushed = 0
    door.canary.state.answer = (_, res) => {
      sse(res)
      const line = `data: {"jsonrpc":"2.0","method":"notifications/message","params":"${'x'.repeat(16_000)}"}\n\n`
      const push = () => {
        while (pushed < 200_000_000 && !res.destroyed) {
          pushed += line.length
          if (!res.write(line)) {
            res.once('drain', push)
            return
          }
        }
      }
      push()
    }
    const socket = connect(door.gate.port, '127.0.0.1')
    socket.pause()
    const body = JSON.stringify(call('read'))
    socket.write(
      `POST /servers/canary/mcp HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer a\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    )
    await until(() => door.gate.events.at(-1)?.outcome === 'cancelled')
    expect(pushed).toBeLessThan(50_000_000)
    socket.destroy()
  })
})
