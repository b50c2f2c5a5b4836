// The way into the library: a request that we wrote. It sees our own host, one of its own addresses, and only the headers and
// parameters that passed; nothing that a caller can choose ends up in a URL of ours (Host and X-Forwarded-* are never the caller's).
import { IncomingMessage } from 'node:http'
import type Provider from 'oidc-provider'
import type { Exchange } from '../http/exchange.ts'
import { type Call, runCall } from './call.ts'

export interface LibraryRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** One of the library's routes, with its query. */
  readonly target: string
  /** Cookies belong to browsers, Authorization to clients; neither endpoint gets the other's. */
  readonly credentials: 'cookies' | 'authorization'
  readonly body?: { readonly type: 'application/json' | 'application/x-www-form-urlencoded'; readonly text: string }
}

/** One provider, and its handler made once. */
export interface Running {
  readonly provider: Provider
  handle(req: IncomingMessage, res: Exchange['res']): Promise<void>
}

export interface Library {
  /** Answers the exchange. */
  call(exchange: Exchange, request: LibraryRequest, known?: Pick<Call, 'handle' | 'refusal'>): Promise<void>
  /** For pages: the provider and a request under our own host, carrying the browser's cookies. */
  page<T>(exchange: Exchange, work: (provider: Provider, req: IncomingMessage) => Promise<T>): Promise<T>
}

export function createLibrary({ current, serverUrl }: { current(): Running; serverUrl: string }): Library {
  const { host, protocol } = new URL(serverUrl)

  function write({ req }: Exchange, { method, target, credentials, body }: LibraryRequest): IncomingMessage {
    const bytes = Buffer.from(body?.text ?? '')
    const passed = credentials === 'cookies' ? (['cookie', 'sec-fetch-site'] as const) : (['authorization'] as const)
    const written = Object.assign(new IncomingMessage(req.socket), {
      method,
      url: target,
      httpVersion: '1.1',
      complete: true,
      headers: {
        host,
        // The listener may stand behind a TLS terminator; what people type decides whether a cookie is Secure.
        'x-forwarded-proto': protocol.slice(0, -1),
        accept: credentials === 'cookies' ? 'text/html' : 'application/json',
        ...(body === undefined ? {} : { 'content-type': body.type, 'content-length': String(bytes.length) }),
        ...Object.fromEntries(
          passed.map((name) => [name, req.headers[name]]).filter(([, value]) => value !== undefined),
        ),
      },
    })
    if (bytes.length > 0) written.push(bytes)
    written.push(null)
    return written
  }

  return {
    async call(exchange, request, known) {
      const written = write(exchange, request)
      await runCall({ exchange, ...known }, () => current().handle(written, exchange.res))
    },
    page: (exchange, work) =>
      runCall({ exchange }, () =>
        work(current().provider, write(exchange, { method: 'GET', target: exchange.path, credentials: 'cookies' })),
      ),
  }
}
