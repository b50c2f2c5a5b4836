// The bar: the cheapest honest proxy in Node. Reads the body, sends it on through an undici pool with the head's fields, hands the answer
// back with its own. `bare`: without the fields; no MCP server of 2026-07-28 would take what it sends, which shows what they cost.
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import { type Dispatcher, Pool } from 'undici'

const [port, target, bare] = [Number(process.argv[2]), new URL(process.argv[3] ?? ''), process.argv[4] === 'bare']
const pool = new Pool(target.origin, { connections: 128 })

/** RFC 9110 §7.6.1: fields of one connection, and what undici and Node write themselves. */
const OF_THE_HOP = new Set([
  'connection',
  'content-length',
  'host',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

const server = createServer((req, res) => {
  const chunks: Buffer[] = []
  req.on('data', (chunk: Buffer) => chunks.push(chunk))
  req.on('end', () => {
    const headers = bare
      ? { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }
      : endToEnd(req.headers)
    pool.dispatch({ path: target.pathname, method: 'POST', headers, body: Buffer.concat(chunks) }, answerInto(res))
  })
})
server.keepAliveTimeout = 120_000
server.listen(port, '127.0.0.1', () => process.stdout.write('ready\n'))

function endToEnd(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const passed: IncomingHttpHeaders = {}
  for (const name in headers) if (!OF_THE_HOP.has(name)) passed[name] = headers[name]
  return passed
}

function answerInto(res: ServerResponse): Dispatcher.DispatchHandler {
  const chunks: Buffer[] = []
  let status = 502
  let fields: IncomingHttpHeaders = {}
  return {
    onRequestStart() {},
    onResponseStart(_controller, statusCode, headers) {
      status = statusCode
      fields = bare ? { 'content-type': String(headers['content-type']) } : endToEnd(headers)
    },
    onResponseData: (_controller, chunk) => void chunks.push(chunk),
    onResponseEnd() {
      const body = Buffer.concat(chunks)
      fields['content-length'] = String(body.length)
      res.writeHead(status, fields).end(body)
    },
    onResponseError: () => void res.writeHead(502).end(),
  }
}
