// What stands in front of replicas: each request goes to the next of them, whoever sends it.
import { createServer, request as send } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Balancer {
  readonly url: string
  /** Ports of the replicas, in turn. */
  use(ports: readonly number[]): void
  close(): Promise<void>
}

export async function startBalancer(): Promise<Balancer> {
  let [ports, turn]: [readonly number[], number] = [[], 0]
  const server = createServer((req, res) => {
    const port = ports[turn++ % ports.length]
    const { method, url: path, headers } = req
    const onward = send({ host: '127.0.0.1', port, method, path, headers, agent: false }, (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.headers).flushHeaders()
      answer.pipe(res)
      answer.once('error', () => res.destroy())
    })
    onward.once('error', () => (res.headersSent ? res.destroy() : res.writeHead(502).end()))
    res.once('close', () => onward.destroy())
    req.pipe(onward)
  })
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    use(next) {
      ports = next
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
