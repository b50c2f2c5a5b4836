// A stranger's host for client documents (CIMD): says what a test wants it to say, in whichever way, and counts who came.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { createCertificate } from './certificate.ts'

export type Serve = (req: IncomingMessage, res: ServerResponse) => void

export interface DocumentHost {
  /** `https://127.0.0.1:PORT` */
  readonly origin: string
  readonly port: number
  /** Connections, with a request or without one. */
  readonly connections: number
  /** Paths asked for, in their order. */
  readonly paths: readonly string[]
  /** Bytes that somebody took from it. */
  readonly bytesTaken: number
  /** How every path answers from now on. */
  answer(serve: Serve): void
  /** Forgets who came. */
  forget(): void
  close(): Promise<void>
}

/** A good document of this client_id, with members over it; `undefined` leaves one out. */
export const documentOf = (id: string, members: Readonly<Record<string, unknown>> = {}) => ({
  client_id: id,
  client_name: 'By document',
  redirect_uris: ['https://good.example/cb'],
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  token_endpoint_auth_method: 'none',
  ...members,
})

export const sendDocument = (
  res: ServerResponse,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void =>
  void res
    .writeHead(200, { 'content-type': 'application/json', ...headers })
    .end(typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body))

/** One for all hosts: two of the same name would be taken for each other. Trusted as long as there is a host. */
const certificate = createCertificate()
const usual = getCACertificates('default')
let hosts = 0
function trust(change: 1 | -1): void {
  hosts += change
  setDefaultCACertificates(hosts > 0 ? [...usual, certificate.cert] : usual)
}

export async function startDocumentHost(at = '127.0.0.1', port = 0): Promise<DocumentHost> {
  trust(1)
  let serve: Serve = (_req, res) => void res.writeHead(404).end()
  let taken = 0
  let connections = 0
  let paths: string[] = []
  const server: Server = createServer(certificate, (req, res) => {
    paths.push(req.url ?? '')
    serve(req, res)
  })
  server.on('connection', (socket: Socket) => {
    connections++
    socket.once('close', () => {
      taken += socket.bytesWritten
    })
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, at, resolve))
  const bound = (server.address() as AddressInfo).port
  return {
    origin: `https://${at.includes(':') ? `[${at}]` : at}:${bound}`,
    port: bound,
    get connections() {
      return connections
    },
    get paths() {
      return paths
    },
    get bytesTaken() {
      return taken
    },
    answer(next) {
      serve = next
    },
    forget() {
      connections = 0
      taken = 0
      paths = []
    },
    async close() {
      trust(-1)
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
