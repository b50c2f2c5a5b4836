// Gives every request a bearer token and passes it on: the conformance suite has no option for a header.
import { createServer, type IncomingMessage, type RequestOptions, request } from 'node:http'

export interface Injector {
  /** Same path as the target's, by the name localhost. */
  readonly url: string
  close(): Promise<void>
}

export async function startInjector(options: { target: string; token: () => string }): Promise<Injector> {
  const target = new URL(options.target)
  let self = ''
  const server = createServer((req, res) => {
    const upstream = request(passedOn(req), (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.rawHeaders)
      res.flushHeaders()
      answer.on('error', () => res.destroy()).pipe(res)
    })
    upstream.on('error', () => res.destroy())
    // A client that goes away ends the call: that is cancellation in MCP 2026-07-28.
    res.on('close', () => upstream.destroy())
    req.pipe(upstream)
  })

  function passedOn(req: IncomingMessage): RequestOptions {
    const headers = ['Authorization', `Bearer ${options.token()}`]
    for (let at = 0; at < req.rawHeaders.length; at += 2) {
      const [name = '', value = ''] = req.rawHeaders.slice(at, at + 2)
      if (name.toLowerCase() !== 'authorization') headers.push(name, renamed(name.toLowerCase(), value))
    }
    const { hostname, port, pathname } = target
    return { hostname, port, path: pathname, method: req.method ?? 'GET', headers, setHost: false, agent: false }
  }

  /** A foreign name passes as it is: whether it is refused is the target's affair, and tested. */
  function renamed(header: string, value: string): string {
    if (header === 'host' && value === self) return target.host
    return header === 'origin' && value === `http://${self}` ? target.origin : value
  }

  server.listen(0, 'localhost')
  await new Promise((resolve, reject) => server.once('listening', resolve).once('error', reject))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('No port.')
  self = `localhost:${address.port}`
  return {
    url: `http://${self}${target.pathname}`,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
