// The one node:http server: limits of the head, refusals of the parser, and a drain that ends.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { parseListen } from '../config/listen.ts'
import { OperatorError } from '../protocol/errors.ts'
import type { Handle } from './in-flight.ts'
import { createSuccession, type Succession } from './succession.ts'

const DRAIN_TICK = 100
const KEEP_ALIVE = 65_000

interface Needs {
  readonly listen: string
  readonly limits: { headers: number; headersTimeout: number; bodyTimeout: number; connections: number }
  readonly handle: Handle
}

export interface Listener {
  /** Every request from now on goes there: how a new configuration takes over without losing a connection. */
  use(handle: Handle): void
  open(): Promise<{ host: string; port: number }>
  /** Stops accepting, lets running requests end within `grace` milliseconds, then cuts what is left. */
  close(grace: number): Promise<void>
  draining(): boolean
}

const PARSER_ANSWERS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
}

export function createListener({ listen, limits, handle }: Needs): Listener {
  let draining = false
  let current = handle
  const succession = createSuccession()
  const server = createServer(
    {
      maxHeaderSize: limits.headers,
      headersTimeout: limits.headersTimeout,
      // The whole request, head and body; a stream we answer is not counted in it.
      requestTimeout: limits.headersTimeout + limits.bodyTimeout,
      keepAliveTimeout: KEEP_ALIVE,
      connectionsCheckingInterval: 1000,
      insecureHTTPParser: false,
      requireHostHeader: false,
      // With an upgrade listener present a plain POST with `Upgrade: h2c` would never reach us; no upgrade is taken at all.
      shouldUpgradeCallback: () => false,
    } as Parameters<typeof createServer>[0] & object,
    (req, res) => {
      if (!succession.admit(req, res)) return
      // What came in one read behind a request with Upgrade is dropped by Node's parser: the next read may begin in the middle.
      if (draining || req.headers.upgrade !== undefined) res.setHeader('Connection', 'close')
      current(req, res)
    },
  )
  // Unlimited here, counted in the head gate: Node would drop the surplus silently, and a dropped header is a changed request.
  server.maxHeadersCount = 0
  server.maxConnections = limits.connections
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => refuseUnparsed(error, socket, succession))
  // RFC 9110 §10.1.1: we read every body we are sent; other expectations are not met.
  server.on('checkExpectation', (req: IncomingMessage, res: ServerResponse) => {
    res.setHeader('Connection', 'close')
    if (succession.admit(req, res)) res.writeHead(417).end()
  })
  return {
    use(next) {
      current = next
    },
    open: () => open(server, listen),
    async close(grace) {
      draining = true
      await drain(server, grace)
    },
    draining: () => draining,
  }
}

function refuseUnparsed(error: NodeJS.ErrnoException, socket: Socket, succession: Succession): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  if (succession.endBehindAnswer(socket)) return
  const status = PARSER_ANSWERS[error.code ?? ''] ?? '400 Bad Request'
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}

function open(server: Server, listen: string): Promise<{ host: string; port: number }> {
  const address = parseListen(listen)
  if (!address) throw new OperatorError(`server.listen: "${listen}" is not HOST:PORT, such as 127.0.0.1:4444.`)
  const { host, port } = address
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenProblem(error, listen)))
    server.listen(port, host, () => {
      server.removeAllListeners('error')
      resolve({ host, port: (server.address() as AddressInfo).port })
    })
  })
}

function listenProblem(cause: NodeJS.ErrnoException, listen: string): OperatorError {
  const remedies: Readonly<Record<string, string>> = {
    EADDRINUSE:
      'Another program already listens there. Stop it, or choose another address with --listen or PORTCULLIS_SERVER_LISTEN.',
    EACCES:
      'This account may not listen there. Ports below 1024 need a privilege; choose a higher one with --listen or PORTCULLIS_SERVER_LISTEN.',
    EADDRNOTAVAIL: 'This machine has no such address. Use 127.0.0.1 or 0.0.0.0, or one that `ip address` shows.',
    ENOTFOUND: 'That host name does not resolve. Use an IP address.',
  }
  return new OperatorError(
    `Cannot listen on ${listen} (${cause.code}). ${remedies[cause.code ?? ''] ?? cause.message}`,
    { cause },
  )
}

async function drain(server: Server, grace: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  // Once is not enough: a keep-alive client goes idle only after its last answer, and would hold the close open.
  const idle = setInterval(() => server.closeIdleConnections(), DRAIN_TICK)
  const cut = setTimeout(() => server.closeAllConnections(), grace)
  server.closeIdleConnections()
  await closed
  clearInterval(idle)
  clearTimeout(cut)
}
