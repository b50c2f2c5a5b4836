// MCP over WebSocket as a channel: one message a text frame, subprotocol `mcp` (RFC 6455). The library is loaded with the first one.
import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import type { RpcMessage } from '../../../protocol/jsonrpc.ts'
import { UpstreamError } from '../../upstream.ts'
import type { Ears, Fields, Transport } from '../transport.ts'
import { refusalOf, upstreamErrorOf } from './refusal.ts'

export interface SocketPlace {
  readonly url: URL
  /** A connection to it; TLS is done. */
  open(): Promise<Socket>
  /** Credential and who calls: of the one request there is, the handshake. */
  fields(): Fields
  path(): string
  readonly requestTimeout: number
  /** Longest message, in bytes. */
  readonly longest: number
  readonly pingEvery?: number
}

const PING = 25_000
/** RFC 6455 §7.4.1. */
const CODES = { done: 1000, unsupported: 1003 } as const
/** What may wait for a server that does not read. */
const MOST_UNREAD = 32 * 1024 * 1024
/** For the server's side of the closing handshake. */
const CLOSING = 2_000
/** What a flood of pings may make us owe. */
const MOST_PONGS = 64 * 1024

export function openWebSocket(place: SocketPlace, ears: Ears): Transport {
  const ready = Promise.withResolvers<void>()
  const ended = Promise.withResolvers<UpstreamError>()
  let socket: WebSocket | undefined
  let failure: UpstreamError | undefined

  const patience = setTimeout(() => {
    end(new UpstreamError('timeout', 'The server did not open the WebSocket in time.'))
    socket?.terminate()
  }, place.requestTimeout)

  const end = (reason: UpstreamError): void => {
    clearTimeout(patience)
    failure ??= reason
    ready.reject(failure)
    ended.resolve(failure)
  }
  // Whoever opens the channel waits for `ready`; nobody may have begun to when it fails.
  ready.promise.catch(() => undefined)

  async function open(): Promise<void> {
    const { WebSocket: Client } = await import('ws')
    const connection = await place.open()
    // It was closed before it was open.
    if (failure !== undefined) return void connection.destroy()
    socket = new Client(addressOf(place), ['mcp'], {
      createConnection: () => connection,
      headers: { ...place.fields() },
      // Packed, a few bytes become as many as they like; and what two people send would be packed together.
      perMessageDeflate: false,
      maxPayload: place.longest,
      followRedirects: false,
      autoPong: false,
    })
    listen(socket)
  }

  function listen(opened: WebSocket): void {
    opened.once('open', () => {
      clearTimeout(patience)
      beat(opened, place.pingEvery ?? PING)
      ready.resolve()
    })
    opened.once('unexpected-response', (_request, response) => {
      response.destroy()
      end(
        refusalOf(response.statusCode ?? 0, response.headers) ??
          new UpstreamError('protocol', 'The server does not speak WebSocket.'),
      )
      opened.terminate()
    })
    opened.on('message', (data, isBinary) => {
      if (isBinary) return close(opened, new UpstreamError('protocol', 'The server sent bytes where text is due.'))
      return ears.receive(data.toString())
    })
    opened.on('ping', (data) => {
      if (opened.bufferedAmount < MOST_PONGS) opened.pong(data)
    })
    // Frames that are none, one that is too large, a subprotocol that was not asked for: the library closes after it.
    opened.on('error', (error) => end(asFailure(error)))
    opened.once('close', () => end(new UpstreamError('reset', 'The server closed the connection.')))
  }

  function close(opened: WebSocket, reason: UpstreamError): void {
    end(reason)
    opened.close(CODES.unsupported)
    setTimeout(() => opened.terminate(), CLOSING).unref()
  }

  open().catch((error: unknown) => end(upstreamErrorOf(error)))

  return {
    ready: ready.promise,
    send(message: RpcMessage) {
      if (socket === undefined || socket.readyState !== socket.OPEN)
        throw new UpstreamError('exited', 'The channel is not open.')
      if (socket.bufferedAmount > MOST_UNREAD) throw new UpstreamError('timeout', 'The server does not read its input.')
      socket.send(JSON.stringify(message))
      return undefined
    },
    ended: ended.promise,
    async stop() {
      end(new UpstreamError('exited', 'The channel was closed.'))
      const opened = socket
      if (opened === undefined || opened.readyState === opened.CLOSED) return
      opened.close(CODES.done)
      const closed = Promise.withResolvers<void>()
      opened.once('close', () => closed.resolve())
      const late = setTimeout(() => opened.terminate(), CLOSING)
      await closed.promise
      clearTimeout(late)
    },
  }
}

/** Our own pings find a server that has gone without a word; they keep proxies from closing a silent connection, too. */
function beat(socket: WebSocket, every: number): void {
  let heard = true
  socket.on('pong', () => {
    heard = true
  })
  const timer = setInterval(() => {
    if (!heard) return socket.terminate()
    heard = false
    return socket.ping()
  }, every)
  timer.unref()
  socket.once('close', () => clearInterval(timer))
}

/** RFC 6455 §3: the connection is there already, so that the scheme only says what the handshake looks like. */
const addressOf = ({ url, path }: SocketPlace): string => `${url.protocol}//${url.host}${path()}`

function asFailure(error: Error & { code?: string }): UpstreamError {
  if (error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH')
    return new UpstreamError('too_large', 'The server sent a message that is too large.')
  if (error.code?.startsWith('WS_ERR_') || /subprotocol|Sec-WebSocket|Unexpected server response/.test(error.message))
    return new UpstreamError('protocol', `The server does not speak WebSocket as MCP does: ${error.message}`)
  return upstreamErrorOf(error)
}
