// A door in front of a real MCP server that looks at one field of the head, writes down what came, and lets in what a test takes.
import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pipeline } from 'node:stream'

export interface Guarded {
  readonly url: string
  /** Authorization of each request, in order; with the address it came to. */
  readonly seen: { readonly authorization: string | undefined; readonly url: string }[]
  /** By the Authorization that it shows. */
  takes(authorization: string | undefined): boolean
  /** Its words to whom it does not let in. */
  refusal: { readonly status: number; readonly challenge?: string }
  close(): Promise<void>
}

export async function startGuarded(target: string): Promise<Guarded> {
  const server = createServer((req, res) => {
    const { authorization } = req.headers
    guarded.seen.push({ authorization, url: req.url ?? '' })
    if (guarded.takes(authorization)) return passOn(new URL(target), req, res)
    const { status, challenge } = guarded.refusal
    req.resume()
    res.writeHead(status, challenge === undefined ? {} : { 'www-authenticate': challenge }).end()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const guarded: Guarded = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    seen: [],
    takes: () => true,
    refusal: { status: 401 },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return guarded
}

function passOn({ hostname, port, pathname }: URL, req: IncomingMessage, res: ServerResponse): void {
  const { authorization: _, ...headers } = req.headers
  const onward = request({ hostname, port, path: pathname, method: req.method, headers }, (answer) => {
    res.writeHead(answer.statusCode ?? 502, answer.headers)
    pipeline(answer, res, () => undefined)
  })
  onward.on('error', () => res.destroy())
  res.on('close', () => onward.destroy())
  pipeline(req, onward, () => undefined)
}
