// A protected host, asked about as Envoy's filter asks, in its two dialects: over HTTP byte by byte, over gRPC by another implementation.
import { type Asking, askOverGrpc, type CheckAnswer, fieldsBehind } from './ext-authz.ts'
import { type ForwardRange, type RangeOptions, startForwardRange } from './forward-range.ts'
import { converse, rawRequest } from './raw.ts'
import { freePort } from './upstream.ts'

export const HOST = 'app.example.com'
export const DIALECTS = ['http', 'grpc'] as const
export type Dialect = (typeof DIALECTS)[number]

export interface EnvoyAsk {
  readonly path?: string
  readonly method?: string
  readonly host?: string
  /** Of the caller, one line each. */
  readonly headers?: readonly (readonly [string, string])[]
  readonly token?: string | undefined
  readonly body?: string
}

export interface EnvoyAnswer {
  readonly status: number
  /** What the server behind gets of the caller's fields and ours; nothing where the request does not pass. */
  readonly behind: Readonly<Record<string, string>>
  /** What the caller is told. */
  readonly told: Readonly<Record<string, string>>
  readonly body: string
}

export interface EnvoyRange extends ForwardRange {
  readonly asking: Asking
  readonly grpcPort: number
  as(dialect: Dialect, asked: EnvoyAsk): Promise<EnvoyAnswer>
}

export async function startEnvoyRange(options: RangeOptions = {}): Promise<EnvoyRange> {
  const grpcPort = await freePort()
  const { forwardAuth, ...rest } = options
  const range = await startForwardRange({
    ...rest,
    forwardAuth: { resources: [{ host: HOST }], ...forwardAuth, grpc: `127.0.0.1:${grpcPort}` },
  })
  const asking = askOverGrpc(grpcPort)
  return {
    ...range,
    asking,
    grpcPort,
    as: (dialect, asked) => (dialect === 'grpc' ? overGrpc(asking, asked) : overHttp(range.gateway.port, asked)),
    async close() {
      asking.close()
      await range.close()
    },
  }
}

const linesOf = ({ headers = [], token }: EnvoyAsk): [string, string][] => [
  ...headers.map(([name, value]): [string, string] => [name.toLowerCase(), value]),
  ...(token === undefined ? [] : [['authorization', `Bearer ${token}`] as [string, string]]),
]

/** As a filter without `encode_raw_headers` has them. */
function joined(lines: readonly (readonly [string, string])[]): Record<string, string> {
  const fields: Record<string, string> = {}
  for (const [name, value] of lines) fields[name] = fields[name] === undefined ? value : `${fields[name]},${value}`
  return fields
}

async function overHttp(port: number, asked: EnvoyAsk): Promise<EnvoyAnswer> {
  const { path = '/', method = 'GET', host = HOST, body = '' } = asked
  const sent = joined(linesOf(asked))
  const length = String(Buffer.byteLength(body))
  const headers = [['host', host], ...Object.entries(sent), ['content-length', length], ['connection', 'close']]
  const bytes = rawRequest({ method, target: `/authz/envoy${path}`, headers: headers as [string, string][], body })
  const { answers } = await converse(port, bytes, [method])
  const [answer] = answers
  // A connection that is closed without an answer is an error to Envoy, which it answers itself (`status_on_error`).
  if (answer === undefined) return { status: 503, behind: {}, told: {}, body: '' }
  const told = Object.fromEntries(answer.headers)
  const ours = Object.fromEntries(answer.headers.filter(([name]) => /^x-(forwarded|portcullis)-/.test(name)))
  const passes = answer.status === 200
  return { status: answer.status, behind: passes ? { ...sent, ...ours } : {}, told, body: answer.body.toString() }
}

async function overGrpc(asking: Asking, asked: EnvoyAsk): Promise<EnvoyAnswer> {
  const { path = '/', method = 'GET', host = HOST, body = '' } = asked
  const sent = joined(linesOf(asked))
  const pseudo = { ':authority': host, ':method': method, ':path': path, ':scheme': 'https' }
  const headers = { ...pseudo, ...sent }
  const http = { method, path, host, scheme: 'https', headers, raw_body: Buffer.from(body) }
  return answerOf(await asking.check({ http }), sent)
}

export function answerOf(answer: CheckAnswer, sent: Readonly<Record<string, string>>): EnvoyAnswer {
  const { status, denied_response: denied } = answer
  if (status.code === 0) return { status: 200, behind: fieldsBehind(answer, sent), told: {}, body: '' }
  const told = Object.fromEntries((denied?.headers ?? []).map(({ header }) => [header.key, header.value]))
  return { status: denied?.status.code ?? 403, behind: {}, told, body: denied?.body ?? '' }
}
