// Who gets which connection, and when one is nobody's any more.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Client, type Dispatcher } from 'undici'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SharedConnections, type SharedOptions } from './shared-connections.ts'

let server: Server
let origin: string
let now: number
let answer: (req: IncomingMessage, res: ServerResponse) => void
let connections: SharedConnections
let opened: number

beforeEach(async () => {
  now = 0
  opened = 0
  answer = (req, res) => res.end(String(req.socket.remotePort))
  server = createServer((req, res) => answer(req, res)).listen(0, '127.0.0.1')
  server.on('connection', () => {
    opened += 1
  })
  await once(server, 'listening')
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  connections = sharing(2)
})
afterEach(async () => {
  await connections.destroy()
  server.closeAllConnections()
  server.close()
})

const sharing = (most: number) =>
  new SharedConnections(
    () => new Client(origin, { pipelining: 1 }),
    most,
    () => now,
  )

const request = (whose?: string) => {
  const options: SharedOptions & Dispatcher.RequestOptions = { path: '/', method: 'POST', body: '{}', whose }
  return connections.request(options)
}
/** Which connection it was; settled once that is free again. */
async function ask(whose?: string): Promise<string> {
  const { body } = await request(whose)
  const which = await body.text()
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
  return which
}

describe('a connection', () => {
  it('is the same caller’s again, and another’s only after a silence', async () => {
    const first = await ask('ann')
    expect(await ask('ann')).toBe(first)
    now += 999
    const second = await ask('bob')
    expect(second).not.toBe(first)
    expect(await ask('ann')).toBe(first)
    now += 1000
    // The one that was silent longest.
    expect([await ask('eve'), opened]).toEqual([second, 2])
  })

  it('is the gate’s own where nobody is named', async () => {
    const first = await ask()
    expect(await ask('ann')).not.toBe(first)
    expect(await ask()).toBe(first)
  })

  it('goes round where no further one may be opened: nobody waits for a silence', async () => {
    const ports = [await ask('ann'), await ask('bob')]
    expect(await ask('eve')).toBe(ports[0])
    expect(opened).toBe(2)
  })

  it('is waited for where all are taken, in turn', async () => {
    const held: (() => void)[] = []
    answer = (req, res) => void held.push(() => res.end(String(req.socket.remotePort)))
    const asked = ['ann', 'ann', 'bob', 'eve'].map((whose) => request(whose).then(({ body }) => body.text()))
    while (held.length < 2) await new Promise((resolve) => setTimeout(resolve, 2))
    expect([held.length, opened]).toEqual([2, 2])
    for (let answered = 0; answered < asked.length; answered++) {
      while (held.length === 0) await new Promise((resolve) => setTimeout(resolve, 2))
      held.shift()?.()
    }
    expect(new Set(await Promise.all(asked)).size).toBe(2)
    expect(opened).toBe(2)
  })

  it('that its server closed is no connection any more, and takes nobody’s place', async () => {
    connections = sharing(1)
    const first = await ask('ann')
    const gone = once(connections, 'disconnect')
    server.closeIdleConnections()
    await gone
    expect(await ask('bob')).not.toBe(first)
    expect(opened).toBe(2)
  })

  it('that breaks in the middle of a call fails that call, and the next is served', async () => {
    connections = sharing(1)
    answer = (req) => void req.socket.destroy()
    const broken = request('ann')
    const waiting = request('ann')
    await expect(broken).rejects.toThrow()
    await expect(waiting).rejects.toThrow()
    answer = (_, res) => res.end('served')
    expect(await ask('ann')).toBe('served')
  })

  it('that cannot be had takes nobody’s place', async () => {
    connections = sharing(1)
    server.close()
    await once(server, 'close')
    await expect(request('ann')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await expect(request('bob')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    server.listen(Number(new URL(origin).port), '127.0.0.1')
    await once(server, 'listening')
    expect(await ask('bob')).toMatch(/^\d+$/)
  })

  it('is not taken by a request that is none', async () => {
    connections = sharing(1)
    await expect(connections.request({ path: 'no path', method: 'POST' })).rejects.toThrow('path')
    expect(await ask('ann')).toMatch(/^\d+$/)
    await expect(connections.request({ path: 'no path', method: 'POST' })).rejects.toThrow('path')
    expect(await ask('ann')).toMatch(/^\d+$/)
  })
})

describe('a connection whose answer was none', () => {
  const dispatched = (whose: string, onEnd: (handler: Dispatcher.DispatchHandler) => void) =>
    new Promise<string>((resolve, reject) => {
      let text = ''
      const handler: Dispatcher.DispatchHandler = {
        onRequestStart: () => undefined,
        onResponseStart: () => undefined,
        onResponseData: (_, chunk) => {
          text += chunk
        },
        onResponseEnd: () => {
          onEnd(handler)
          setImmediate(() => setImmediate(() => resolve(text)))
        },
        onResponseError: (_, error) => reject(error),
      }
      const options: SharedOptions = { path: '/', method: 'POST', body: '{}', whose }
      connections.dispatch(options, handler)
    })

  it('is closed: also the same caller has another', async () => {
    const other = await ask('bob')
    const first = await dispatched('ann', (handler) => connections.endConnectionOf(handler))
    const second = await dispatched('ann', () => undefined)
    expect(second).not.toBe(first)
    expect(await ask('ann')).toBe(second)
    // Nobody else's is.
    expect(await ask('bob')).toBe(other)
  })

  it('is closed when it is free already, and when others wait for it', async () => {
    connections = sharing(1)
    let late: Dispatcher.DispatchHandler = {}
    const first = await dispatched('ann', (handler) => {
      late = handler
    })
    connections.endConnectionOf(late)
    const [second, third] = await Promise.all([
      dispatched('ann', (handler) => connections.endConnectionOf(handler)),
      dispatched('bob', () => undefined),
    ])
    expect(new Set([first, second, third]).size).toBe(3)
  })
})

it('the end of all fails whoever is served, whoever waits and whoever comes', async () => {
  connections = sharing(1)
  answer = () => undefined
  const asked = [request('ann'), request('bob')]
  const ends = Promise.allSettled(asked)
  while (opened < 1) await new Promise((resolve) => setTimeout(resolve, 2))
  await connections.destroy()
  expect((await ends).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  await expect(request('eve')).rejects.toMatchObject({ code: 'UND_ERR_DESTROYED' })
})
