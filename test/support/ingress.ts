// An ingress that asks before it passes on, written to the letter of what each kind sends and does: Traefik's forwardAuth, Caddy's
// forward_auth, nginx's auth_request. Nothing is normalised: what the caller sent is what the server behind gets.
import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Passed {
  readonly method: string
  /** The target as it was received. */
  readonly target: string
  readonly rawHeaders: readonly string[]
  readonly body: string
}

export interface Ingress {
  readonly port: number
  /** What came through to the server behind. */
  readonly passed: readonly Passed[]
  /** What the gate answered, newest last. */
  readonly verdicts: readonly { readonly status: number; readonly headers: IncomingMessage['headers'] }[]
  close(): Promise<void>
}

export type IngressKind = 'traefik' | 'caddy' | 'nginx'

export interface IngressOptions {
  readonly kind?: IngressKind
  /** Where it asks. */
  readonly address: string
  /** The host it serves; taken from the request where none is given. */
  readonly host?: string
  readonly scheme?: 'https' | 'http'
  /** Fields of the answer that go on to the server behind. */
  readonly copied?: readonly string[]
  /** A free one where none is given. */
  readonly port?: number
  /** Traefik's `forwardBody`. */
  readonly forwardBody?: boolean
}

export const COPIED = [
  ...['User', 'User-Id', 'Email', 'Name', 'Groups', 'Roles', 'Teams', 'Org', 'Scopes', 'Auth-Method', 'Client'].map(
    (name) => `X-Forwarded-${name}`,
  ),
  'X-Portcullis-Assertion',
]

const HOP = new Set(['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'])

export async function startIngress(options: IngressOptions): Promise<Ingress> {
  const passed: Passed[] = []
  const verdicts: { status: number; headers: IncomingMessage['headers'] }[] = []
  const server = createServer((req, res) => {
    serve(req, res).catch((error: unknown) => res.destroy(error instanceof Error ? error : undefined))
  })

  async function serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const body = await readAll(req)
    const verdict = await ask(options, req, body)
    verdicts.push({ status: verdict.status, headers: verdict.headers })
    if (verdict.status >= 200 && verdict.status < 300) return passOn(req, res, body, verdict)
    if (options.kind === 'nginx') return answerAsNginx(res, verdict)
    const kept = pairs(verdict.rawHeaders).filter(([name]) => !HOP.has(name.toLowerCase()))
    res.writeHead(verdict.status, kept.flat()).end(verdict.body)
  }

  function passOn(req: IncomingMessage, res: ServerResponse, body: string, verdict: Answered): void {
    const { copied = COPIED, kind } = options
    const names = new Set(copied.map((name) => name.toLowerCase()))
    const added = pairs(verdict.rawHeaders).filter(([name]) => names.has(name.toLowerCase()))
    const given = new Set(added.map(([name]) => name.toLowerCase()))
    // Caddy before 2.11 leaves the caller's own field where the answer has none (CVE-2026-30851).
    const replaced = kind === 'caddy' ? given : names
    const kept = pairs(req.rawHeaders).filter(([name]) => !replaced.has(name.toLowerCase()))
    passed.push({
      method: req.method ?? '',
      target: req.url ?? '',
      rawHeaders: [...kept, ...added].flat(),
      body,
    })
    res.writeHead(200, { 'Content-Type': 'text/plain' }).end('from the server behind')
  }

  server.listen(options.port ?? 0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    passed,
    verdicts,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

interface Answered {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly rawHeaders: readonly string[]
  readonly body: string
}

/** nginx 1.22: 401 and 403 are answered (`WWW-Authenticate` goes along), anything else is its own failure. As the guide configures it, a
 * 401 with a `Location` sends the browser there, with the cookie of the answer. */
function answerAsNginx(res: ServerResponse, { status, headers }: Answered): void {
  const location = headers['x-portcullis-location']
  if (status === 401 && typeof location === 'string') {
    const [cookie] = headers['set-cookie'] ?? []
    res.writeHead(302, { Location: location, ...(cookie !== undefined && { 'Set-Cookie': cookie }) }).end()
    return
  }
  const challenge = headers['www-authenticate']
  const known = status === 401 || status === 403
  res.writeHead(
    known ? status : 500,
    challenge === undefined || status !== 401 ? {} : { 'WWW-Authenticate': challenge },
  )
  res.end()
}

function ask(options: IngressOptions, req: IncomingMessage, body: string): Promise<Answered> {
  const { kind = 'traefik', address, scheme = 'https', forwardBody = false } = options
  const host = options.host ?? req.headers.host ?? ''
  const target = req.url ?? ''
  const method = req.method ?? ''
  const own: Record<string, string> =
    kind === 'nginx'
      ? { 'X-Original-URL': `${scheme}://${host}${target}`, 'X-Original-Method': method }
      : {
          'X-Forwarded-Method': method,
          'X-Forwarded-Uri': target,
          'X-Forwarded-Proto': scheme,
          'X-Forwarded-Host': host,
        }
  const set = new Set(
    [...Object.keys(own), 'X-Forwarded-For', 'Host', 'Content-Length'].map((name) => name.toLowerCase()),
  )
  const copied = pairs(req.rawHeaders).filter(([name]) => !HOP.has(name.toLowerCase()) && !set.has(name.toLowerCase()))
  const sent = forwardBody ? body : ''
  const length: [string, string][] = sent === '' ? [] : [['Content-Length', String(Buffer.byteLength(sent))]]
  const url = new URL(address)
  const headers = [['Host', url.host], ...copied, ...Object.entries(own), ['X-Forwarded-For', '203.0.113.9'], ...length]
  const asking = request({
    host: url.hostname,
    port: url.port,
    path: url.pathname,
    method: 'GET',
    headers: headers.flat(),
  })
  return new Promise((resolve, reject) => {
    asking.once('error', reject)
    asking.once('response', (answer) => {
      readAll(answer).then(
        (text) =>
          resolve({
            status: answer.statusCode ?? 0,
            headers: answer.headers,
            rawHeaders: answer.rawHeaders,
            body: text,
          }),
        reject,
      )
    })
    asking.end(sent)
  })
}

async function readAll(stream: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

const pairs = (raw: readonly string[]): [string, string][] =>
  raw.flatMap((name, at) => (at % 2 === 0 ? [[name, raw[at + 1] ?? ''] as [string, string]] : []))

/** Every value of a field that came through, in any spelling of its name that a CGI-like reader folds into one. */
export const valuesOf = ({ rawHeaders }: Pick<Passed, 'rawHeaders'>, field: string): string[] =>
  pairs(rawHeaders)
    .filter(([name]) => name.toLowerCase().replace(/[^a-z0-9]/g, '-') === field.toLowerCase())
    .map(([, value]) => value)
