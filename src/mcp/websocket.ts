// MCP over WebSocket, for clients of the handshake era: one JSON-RPC message a text frame, subprotocol `mcp` when it is offered.
import type { RawData, WebSocket, WebSocketServer } from 'ws'
import type { Exchange } from '../http/exchange.ts'
import { outlasting } from '../http/inner.ts'
import type { UpgradeExchange } from '../http/upgrade.ts'
import { BearerError, RequestError } from '../protocol/errors.ts'
import { serverPath } from '../protocol/resource.ts'
import { type Channel, type ChannelEnd, openConversation } from './conversation.ts'
import { type LastingNeeds, MOST_BODIES, MOST_MESSAGE, MOST_RUNNING } from './lasting.ts'
import type { Place, StreamEnd } from './streams.ts'

/** RFC 6455 §7.4.1. */
const CODES = { unauthorized: 1008, failed: 1011, too_large: 1009, draining: 1001, unsupported: 1003 } as const
const PING = 30_000
/** A peer that does not close its side in this time is cut off, milliseconds. */
const CLOSING = 5000

export function webSocketDoor(needs: LastingNeeds) {
  const { cors, authenticate, checkVisible, streams, limits, refuse } = needs
  let library: Promise<WebSocketServer> | undefined

  async function accept(exchange: UpgradeExchange): Promise<WebSocket> {
    library ??= openLibrary(limits.body)
    const server = await library
    const { socket, head } = exchange.takeOver()
    // Who has left already says so no more.
    if (socket.destroyed) throw badHandshake()
    return new Promise((resolve, reject) => {
      // What the library refuses after all, or who leaves in the middle: it says so by closing alone.
      socket.once('close', () => reject(badHandshake()))
      server.handleUpgrade(exchange.req, socket, head, (accepted) => {
        // What is no frame (RFC 6455 §5): the library has said why and closes. Unheard, the event would end the process.
        accepted.on('error', () => undefined)
        resolve(accepted)
      })
    })
  }

  return async function open(exchange: UpgradeExchange, serverId: string): Promise<void> {
    let place: Place | undefined
    try {
      // Browsers send no preflight before a WebSocket: the origin is all there is to tell a page of ours from another's.
      cors(exchange)
      checkHandshake(exchange)
      const principal = await authenticate(exchange, serverId)
      checkVisible(principal, serverId)
      place = streams.reserve(principal, exchange.address)
      const outer = outlasting(exchange)
      converse({ needs, exchange: outer, serverId, place, socket: await accept(exchange) })
    } catch (error) {
      place?.release()
      // Clients of this kind see no status of a refused handshake: they are let in and told why they must go.
      if (error instanceof BearerError && error.status === 401) await turnAway(accept(exchange), error)
      else refuse(exchange, error, serverId)
    }
  }
}

const badHandshake = () => new RequestError(400, 'bad_handshake', 'This is no WebSocket handshake.')
const KEY = /^[A-Za-z0-9+/]{22}==$/
const PROTOCOL = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

/** RFC 6455 §4.2.1: before anything is held for the connection. Throws RequestError 400 or 426. */
function checkHandshake({ req: { headers }, res }: UpgradeExchange): void {
  if (headers['sec-websocket-version'] !== '13') {
    res.setHeader('Sec-WebSocket-Version', '13')
    throw new RequestError(426, 'websocket_version', 'Use version 13 of the WebSocket protocol.')
  }
  const offered = headers['sec-websocket-protocol']?.split(',').map((name) => name.trim()) ?? []
  const isClear = offered.every((name) => PROTOCOL.test(name)) && new Set(offered).size === offered.length
  if (!isClear || !KEY.test(headers['sec-websocket-key'] ?? '')) throw badHandshake()
}

/** Loaded with the first WebSocket: a gate that sees none does without. */
async function openLibrary(maxPayload: number): Promise<WebSocketServer> {
  const { WebSocketServer: Server } = await import('ws')
  return new Server({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload,
    handleProtocols: (offered) => (offered.has('mcp') ? 'mcp' : false),
  })
}

async function turnAway(accepted: Promise<WebSocket>, { code }: BearerError): Promise<void> {
  const socket = await accepted
  close(socket, CODES.unauthorized, code === undefined ? 'Authentication required' : 'Invalid authentication')
}

function close(socket: WebSocket, code: number, reason: string): void {
  socket.close(code, reason)
  const timer = setTimeout(() => socket.terminate(), CLOSING)
  socket.once('close', () => clearTimeout(timer))
}

function converse(parts: {
  needs: LastingNeeds
  exchange: Exchange
  serverId: string
  place: Place
  socket: WebSocket
}): void {
  const { needs, exchange, serverId, place, socket } = parts
  const { clock, limits } = needs
  const conversation = openConversation({
    serve: needs.serve,
    server: serverId,
    path: serverPath(serverId),
    channel: channelOf(socket, limits),
    newId: () => needs.newId(clock()),
    clock,
    onError: needs.onError,
    maxMessage: MOST_MESSAGE,
    most: MOST_RUNNING,
    mostBytes: MOST_BODIES * limits.body,
  })
  const unwatch = place.watch((reason) => close(socket, codeOf(reason), WORDS[reason]))
  const alive = keepAlive(socket)
  socket.on('message', (data: RawData, isBinary: boolean) => {
    if (isBinary) return close(socket, CODES.unsupported, 'Send text.')
    conversation
      .receive(exchange, bytesOf(data))
      .catch((error: unknown) => {
        needs.onError(error)
        close(socket, CODES.failed, 'Internal error')
      })
      .finally(() => {
        if (socket.isPaused && !conversation.isFull()) socket.resume()
      })
    if (conversation.isFull()) socket.pause()
  })
  socket.once('close', () => {
    clearInterval(alive)
    unwatch()
    place.release()
    conversation.end(exchange)
  })
}

const WORDS: Readonly<Record<StreamEnd, string>> = {
  expired: 'The credential has ended',
  revoked: 'The credential was revoked',
  draining: 'The gate goes away; come back',
}
const codeOf = (reason: StreamEnd): number => (reason === 'draining' ? CODES.draining : CODES.unauthorized)

const END_WORDS: Readonly<Record<ChannelEnd, string>> = {
  unauthorized: 'Invalid authentication',
  failed: 'Internal error',
  too_large: 'Message too large',
}

/** A reader that stands still on a full buffer is cut off. */
function channelOf(socket: WebSocket, limits: LastingNeeds['limits']): Channel {
  let stalled: NodeJS.Timeout | undefined
  return {
    send(message, taken) {
      socket.send(message, { binary: false }, () => {
        if (stalled !== undefined && socket.bufferedAmount <= limits.streamBuffer) {
          clearTimeout(stalled)
          stalled = undefined
        }
        taken()
      })
      if (socket.bufferedAmount > limits.streamBuffer)
        stalled ??= setTimeout(() => socket.terminate(), limits.streamStall)
    },
    end: (reason) => close(socket, CODES[reason], END_WORDS[reason]),
  }
}

/** RFC 6455 §5.5.2: keeps proxies from closing a silent connection, and finds the peers that are gone. */
function keepAlive(socket: WebSocket): NodeJS.Timeout {
  let heard = true
  socket.on('pong', () => {
    heard = true
  })
  const timer = setInterval(() => {
    if (!heard) return socket.terminate()
    heard = false
    socket.ping()
  }, PING)
  return timer.unref()
}

function bytesOf(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data)
}
