// An authentication proxy as Solace documents it, as far as a gateway sees one: /login, /gateway-oauth/exchange, /user_info. Not ours:
// it takes its parameters in the query alone, sends no `iss`, and says of people whatever the test wants.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface AuthServer {
  readonly url: string
  /** What /user_info answers. */
  claims: Record<string, unknown>
  /** Answers of one address in place of the right ones. */
  readonly broken: Map<string, { status: number; body: string }>
  /** Parameters that the answer to the browser has in place of the code. */
  answer: Record<string, string> | undefined
  /** Addresses that were asked for, with their queries. */
  readonly asked: string[]
  close(): Promise<void>
}

export async function startAuthServer(claims: Record<string, unknown>): Promise<AuthServer> {
  const codes = new Map<string, string>()
  const token = randomBytes(18).toString('hex')
  const server = createServer((req, res) => {
    const url = new URL(req.url ?? '/', 'http://auth.invalid')
    own.asked.push(`${req.method} ${req.url}`)
    const broken = own.broken.get(url.pathname)
    if (broken) return res.writeHead(broken.status, { 'Content-Type': 'application/json' }).end(broken.body)
    if (url.pathname === '/login') return login(url.searchParams, res)
    if (url.pathname === '/gateway-oauth/exchange' && req.method === 'POST') return exchange(url.searchParams, res)
    if (url.pathname === '/user_info' && req.headers.authorization === `Bearer ${token}`)
      return sendJson(res, 200, own.claims)
    sendJson(res, 401, { detail: 'Not authenticated' })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')

  function login(parameters: URLSearchParams, res: ServerResponse) {
    const uri = parameters.get('gateway_uri') ?? ''
    const code = randomBytes(18).toString('hex')
    codes.set(code, uri)
    const back = new URL(uri)
    for (const [name, value] of Object.entries(own.answer ?? { code })) back.searchParams.set(name, value)
    back.searchParams.set('state', parameters.get('state') ?? '')
    res.writeHead(302, { Location: back.href }).end()
  }

  function exchange(parameters: URLSearchParams, res: ServerResponse) {
    const code = parameters.get('code') ?? ''
    const uri = codes.get(code)
    codes.delete(code)
    if (uri === undefined || uri !== parameters.get('gateway_uri'))
      return sendJson(res, 400, { detail: 'Invalid or expired gateway code' })
    sendJson(res, 200, { access_token: token, refresh_token: 'of the auth server', token_type: 'Bearer' })
  }

  const own: AuthServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    claims,
    broken: new Map(),
    answer: undefined,
    asked: [],
    async close() {
      server.closeAllConnections()
      if (server.listening) server.close()
    },
  }
  return own
}

function sendJson(res: ServerResponse, status: number, body: unknown): void {
  res.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
}
