// A protected host as people meet it: `https://app.example.com` behind an ingress that asks the gate at `https://gate.example.com`.
// Both have TLS edges that exist for this process alone, so that browsers keep `__Host-` cookies and addresses are what people type.
import { request as httpRequest } from 'node:http'
import { Agent, type Dispatcher, getGlobalDispatcher, setGlobalDispatcher } from 'undici'
import { registerClient } from './client.ts'
import { type GatewayOptions, startGateway, type TestGateway } from './gateway.ts'
import { type Ingress, type IngressOptions, startIngress } from './ingress.ts'
import type { Person } from './person.ts'

export const GATE = 'https://gate.example.com'
export const APP = 'https://app.example.com'
export const OTHER = 'https://other.example.com'

export interface ForwardRange {
  readonly gateway: TestGateway
  /** In front of `app.example.com`. */
  readonly ingress: Ingress
  /** In front of `other.example.com`. */
  readonly other: Ingress
  /** A token that ann, or who is given, got through the pages. */
  tokenFor(resource?: string, options?: { person?: Person; scope?: string }): Promise<string>
  /** One request at the protected host, as a program sends it; nothing is followed. */
  call(path: string, init?: { method?: string; headers?: Record<string, string>; body?: string }): Promise<Called>
  /** One question straight to the gate, with exactly these fields. */
  ask(headers: readonly (readonly [string, string])[], options?: Straight): Promise<Called>
  close(): Promise<void>
}

export interface Straight {
  readonly path?: string
  readonly method?: string
  readonly body?: string
}

export interface Called {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly rawHeaders: readonly string[]
  readonly text: string
}

export interface RangeOptions extends GatewayOptions {
  readonly kind?: IngressOptions['kind']
  readonly forwardBody?: boolean
  readonly copied?: readonly string[]
  /** Where the ingress asks. */
  readonly path?: string
}

export async function startForwardRange(options: RangeOptions = {}): Promise<ForwardRange> {
  const { kind = 'traefik', forwardBody = false, copied, path = '/auth', ...sections } = options
  const gateway = await startGateway({
    forwardAuth: { resources: [{ host: 'app.example.com' }, { host: 'other.example.com' }] },
    ...sections,
    server: { url: GATE, trustedProxies: ['127.0.0.1'], ...sections.server },
    oauth: { registration: { perAddress: 100_000, total: 100_000 }, ...sections.oauth },
  })
  const address = `http://127.0.0.1:${gateway.port}${path}`
  const ingressAt = (host: string) =>
    startIngress({ kind, address, host, forwardBody, ...(copied !== undefined && { copied }) })
  const [ingress, other] = [await ingressAt('app.example.com'), await ingressAt('other.example.com')]
  const removeEdges = putEdges({ [GATE]: gateway.port, [APP]: ingress.port, [OTHER]: other.port })

  return {
    gateway,
    ingress,
    other,
    async tokenFor(resource = APP, { person, scope = 'mcp:tools' } = {}) {
      const client = await registerClient({ url: GATE })
      const tokens = await client.signIn(person ?? (await gateway.person()), { resource, scope })
      return tokens.accessToken
    },
    call: (target, init = {}) =>
      send(ingress.port, { path: target, ...init, headers: Object.entries(init.headers ?? {}) }),
    ask: (headers, straight = {}) => send(gateway.port, { path, ...straight, headers }),
    async close() {
      await removeEdges()
      await ingress.close()
      await other.close()
      await gateway.close()
    },
  }
}

/** Straight over a socket of node:http: fetch would add fields of its own, and repair paths. */
function send(
  port: number,
  { path = '/', method = 'GET', headers, body = '' }: Straight & { headers: readonly (readonly [string, string])[] },
): Promise<Called> {
  const length: [string, string][] = body === '' ? [] : [['Content-Length', String(Buffer.byteLength(body))]]
  const all = [['Host', `127.0.0.1:${port}`], ...headers, ...length].flat()
  const sending = httpRequest({ host: '127.0.0.1', port, path, method, headers: all, agent: false })
  return new Promise((resolve, reject) => {
    sending.once('error', reject)
    sending.once('response', (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.once('error', reject)
      answer.once('end', () =>
        resolve({
          status: answer.statusCode ?? 0,
          headers: Object.fromEntries(Object.entries(answer.headers).map(([name, value]) => [name, String(value)])),
          rawHeaders: answer.rawHeaders,
          text: Buffer.concat(chunks).toString(),
        }),
      )
    })
    sending.end(body)
  })
}

/** Node's fetch says `cors` of every request; who asks for a page in this process is a browser that was pointed there. */
function putEdges(ports: Readonly<Record<string, number>>): () => Promise<void> {
  const before: Dispatcher = getGlobalDispatcher()
  const agent = new Agent()
  setGlobalDispatcher(
    agent.compose((dispatch) => (options, handler) => {
      const port = ports[String(options.origin)]
      const origin = port === undefined ? options.origin : `http://127.0.0.1:${port}`
      return dispatch({ ...navigating(options), ...(origin !== undefined && { origin }) }, handler)
    }),
  )
  return async () => {
    setGlobalDispatcher(before)
    await agent.close()
  }
}

function navigating(options: Dispatcher.DispatchOptions): Dispatcher.DispatchOptions {
  const { headers } = options
  // What fetch hands over is a record.
  if (typeof headers !== 'object' || headers === null || Symbol.iterator in headers) return options
  const opensPage = String(headers['accept']).includes('text/html')
  return opensPage ? { ...options, headers: { ...headers, 'sec-fetch-mode': 'navigate' } } : options
}
