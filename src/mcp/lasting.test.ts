// The place of a channel among the streams of its caller, whenever its client leaves: it may, while the gate still looks at who it is.
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Exchange } from '../http/exchange.ts'
import { responseOn } from '../http/upgrade.ts'
import { RequestError } from '../protocol/errors.ts'
import { ANONYMOUS } from '../protocol/principal.ts'
import { eventChannel } from './event-channel.ts'
import type { LastingNeeds } from './lasting.ts'
import { createStreams } from './streams.ts'
import { webSocketDoor } from './websocket.ts'

const ADDRESS = '127.0.0.1'
const CHANNELS = [
  { kind: 'an event stream', path: '/sse', fields: [], opened: 'event: endpoint' },
  {
    kind: 'a WebSocket',
    path: '/ws',
    fields: [
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
    ],
    opened: '101 Switching Protocols',
  },
] as const

let server: Server
/** The gate's part of the last request. */
let served: Promise<void>
let streams: ReturnType<typeof createStreams>
let looking: PromiseWithResolvers<void>
let proved: PromiseWithResolvers<void>
beforeEach(async () => {
  streams = createStreams({ most: 1, watch: () => () => undefined })
  looking = Promise.withResolvers()
  proved = Promise.withResolvers()
  const needs: LastingNeeds = {
    cors: () => undefined,
    async authenticate() {
      looking.resolve()
      await proved.promise
      return ANONYMOUS
    },
    checkVisible: () => undefined,
    serve: async ({ res }) => void res.writeHead(405).end(),
    refuse: ({ res }) => void res.destroy(),
    streams,
    self: 'a'.repeat(12),
    handOn: undefined,
    newId: () => 'inner',
    onError(error) {
      throw error
    },
    clock: Date.now,
    limits: { body: 1000, bodyTimeout: 1000, streamBuffer: 1000, streamStall: 1000, streamKeepAlive: 0 },
  }
  const events = eventChannel(needs)
  const openSocket = webSocketDoor(needs)
  const exchangeOf = (exchange: Pick<Exchange, 'req' | 'res'>): Exchange => ({
    ...{ path: '', query: '', id: 'x', address: ADDRESS, viaProxy: false, at: 0 },
    ...exchange,
  })
  server = createServer((req, res) => {
    served = events.listen(exchangeOf({ req, res }), 's', '/messages')
  })
  server.on('upgrade', (req, socket, head) => {
    const { res, takeOver } = responseOn(req, socket, head)
    served = openSocket({ ...exchangeOf({ req, res }), takeOver }, 's')
  })
  await new Promise<void>((resolve) => server.listen(0, ADDRESS, resolve))
})
afterEach(() => {
  server.closeAllConnections()
  server.close()
})

function knock({ path, fields }: (typeof CHANNELS)[number]) {
  const client = connect((server.address() as AddressInfo).port, ADDRESS)
  client.on('error', () => undefined)
  client.write([`GET ${path} HTTP/1.1`, 'Host: x', ...fields, '', ''].join('\r\n'))
  return client
}

const isFree = (): boolean => {
  try {
    streams.reserve(ANONYMOUS, ADDRESS).release()
    return true
  } catch (error) {
    if (!(error instanceof RequestError)) throw error
    return false
  }
}

describe.each(CHANNELS)('$kind', (channel) => {
  it('holds its place while its client is there, and gives it back', async () => {
    proved.resolve()
    const client = knock(channel)
    const said = new Promise((resolve) =>
      client.on('data', (data) => String(data).includes(channel.opened) && resolve(true)),
    )
    await said
    expect(isFree()).toBe(false)
    client.resetAndDestroy()
    await expect.poll(isFree).toBe(true)
  })

  it('holds none for a client that has left while it was looked at', async () => {
    const gone = new Promise<void>((resolve) =>
      server.once('connection', (socket) => socket.once('close', () => resolve())),
    )
    const client = knock(channel)
    await looking.promise
    client.resetAndDestroy()
    await gone
    proved.resolve()
    await served
    expect(isFree()).toBe(true)
  })
})
