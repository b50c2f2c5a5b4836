// A decision service that always says yes: what nginx's auth_request asks in this comparison.
import { createServer } from 'node:http'

const server = createServer((_req, res) => res.writeHead(200, { 'content-length': 0 }).end())
server.keepAliveTimeout = 120_000
server.listen(Number(process.argv[2]), '127.0.0.1', () => process.stdout.write('ready\n'))
