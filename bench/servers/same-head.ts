// The bar for a forward-auth decision: node:http that answers 200 with the same fields, and does nothing else.
import { createServer } from 'node:http'

/** Names and values in turn, as the gate answers them. */
const head: string[] = JSON.parse(process.argv[3] ?? '[]')

const server = createServer((_req, res) => res.writeHead(200, head).end())
server.keepAliveTimeout = 120_000
server.listen(Number(process.argv[2]), '127.0.0.1', () => process.stdout.write('ready\n'))
