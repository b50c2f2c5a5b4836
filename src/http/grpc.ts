// gRPC on a listener of its own: unary methods over node:http2 (gRPC over HTTP/2, PROTOCOL-HTTP2). Plain text, or TLS with the files of
// `server.tls`. Loaded where it is configured.
import {
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from 'node:http2'
import { parseListen } from '../config/listen.ts'
import type { TlsConfig } from '../config/server.ts'
import type { Log } from '../observe/log.ts'
import { OperatorError, RequestError } from '../protocol/errors.ts'
import { addPart } from '../protocol/parts.ts'
import { watchConnections } from './connections.ts'
import type { GrpcCall, GrpcMethods } from './grpc-calls.ts'
import { createTlsServer, type TlsServer } from './tls.ts'

export interface GrpcListener {
  /** Every call from now on goes there. */
  use(methods: GrpcMethods): void
  open(): Promise<void>
  /** Takes no more connections, lets running calls end within `grace` milliseconds, then cuts what is left. */
  close(grace: number): Promise<void>
}

interface Needs {
  readonly listen: string
  readonly tls?: TlsConfig | undefined
  readonly methods: GrpcMethods
  readonly limits: { headers: number; headersTimeout: number; connections: number }
  readonly log: Log
}

/** PROTOCOL-HTTP2, grpc-status. */
const STATUS = { ok: 0, unimplemented: 12, internal: 13 } as const
/** Calls that one connection may have open at once: each may hold a whole message. */
const MOST_CALLS = 256
/** Milliseconds that a new connection gets for its first byte when the listener ends. */
const SILENCE = 100
/** Flag and length. */
const PREFIX = 5

export function createGrpcListener({ listen, tls, methods, limits, log }: Needs): GrpcListener {
  let current = methods
  let draining = false
  const sessions = new Set<ServerHttp2Session>()
  const options = { settings: { maxConcurrentStreams: MOST_CALLS, maxHeaderListSize: limits.headers } }

  const handle = (req: Http2ServerRequest, res: Http2ServerResponse): void => {
    // Gone in the middle: there is nobody to answer.
    req.on('error', () => undefined)
    res.on('error', () => undefined)
    answer(req, res).catch((error: unknown) => {
      log.error({ error }, 'a gRPC call failed')
      end(res, STATUS.internal)
    })
  }

  async function answer(req: Http2ServerRequest, res: Http2ServerResponse): Promise<void> {
    if (req.method !== 'POST') return void res.writeHead(405, { allow: 'POST' }).end()
    if (!/^application\/grpc(?:$|[+;])/.test(String(req.headers['content-type'] ?? '')))
      return void res.writeHead(415).end()
    const method = current.get(req.url)
    if (method === undefined) return end(res, STATUS.unimplemented)
    const timeout = parseTimeout(req.headers['grpc-timeout'])
    const read: GrpcCall['read'] = (most, patience) => readMessage(req, most, patience)
    end(res, STATUS.ok, await method({ socket: req.socket, timeout, read }))
  }

  const secure: TlsServer<Http2SecureServer> | undefined =
    tls &&
    createTlsServer({
      tls,
      protocol: 'h2',
      create: (files) => createSecureServer({ ...options, ...files }, handle),
      handshakeTimeout: limits.headersTimeout,
      log,
    })
  const server: Http2Server | Http2SecureServer = secure?.server ?? createServer(options, handle)
  server.maxConnections = limits.connections
  const connections = watchConnections(server)
  server.on('session', (session) => {
    sessions.add(session)
    session.once('close', () => sessions.delete(session))
    session.on('error', (error: Error) => log.debug({ error }, 'a gRPC connection failed'))
    // Whoever asks nothing need not stay; an ingress between two questions may.
    session.setTimeout(limits.headersTimeout, () => session.destroy())
    session.once('stream', () => session.setTimeout(0))
    // Its handshake took until now.
    if (draining) session.close()
  })
  return {
    use(next) {
      current = next
      secure?.renew()
    },
    async open() {
      await open(server, listen)
      secure?.follow()
    },
    async close(grace) {
      draining = true
      secure?.unfollow()
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const session of sessions) session.close()
      const silent = setInterval(connections.endSilent, SILENCE)
      const cut = setTimeout(() => {
        for (const session of sessions) session.destroy()
        connections.cut()
      }, grace)
      await closed
      clearInterval(silent)
      clearTimeout(cut)
    },
  }
}

const HEAD = { 'content-type': 'application/grpc', 'grpc-accept-encoding': 'identity' }

/** The status comes behind the message, and where there is none behind the head. */
function end(res: Http2ServerResponse, status: number, message?: Buffer): void {
  if (res.headersSent || res.stream.destroyed) return
  res.writeHead(200, HEAD)
  res.addTrailers({ 'grpc-status': String(status) })
  if (message === undefined) return void res.end()
  const prefix = Buffer.alloc(PREFIX)
  prefix.writeUInt32BE(message.length, 1)
  res.end(Buffer.concat([prefix, message]))
}

const UNITS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 }

/** `grpc-timeout`: at most eight digits and a unit. */
function parseTimeout(value: string | string[] | undefined): number | undefined {
  const [, count, unit = ''] = /^(\d{1,8})([HMSmun])$/.exec(String(value ?? '')) ?? []
  return count === undefined ? undefined : Math.max(1, Number(count) * (UNITS[unit] ?? 1))
}

/** Exactly one message, uncompressed: all that a unary call has, and all that we offer. */
async function readMessage(req: Http2ServerRequest, most: number, timeout: number): Promise<Buffer> {
  const bytes = await readAll(req, most + PREFIX, timeout)
  const length = bytes.length < PREFIX ? -1 : bytes.readUInt32BE(1)
  if (bytes[0] !== 0 || length !== bytes.length - PREFIX)
    throw new RequestError(400, 'grpc_message', 'The call is not one uncompressed message.')
  return bytes.subarray(PREFIX)
}

function readAll(req: Http2ServerRequest, most: number, timeout: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    const settle = (error?: RequestError): void => {
      clearTimeout(timer)
      req.removeAllListeners('data')
      // What is left of it is read and dropped: the connection belongs to other calls as well.
      req.resume()
      if (error === undefined) resolve(Buffer.concat(chunks, size))
      else reject(error)
    }
    const timer = setTimeout(() => settle(new RequestError(408, 'body_timeout', 'The message took too long.')), timeout)
    req.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > most) settle(new RequestError(413, 'body_too_large', 'The message is too large.'))
      else addPart(chunks, chunk)
    })
    req.once('end', () => settle())
    req.once('aborted', () => settle(new RequestError(400, 'body_interrupted', 'The message did not arrive.')))
  })
}

function open(server: Http2Server | Http2SecureServer, listen: string): Promise<void> {
  const { host, port } = parseListen(listen) ?? {}
  return new Promise((resolve, reject) => {
    const failed = (cause: NodeJS.ErrnoException) =>
      reject(
        new OperatorError(
          `Cannot listen on ${listen} for gRPC (${cause.code}). Stop what listens there, or change forwardAuth.grpc.`,
          { cause },
        ),
      )
    server.once('error', failed)
    server.listen(port, host, () => {
      server.off('error', failed)
      resolve()
    })
  })
}
