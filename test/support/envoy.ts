// Envoy's ext_authz filter to the letter, over HTTP and over gRPC: what it asks, and what it makes of the answer. Facts of its filter
// (ext_authz_http_impl.cc, check_request_utils.cc): names in small letters, lines of one name joined by a comma (or, with
// `encode_raw_headers`, each by itself), the caller's own x-envoy-auth-partial-body dropped, a body cut at `max_request_bytes`.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { parse } from 'yaml'
import { type Asking, askOverGrpc, type CheckAnswer } from './ext-authz.ts'
import type { Passed } from './ingress.ts'

export interface EnvoyOptions {
  /** Where it asks: a port of gRPC, or of HTTP. */
  readonly grpc?: number
  readonly http?: number
  readonly host: string
  /** `with_request_body`. */
  readonly body?: { readonly most: number; readonly packAsBytes?: boolean }
  readonly rawHeaders?: boolean
}

export interface Envoy {
  readonly port: number
  readonly passed: readonly Passed[]
  close(): Promise<void>
}

interface Outcome {
  readonly status: number
  readonly headers: readonly (readonly [string, string])[]
  readonly removed: readonly string[]
  readonly body: string
}

const PARTIAL = 'x-envoy-auth-partial-body'

interface Patterns {
  readonly patterns: readonly { readonly exact: string }[]
}

interface ExtAuthz {
  readonly failure_mode_allow: boolean
  readonly with_request_body: { max_request_bytes: number; allow_partial_message: boolean; pack_as_bytes?: boolean }
  readonly encode_raw_headers?: boolean
  readonly allowed_headers: Patterns
  readonly http_service: {
    readonly path_prefix: string
    readonly authorization_response: { readonly allowed_upstream_headers: Patterns }
  }
}

const SHIPPED = join(import.meta.dirname, '../../deploy/proxies/envoy')
export const shippedText = (kind: 'http' | 'grpc'): string => readFileSync(join(SHIPPED, `${kind}.yaml`), 'utf8')

/** The filter of the configuration that we ship. */
export function shippedFilter(kind: 'http' | 'grpc'): ExtAuthz {
  const [listener] = parse(shippedText(kind)).static_resources.listeners
  return listener.filter_chains[0].filters[0].typed_config.http_filters[0].typed_config
}

const HTTP = shippedFilter('http')
const exactly = ({ patterns }: Patterns): Set<string> => new Set(patterns.map(({ exact }) => exact))
const ALLOWED = exactly(HTTP.allowed_headers)
const UPSTREAM = exactly(HTTP.http_service.authorization_response.allowed_upstream_headers)

export async function startEnvoy(options: EnvoyOptions): Promise<Envoy> {
  const passed: Passed[] = []
  const asking = options.grpc === undefined ? undefined : askOverGrpc(options.grpc)
  const ask = asking ? (asked: Asked) => askGrpc(asking, options, asked) : (asked: Asked) => askHttp(options, asked)
  const server = createServer((req, res) => {
    serve(req, res).catch((error: unknown) => res.destroy(error instanceof Error ? error : undefined))
  })

  async function serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const body = await readAll(req)
    const lines = pairs(req.rawHeaders).map(([name, value]): [string, string] => [name.toLowerCase(), value])
    const target = req.url ?? ''
    const method = req.method ?? ''
    const outcome = await ask({ method, target, lines: lines.filter(([name]) => name !== 'host'), body })
    if (outcome.status !== 200) {
      res.writeHead(outcome.status, outcome.headers.flat()).end(outcome.body)
      return
    }
    const set = new Set(outcome.headers.map(([name]) => name))
    const kept = lines.filter(([name]) => !set.has(name) && !outcome.removed.includes(name))
    passed.push({ method, target, rawHeaders: [...kept, ...outcome.headers].flat(), body: body.toString() })
    res.writeHead(200, { 'content-type': 'text/plain' }).end('from the server behind')
  }

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    passed,
    async close() {
      asking?.close()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

interface Asked {
  readonly method: string
  readonly target: string
  readonly lines: readonly (readonly [string, string])[]
  readonly body: Buffer
}

/** What the filter has of the message. */
function bodyOf({ body: settings }: EnvoyOptions, body: Buffer): { sent: Buffer; partial: string | undefined } {
  if (settings === undefined || body.length === 0) return { sent: Buffer.alloc(0), partial: undefined }
  return { sent: body.subarray(0, settings.most), partial: String(body.length > settings.most) }
}

function joined(lines: Asked['lines']): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const [name, value] of lines) headers[name] = headers[name] === undefined ? value : `${headers[name]},${value}`
  return headers
}

