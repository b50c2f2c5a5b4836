// `localhost` names two addresses (RFC 6761 §6.3), and browsers ask ::1 first: any account of this machine that listens there would be
// given the sign-ins and setup links of a gate that listens on 127.0.0.1 alone. A gate that is called localhost takes both.
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { formatListen } from '../config/listen.ts'
import { OperatorError } from '../protocol/errors.ts'
import type { Connections } from './connections.ts'

const TWINS: Readonly<Record<string, string>> = { '127.0.0.1': '::1', '0.0.0.0': '::1', '::1': '127.0.0.1' }
/** A machine without that address has nobody else there either. */
const ABSENT = new Set(['EADDRNOTAVAIL', 'EAFNOSUPPORT'])

interface Needs {
  /** What the gate is called. */
  readonly url: string
  /** Serves the connections that come there too. Its `maxConnections` is what both may have together. */
  readonly server: Server
  readonly allowHalfOpen: boolean
  /** Of both. */
  readonly connections: Pick<Connections, 'count'>
}

export interface LoopbackTwin {
  /** Throws OperatorError where somebody else listens. */
  open(beside: { readonly host: string; readonly port: number }): Promise<void>
  /** Once its connections have ended, which `server` sees to. */
  close(): Promise<void>
}

export function createLoopbackTwin({ url, server, allowHalfOpen, connections }: Needs): LoopbackTwin {
  const most = server.maxConnections
  const twin = createServer({ allowHalfOpen, noDelay: true }, (socket: Socket) => {
    if (connections.count() >= most) return void socket.destroy()
    // Node counts what came to the one server alone.
    server.maxConnections -= 1
    socket.once('close', () => {
      server.maxConnections += 1
    })
    server.emit('connection', socket)
  })
  return {
    async open({ host, port }) {
      const other = TWINS[host]
      if (other === undefined) return
      const failure = await once(twin.listen({ host: other, port, ipv6Only: true }), 'listening').then(
        () => undefined,
        (error: NodeJS.ErrnoException) => error,
      )
      if (failure && !ABSENT.has(failure.code ?? '')) throw taken({ host: other, port }, url, failure)
    },
    close: () => new Promise((resolve) => (twin.listening ? twin.close(() => resolve()) : resolve())),
  }
}

/** The name has two addresses, and so has every name below it (RFC 6761 §6.3). */
export const isCalledLocalhost = (url: string): boolean => /(?:^|\.)localhost\.?$/.test(new URL(url).hostname)

function taken(
  at: { readonly host: string; readonly port: number },
  url: string,
  cause: NodeJS.ErrnoException,
): OperatorError {
  return new OperatorError(
    `Cannot listen on ${formatListen(at)} (${cause.code}), where browsers look first for ${url}. Stop the program that listens there, choose another port with --listen or PORTCULLIS_SERVER_LISTEN, or set server.url to http://127.0.0.1:${at.port}.`,
    { cause },
  )
}
