// The one node:http server: limits of the head, refusals of the parser, and a drain that ends.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { parseListen, parseSocketPath } from '../config/listen.ts'
import type { TlsConfig } from '../config/server.ts'
import type { Log } from '../observe/log.ts'
import { OperatorError } from '../protocol/errors.ts'
import { type Connections, watchConnections } from './connections.ts'
import { IdentifiedResponse } from './identified.ts'
import type { Handle } from './in-flight.ts'
import { createLoopbackTwin, isCalledLocalhost, type LoopbackTwin } from './loopback-twin.ts'
import { clearSocketFile, listenPrivately, SOCKET_FILE_REMEDIES } from './socket-file.ts'
import { createSuccession, type Succession } from './succession.ts'
import { createTlsServer } from './tls.ts'
import { isWebSocketRequest, type Upgrades } from './upgrade.ts'

const DRAIN_TICK = 100
const KEEP_ALIVE = 65_000

interface Needs {
  readonly listen: string
  /** What it is called, where people open it in a browser. */
  readonly url?: string
  readonly tls?: TlsConfig | undefined
  readonly limits: { headers: number; headersTimeout: number; bodyTimeout: number; connections: number }
  readonly handle: Handle
  readonly upgrades: Upgrades
  readonly log: Log
}

export interface Listener {
  /** Every request from now on goes there: how a new configuration takes over without losing a connection. TLS files are read again. */
  use(handle: Handle, upgrades: Upgrades): void
  open(): Promise<{ host: string; port: number }>
  /** Stops accepting, lets running requests end within `grace` milliseconds, then cuts what is left. */
  close(grace: number): Promise<void>
  draining(): boolean
}

const PARSER_ANSWERS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
}

export function createListener({ listen, url, tls, limits, handle, upgrades, log }: Needs): Listener {
  let draining = false
  let current = { handle, upgrades }
  const succession = createSuccession()
  const options = {
    optimizeEmptyRequests: true,
    ServerResponse: IdentifiedResponse,
    maxHeaderSize: limits.headers,
    headersTimeout: limits.headersTimeout,
    // The whole request, head and body; a stream we answer is not counted in it.
    requestTimeout: limits.headersTimeout + limits.bodyTimeout,
    keepAliveTimeout: KEEP_ALIVE,
    connectionsCheckingInterval: 1000,
    insecureHTTPParser: false,
    requireHostHeader: false,
    // Whatever else asks for an upgrade, or asks for it elsewhere, is an ordinary request (RFC 9110 §7.8: a server may ignore it).
    shouldUpgradeCallback: (req: IncomingMessage) => isWebSocketRequest(req) && current.upgrades.takes(req.url ?? ''),
  } as Parameters<typeof createServer>[0] & object
  const answer: Handle = (req, res) => {
    if (!succession.admit(req, res)) return
    // What came in one read behind a request with Upgrade is dropped by Node's parser: the next read may begin in the middle.
    if (draining || req.headers.upgrade !== undefined) res.setHeader('Connection', 'close')
    current.handle(req, res)
  }
  const secure =
    tls &&
    createTlsServer({
      tls,
      create: (files) => createHttpsServer({ ...options, ...files }, answer),
      protocol: 'http/1.1',
      handshakeTimeout: limits.headersTimeout,
      log,
    })
  const server: Server = secure?.server ?? createServer(options, answer)
  // Unlimited here, counted in the head gate: Node would drop the surplus silently, and a dropped header is a changed request.
  server.maxHeadersCount = 0
  server.maxConnections = limits.connections
  const connections = watchConnections(server)
  const twin =
    url !== undefined && isCalledLocalhost(url)
      ? createLoopbackTwin({ url, server, allowHalfOpen: secure === undefined, connections })
      : undefined
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => refuseUnparsed(error, socket, succession))
  // RFC 9110 §10.1.1: we read every body we are sent; other expectations are not met.
  server.on('checkExpectation', (req: IncomingMessage, res: ServerResponse) => {
    res.setHeader('Connection', 'close')
    if (succession.admit(req, res)) res.writeHead(417).end()
  })
  server.on('upgrade', (req: IncomingMessage, socket: Duplex, head: Buffer) => {
    // A client that does not wait for its answers has no say in what the connection becomes.
    if (draining || !succession.isFree(socket)) socket.destroy()
    else current.upgrades.handle(req, socket, head)
  })
  return {
    use(nextHandle, nextUpgrades) {
      current = { handle: nextHandle, upgrades: nextUpgrades }
      secure?.renew()
    },
    async open() {
      const opened = await open(server, listen)
      // Where it listens, however that was written.
      const at = server.address()
      if (at !== null && typeof at === 'object') await twin?.open({ host: at.address, port: at.port })
      secure?.follow()
      return opened
    },
    async close(grace) {
      draining = true
      secure?.unfollow()
      await drain({ server, connections, twin }, grace)
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

async function open(server: Server, listen: string): Promise<{ host: string; port: number }> {
  const path = parseSocketPath(listen)
  const address = parseListen(listen)
  if (path === undefined && address === undefined)
    throw new OperatorError(`server.listen: "${listen}" is not HOST:PORT, such as 127.0.0.1:4444.`)
  if (path !== undefined) await clearSocketFile(path)
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenProblem(error, listen, path)))
    const opened = () => {
      server.removeAllListeners('error')
      const at = server.address()
      resolve({ host: path ?? address?.host ?? '', port: typeof at === 'object' ? (at?.port ?? 0) : 0 })
    }
    if (path !== undefined) listenPrivately(server, path, opened)
    else server.listen(address?.port, address?.host, opened)
  })
}

function listenProblem(cause: NodeJS.ErrnoException, listen: string, path: string | undefined): OperatorError {
  const remedies = path === undefined ? REMEDIES : SOCKET_FILE_REMEDIES
  return new OperatorError(
    `Cannot listen on ${listen} (${cause.code}). ${remedies[cause.code ?? ''] ?? cause.message}`,
    { cause },
  )
}

const REMEDIES: Readonly<Record<string, string>> = {
  EADDRINUSE:
    'Another program already listens there. Stop it, or choose another address with --listen or PORTCULLIS_SERVER_LISTEN.',
  EACCES:
    'This account may not listen there. Ports below 1024 need a privilege; choose a higher one with --listen or PORTCULLIS_SERVER_LISTEN.',
  EADDRNOTAVAIL: 'This machine has no such address. Use 127.0.0.1 or 0.0.0.0, or one that `ip address` shows.',
  ENOTFOUND: 'That host name does not resolve. Use an IP address.',
}

interface Drained {
  readonly server: Server
  readonly connections: Connections
  readonly twin: LoopbackTwin | undefined
}

async function drain({ server, connections, twin }: Drained, grace: number): Promise<void> {
  const closed = Promise.all([new Promise<void>((resolve) => server.close(() => resolve())), twin?.close()])
  // Once is not enough: a keep-alive client goes idle only after its last answer, and would hold the close open.
  const idle = setInterval(() => {
    server.closeIdleConnections()
    // Not before the first tick: what was accepted a moment ago may be about to ask.
    connections.endSilent()
  }, DRAIN_TICK)
  const cut = setTimeout(connections.cut, grace)
  server.closeIdleConnections()
  await closed
  clearInterval(idle)
  clearTimeout(cut)
}
