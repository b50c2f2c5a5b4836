// An authorization server's token endpoint in a test's hands: it writes down every form, and answers what the test says.
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { encode } from './forge.ts'

export interface AskedForToken {
  readonly headers: IncomingHttpHeaders
  readonly form: Readonly<Record<string, string>>
}

export interface TokenServer {
  readonly issuer: string
  readonly tokenUrl: string
  readonly asked: AskedForToken[]
  /** Paths of metadata that were asked for. */
  readonly documents: string[]
  /** Over the members of its metadata. */
  metadata: Record<string, unknown>
  /** Where the metadata is; by default as RFC 8414 §3.1 has it. */
  place: string
  answer(asked: AskedForToken): {
    readonly status?: number
    readonly headers?: Readonly<Record<string, string>>
    readonly body: unknown
  }
  close(): Promise<void>
}

/** A bearer token that says for whom it is; nobody checks who signed it. */
export const unsigned = (claims: Record<string, unknown>): string =>
  `${encode(JSON.stringify({ alg: 'none' }))}.${encode(JSON.stringify(claims))}.${encode('signature')}`

let count = 0
/** Another token each time, good for an hour. */
export const bearer = (accessToken = `token-${++count}`, more: Record<string, unknown> = {}) => ({
  body: { access_token: accessToken, token_type: 'Bearer', expires_in: 3600, ...more },
})

export async function startTokenServer(): Promise<TokenServer> {
  const server = createServer(async (req, res) => {
    const body = Buffer.concat(await req.toArray()).toString()
    const send = (status: number, value: unknown, headers = {}) =>
      res
        .writeHead(status, { 'content-type': 'application/json', ...headers })
        .end(typeof value === 'string' ? value : JSON.stringify(value))
    if (req.url === '/token' && req.method === 'POST') {
      const asked = { headers: req.headers, form: Object.fromEntries(new URLSearchParams(body)) }
      started.asked.push(asked)
      const answer = started.answer(asked)
      return send(answer.status ?? 200, answer.body, answer.headers)
    }
    started.documents.push(req.url ?? '')
    if (req.url !== started.place) return send(404, {})
    send(200, { issuer: started.issuer, token_endpoint: started.tokenUrl, ...started.metadata })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const started: TokenServer = {
    issuer,
    tokenUrl: `${issuer}/token`,
    asked: [],
    documents: [],
    metadata: {},
    place: '/.well-known/oauth-authorization-server',
    answer: () => bearer(),
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return started
}
