// HTTPS in the gate itself (`server.tls`): who may open a connection, and files that change under way. RFC 8446, RFC 5246.
import { constants } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Server, TLSSocket, TlsOptions } from 'node:tls'
import type { TlsConfig } from '../config/server.ts'
import type { Log } from '../observe/log.ts'
import { OperatorError } from '../protocol/errors.ts'
import { parseRevokedSerials, serialOf } from '../protocol/revocation-list.ts'
import { describeCertificate, findRefusal, peerCertificate, type Refusal } from './client-certificate.ts'
import { hold } from './connections.ts'
import { findDateFlaw, readTlsFiles, type TlsFiles } from './tls-files.ts'
import { watchFolders } from './watched-folders.ts'

/** Time a refused client gets to read why. */
const FAREWELL = 2000

interface Needs<Served> {
  readonly tls: TlsConfig
  /** The HTTP server in it. */
  create(options: TlsOptions): Served
  readonly protocol: 'http/1.1' | 'h2'
  readonly handshakeTimeout: number
  readonly log: Log
}

export interface TlsServer<Served extends Server = Server> {
  readonly server: Served
  /** Reads the files again. New connections see the new ones; files that cannot be used leave the old in force, and that is said. */
  renew(): void
  /** Reads them again whenever they change. */
  follow(): void
  unfollow(): void
}

export function createTlsServer<Served extends Server>(needs: Needs<Served>): TlsServer<Served> {
  const { tls, create, protocol, handshakeTimeout, log } = needs
  const asks = tls.clientCert !== 'none'
  const required = tls.clientCert === 'required'
  let files = readTlsFiles(tls)
  let problem: string | undefined
  warnOfDates(files, log)
  const server = create({
    ...contextOf(files),
    ALPNProtocols: [protocol],
    handshakeTimeout,
    requestCert: asks,
    // Node would end the connection without a word to anybody: it lets OpenSSL finish every handshake, so there is no alert to send.
    rejectUnauthorized: false,
  })
  const identified = new Set<TLSSocket>()
  const answering = new WeakMap<Socket, ServerResponse>()
  server.on('tlsClientError', ({ code }: NodeJS.ErrnoException, socket: TLSSocket) => {
    log.debug({ reason: 'tls_handshake_failed', code, address: socket.remoteAddress }, 'a TLS handshake failed')
    // One that only takes too long is still open.
    socket.destroy()
  })
  if (asks) {
    server.on('request', (req: IncomingMessage, res: ServerResponse) => void answering.set(req.socket, res))
    judgeFirst(server, (socket) => {
      const refusal = findRefusal(socket, { required, authorities: files.ca ?? [] })
      if (refusal !== undefined) refuse(socket, refusal, log)
      else if (socket.authorized) hold(identified, socket)
      return refusal === undefined
    })
  }

  function take(next: TlsFiles): void {
    server.setSecureContext(contextOf(next))
    warnOfDates(next, log)
    // What is revoked ends at once, streams included: a busy connection may stay open for days.
    const revoked = new Set((next.crl ?? []).flatMap(parseRevokedSerials))
    for (const socket of identified) {
      const certificate = peerCertificate(socket)
      if (certificate !== undefined && revoked.has(serialOf(certificate))) socket.destroy()
    }
    if (textOf(next.ca) !== textOf(files.ca))
      for (const socket of identified) endAfterAnswer(socket, answering.get(socket))
    files = next
    log.info({}, 'the new TLS files are in force')
  }

  let stop: (() => void) | undefined
  const tlsServer: TlsServer<Served> = {
    server,
    renew() {
      try {
        const next = readTlsFiles(tls)
        problem = undefined
        if (JSON.stringify(next) !== JSON.stringify(files)) take(next)
      } catch (error) {
        if (!(error instanceof OperatorError)) throw error
        // The folder may be busy with other things; a broken file is told once.
        if (error.message !== problem)
          log.error({ problem: error.message }, 'the new TLS files are refused; the old ones stay in force')
        problem = error.message
      }
    },
    follow() {
      stop = watchFolders(
        [tls.cert, tls.key, tls.clientCa, tls.crl].filter((file) => file !== undefined),
        {
          onChange: tlsServer.renew,
          onError: (error) => log.warn({ error }, 'the TLS files cannot be watched; SIGHUP reads them again'),
        },
      )
    },
    unfollow: () => stop?.(),
  }
  return tlsServer
}

/** RFC 5246 §7.4.1.1: a second handshake inside the first is nobody's need, and a way to make the gate work. */
const contextOf = (files: TlsFiles) => ({ ...files, secureOptions: constants.SSL_OP_NO_RENEGOTIATION })

function warnOfDates(files: TlsFiles, log: Log): void {
  const flaw = findDateFlaw(files, Date.now())
  if (flaw !== undefined) log.warn({}, `server.tls.cert: the certificate is ${flaw}; clients will refuse it`)
}

const textOf = (texts: readonly string[] | undefined): string | undefined => texts?.join('\n')

/** Puts our judgement before the server's own listener, so that what is refused never reaches the HTTP parser. */
function judgeFirst(server: Server, judge: (socket: TLSSocket) => boolean): void {
  const [serve, ...more] = server.listeners('secureConnection')
  if (serve === undefined || more.length > 0) throw new TypeError('node:https takes connections in another way now')
  server.removeAllListeners('secureConnection')
  server.on('secureConnection', (socket) => {
    if (judge(socket)) serve.call(server, socket)
  })
}

/** Said in HTTP, before a byte of a request is read: the one language that is left when the handshake is over. */
function refuse(socket: TLSSocket, { reason, message }: Refusal, log: Log): void {
  const { remoteAddress: address, authorizationError } = socket
  const certificate = describeCertificate(socket)
  log.info({ reason, address, verdict: String(authorizationError), certificate }, 'a client certificate is refused')
  const body = JSON.stringify({ error: 'Forbidden', message })
  const head = [
    'HTTP/1.1 403 Forbidden',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ]
  const timer = setTimeout(() => socket.destroy(), FAREWELL)
  socket.once('close', () => clearTimeout(timer))
  socket.on('error', () => socket.destroy())
  // What the client sends meanwhile is let go: closing on unread bytes would take the answer from it (RFC 9112 §9.6).
  socket.resume()
  socket.end([...head, 'Connection: close', 'Cache-Control: no-store', '', body].join('\r\n'))
}

/** Its authority may be gone: the next connection will be judged anew. */
function endAfterAnswer(socket: TLSSocket, answer: ServerResponse | undefined): void {
  if (answer === undefined || answer.closed) {
    socket.destroySoon()
    return
  }
  if (!answer.headersSent) answer.setHeader('Connection', 'close')
  answer.once('close', () => socket.destroySoon())
}
