// What an authenticating proxy does, as little of it as counts: it knows sessions, takes away what its callers say of themselves, and
// says who they are.
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface AuthProxy {
  readonly port: number
  close(): Promise<void>
}

const IDENTITY = /^x-(auth-request|forwarded)-/i

/** In front of a gate on `port`. People come with a session cookie; tokens are the gate's own affair and pass. */
export async function startAuthProxy(port: number, sessions: ReadonlyMap<string, string>): Promise<AuthProxy> {
  const server = createServer((req, res) => {
    const session = /(?:^|; )_oauth2_proxy=([^;]*)/.exec(req.headers.cookie ?? '')?.[1]
    const email = session === undefined ? undefined : sessions.get(session)
    if (session !== undefined && email === undefined) return void res.writeHead(403).end()
    const headers = Object.entries(req.headers).filter(([name]) => !IDENTITY.test(name) && name !== 'cookie')
    const onward = request({
      port,
      host: '127.0.0.1',
      method: req.method,
      path: req.url,
      headers: { ...Object.fromEntries(headers), ...(email !== undefined && { 'X-Auth-Request-Email': email }) },
    })
    onward.on('response', (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(res)
    })
    onward.on('error', () => res.writeHead(502).end())
    req.pipe(onward)
  })
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}
