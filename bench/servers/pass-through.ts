// The bar: the cheapest honest proxy in Node. Reads the body, sends it on through an undici pool, hands the answer back.
import { createServer, type ServerResponse } from 'node:http'
import { type Dispatcher, Pool } from 'undici'

const [port, target] = [Number(process.argv[2]), new URL(process.argv[3] ?? '')]
const pool = new Pool(target.origin, { connections: 128 })

const server = createServer((req, res) => {
  const chunks: Buffer[] = []
  req.on('data', (chunk: Buffer) => chunks.push(chunk))
  req.on('end', () => {
    const body = Buffer.concat(chunks)
    const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }
    pool.dispatch({ path: target.pathname, method: 'POST', headers, body }, answerInto(res))
  })
})
server.keepAliveTimeout = 120_000
server.listen(port, '127.0.0.1', () => process.stdout.write('ready\n'))

function answerInto(res: ServerResponse): Dispatcher.DispatchHandler {
  const chunks: Buffer[] = []
  let status = 502
  let type = 'application/json'
  return {
    onRequestStart() {},
    onResponseStart(_controller, statusCode, headers) {
      status = statusCode
      type = String(headers['content-type'] ?? type)
    },
    onResponseData: (_controller, chunk) => void chunks.push(chunk),
    onResponseEnd() {
      const body = Buffer.concat(chunks)
      res.writeHead(status, { 'content-type': type, 'content-length': body.length }).end(body)
    },
    onResponseError: () => void res.writeHead(502).end(),
  }
}
