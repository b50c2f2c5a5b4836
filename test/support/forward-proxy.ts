// A proxy as companies have them: tunnels by CONNECT, for those who know its password, and counted.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'

export interface ForwardProxy {
  readonly port: number
  /** Where tunnels were asked for, in order, granted or not. */
  readonly asked: readonly string[]
  /** Every header field of these requests. */
  readonly fields: readonly string[]
  close(): Promise<void>
}

interface Wish {
  /** `user:password` that it wants. */
  readonly password?: string
  /** Answers to every CONNECT with this, in place of a tunnel. */
  readonly answer?: string
}

export async function startForwardProxy({ password, answer }: Wish = {}): Promise<ForwardProxy> {
  const asked: string[] = []
  const fields: string[] = []
  const open = new Set<Socket>()
  const server = createServer((_req, res) => void res.writeHead(405).end())
  server.on('connect', (req, client: Socket) => {
    asked.push(req.url ?? '')
    fields.push(...req.rawHeaders)
    open.add(client)
    client.on('error', () => client.destroy())
    const wanted = `Basic ${Buffer.from(password ?? '').toString('base64')}`
    if (password !== undefined && req.headers['proxy-authorization'] !== wanted)
      return void client.end('HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n')
    if (answer !== undefined) return void client.end(answer)
    const [, host = '', port = ''] = /^\[?(.*?)\]?:(\d+)$/.exec(req.url ?? '') ?? []
    const upstream = connect({ host, port: Number(port) }, () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n')
      upstream.pipe(client)
      client.pipe(upstream)
    })
    upstream.on('error', () => client.destroy())
    client.on('close', () => upstream.destroy())
    upstream.on('close', () => client.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    fields,
    async close() {
      for (const client of open) client.destroy()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
