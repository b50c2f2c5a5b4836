// A client of MCP over WebSocket: the official client on a plain socket of the `ws` package.
import type { JSONRPCMessage, Transport } from '@modelcontextprotocol/client'
import { WebSocket } from 'ws'

/** How a connection ended that was refused or closed by the gate. */
export interface Closed {
  readonly code: number
  readonly reason: string
}

export const socketUrl = (url: string): string => url.replace(/^http/, 'ws')

/** The official client speaks through any transport; its own WebSocket one can send no header. */
export function socketTransport(url: string, headers: Readonly<Record<string, string>>): Transport {
  // One message a turn: the client forgets who listens to a call's progress as soon as it sees the answer.
  const socket = new WebSocket(socketUrl(url), ['mcp'], { headers, allowSynchronousEvents: false })
  const transport: Transport = {
    start: () =>
      new Promise((resolve, reject) => {
        socket.once('open', () => resolve())
        socket.once('error', reject)
        socket.on('message', (data) => transport.onmessage?.(JSON.parse(String(data)) as JSONRPCMessage))
        socket.once('close', () => transport.onclose?.())
      }),
    send: async (message) => socket.send(JSON.stringify(message)),
    close: async () => socket.close(),
  }
  return transport
}

/** Connects, says something or nothing, and waits for the gate to close. */
export function untilClosed(
  url: string,
  options: { headers?: Readonly<Record<string, string>>; say?: string | Buffer } = {},
): Promise<Closed> {
  const socket = new WebSocket(socketUrl(url), { headers: options.headers ?? {} })
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.once('open', () => {
      if (options.say !== undefined) socket.send(options.say)
    })
    socket.once('close', (code, reason) => resolve({ code, reason: String(reason) }))
  })
}

/** Status of a handshake that was refused. */
export function refusedStatus(url: string, headers: Readonly<Record<string, string>>): Promise<number> {
  const socket = new WebSocket(socketUrl(url), { headers })
  return new Promise((resolve, reject) => {
    socket.once('open', () => reject(new Error('The handshake was accepted.')))
    // The library says the refusal a second time as an error.
    socket.on('error', () => undefined)
    socket.once('unexpected-response', (_, response) => {
      resolve(response.statusCode ?? 0)
      socket.terminate()
    })
  })
}