async function askGrpc(asking: Asking, options: EnvoyOptions, asked: Asked): Promise<Outcome> {
  const { sent, partial } = bodyOf(options, asked.body)
  const lines = [
    [':authority', options.host],
    [':method', asked.method],
    [':path', asked.target],
    [':scheme', 'https'],
    ...asked.lines.filter(([name]) => name !== PARTIAL),
    ...(partial === undefined ? [] : [[PARTIAL, partial]]),
  ] as [string, string][]
  const map = lines.map(([key, value]) => ({ key, raw_value: Buffer.from(value, 'latin1') }))
  const text = sent.toString().replaceAll('\ufffd', '!')
  const answer = await asking.check({
    http: {
      method: asked.method,
      path: asked.target,
      host: options.host,
      scheme: 'https',
      ...(options.rawHeaders ? { header_map: { headers: map } } : { headers: joined(lines) }),
      ...(options.body?.packAsBytes ? { raw_body: sent } : { body: text }),
    },
  })
  return outcomeOf(answer)
}

function outcomeOf({ status, ok_response: ok, denied_response: denied }: CheckAnswer): Outcome {
  const fields = (ok ?? denied)?.headers.map(({ header }): [string, string] => [header.key, header.value]) ?? []
  if (status.code === 0) return { status: 200, headers: fields, removed: ok?.headers_to_remove ?? [], body: '' }
  return { status: denied?.status.code || 403, headers: fields, removed: [], body: denied?.body ?? '' }
}

function askHttp({ http, host, body, rawHeaders: _, ...rest }: EnvoyOptions, asked: Asked): Promise<Outcome> {
  if (http === undefined) throw new TypeError('neither a port of gRPC nor one of HTTP')
  const { sent, partial } = bodyOf({ ...rest, host, ...(body && { body }) }, asked.body)
  const headers = [
    ['host', host],
    ...Object.entries(joined(asked.lines.filter(([name]) => ALLOWED.has(name)))),
    ...(partial === undefined ? [] : [[PARTIAL, partial]]),
    ['content-length', String(sent.length)],
    ['x-envoy-internal', 'true'],
    ['x-envoy-expected-rq-timeout-ms', '200'],
  ]
  const path = HTTP.http_service.path_prefix + asked.target
  const asking = request({ host: '127.0.0.1', port: http, method: asked.method, path, headers: headers.flat() })
  return new Promise((resolve, reject) => {
    asking.once('error', reject)
    asking.once('response', (answer) => {
      readAll(answer).then((said) => {
        const told = pairs(answer.rawHeaders).map(([name, value]): [string, string] => [name.toLowerCase(), value])
        const status = answer.statusCode ?? 0
        const kept = told.filter(([name]) => (status === 200 ? UPSTREAM.has(name) : !HOP.has(name)))
        resolve({ status, headers: kept, removed: [], body: said.toString() })
      }, reject)
    })
    asking.end(sent)
  })
}

const HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'date'])

async function readAll(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

const pairs = (raw: readonly string[]): [string, string][] =>
  raw.flatMap((name, at) => (at % 2 === 0 ? [[name, raw[at + 1] ?? ''] as [string, string]] : []))
