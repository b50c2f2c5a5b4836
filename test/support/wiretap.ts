// What passes between two replicas, in the hands of whoever sits on the wire: it is handed on, kept, or swallowed.
import { createServer, request as send } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'

export interface Wiretap {
  readonly url: string
  /** Bodies that came by, in order. */
  readonly taken: readonly Buffer[]
  /** Nothing is handed on while it is set. */
  swallow: boolean
  toward(port: number): void
  close(): Promise<void>
}

export async function startWiretap(): Promise<Wiretap> {
  const taken: Buffer[] = []
  let port = 0
  const server = createServer(async (req, res) => {
    const body = await buffer(req)
    taken.push(body)
    if (tap.swallow) return void res.writeHead(421).end()
    const onward = send({ host: '127.0.0.1', port, method: 'POST', path: req.url ?? '', headers: req.headers })
    onward.once('response', (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.headers).flushHeaders()
      answer.pipe(res)
    })
    onward.once('error', () => res.destroy())
    onward.end(body)
  })
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const tap: Wiretap = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    taken,
    swallow: false,
    toward(next) {
      port = next
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return tap
}
