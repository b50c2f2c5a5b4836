// HTTPS with certificates of the test's own: files for the gate, and a client that shows what it is told to.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http'
import { Agent, request } from 'node:https'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { getGlobalDispatcher, setGlobalDispatcher, Agent as UndiciAgent } from 'undici'
import type { ConfigInput } from '../../src/config/schema.ts'
import { type Authority, createAuthority, type Issued, type Wish } from './authority.ts'

type TlsInput = NonNullable<NonNullable<ConfigInput['server']>['tls']>

export interface TlsFolder {
  readonly authority: Authority
  /** For `server.tls`. */
  readonly tls: TlsInput
  /** Writes a file of the folder; answers its path. */
  write(name: string, text: string): string
  /** Writes the list of what is revoked; until then nothing is. */
  revoke(...revoked: readonly Issued[]): void
  remove(): void
}

const OWN: Wish = { subject: 'localhost', usage: 'server', sans: { dns: ['localhost'], ip: ['127.0.0.1'] } }

export type TlsWish = Partial<TlsInput> & {
  /** With a revocation list. */
  readonly lists?: boolean
}

/** Certificate, key and client authority of a gate, in a folder of their own. */
export function createTlsFolder({ lists = false, ...extra }: TlsWish = {}): TlsFolder {
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-certificates-'))
  const authority = createAuthority('Test authority')
  const write = (name: string, text: string): string => {
    const path = join(folder, name)
    writeFileSync(path, text)
    return path
  }
  const own = authority.issue(OWN)
  const tls = {
    cert: write('gate.crt', own.cert),
    key: write('gate.key', own.key),
    clientCa: write('ca.crt', authority.cert),
    clientCert: 'optional' as const,
    ...(lists && { crl: write('revoked.crl', authority.revoke([])) }),
    ...extra,
  }
  const revoke = (...revoked: readonly Issued[]) => void write('revoked.crl', authority.revoke(revoked))
  return { authority, tls, write, revoke, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

export const issueOwn = (authority: Authority): Issued => authority.issue(OWN)

export interface Shown {
  readonly authority: Authority
  readonly client?: Pick<Issued, 'cert' | 'key'> | undefined
}

const connection = ({ authority, client }: Shown): ConnectionOptions => ({
  ca: authority.cert,
  servername: 'localhost',
  ...(client && { cert: client.cert, key: client.key }),
})

/** Connected, handshake done as the client sees it. */
export function connectTls(port: number, shown: Shown, more: ConnectionOptions = {}): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ ...connection(shown), port, host: '127.0.0.1', ...more }, () => resolve(socket))
    socket.once('error', reject)
  })
}

export interface HttpsAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export interface HttpsClient {
  get(path: string, headers?: OutgoingHttpHeaders): Promise<HttpsAnswer>
  post(path: string, body: string, headers?: OutgoingHttpHeaders): Promise<HttpsAnswer>
  /** Connections it opened so far. */
  connections(): number
  /** Of these the ones that are still open, as far as it knows. */
  open(): number
  close(): void
}

/** One connection, kept alive. */
export function httpsClient(port: number, shown: Shown, more: ConnectionOptions = {}): HttpsClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 1, ...connection(shown), ...more })
  const seen = new Set<Socket>()
  const send = (method: string, path: string, headers: OutgoingHttpHeaders, body = ''): Promise<HttpsAnswer> =>
    new Promise((resolve, reject) => {
      const req = request({ host: '127.0.0.1', port, agent, method, path, headers }, (res) => {
        const chunks: Buffer[] = []
        res.on('data', (chunk: Buffer) => chunks.push(chunk))
        res.on('end', () =>
          resolve({ status: res.statusCode ?? 0, headers: res.headers, body: Buffer.concat(chunks).toString() }),
        )
        res.on('error', reject)
      })
      req.on('socket', (socket) => seen.add(socket))
      req.on('error', reject)
      req.end(body)
    })
  return {
    get: (path, headers = {}) => send('GET', path, headers),
    post: (path, body, headers = {}) =>
      send('POST', path, { 'Content-Length': Buffer.byteLength(body), ...headers }, body),
    connections: () => seen.size,
    open: () => [...seen].filter((socket) => !socket.destroyed).length,
    close: () => agent.destroy(),
  }
}

/** Every fetch of this process trusts the authority; answers how to take that away. */
export function trust({ cert }: Pick<Authority, 'cert'>): () => Promise<void> {
  const before = getGlobalDispatcher()
  const agent = new UndiciAgent({ connect: { ca: cert } })
  setGlobalDispatcher(agent)
  return async () => {
    setGlobalDispatcher(before)
    await agent.close()
  }
}

/** It only ends what would never come: less than a test's time, so that it is said what was waited for. */
const PATIENCE = 20_000

/** Waits for what another part of the process does in its own time. */
export async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = Date.now() + PATIENCE
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`It never happened: ${what}.`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
