// Too many header fields, too large ones, and text that would like to become one. Catalogue rows F6 and F15.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { registerClient, type TestClient } from '../support/client.ts'
import { legible } from '../support/legible.ts'
import {
  attackTable,
  callHead,
  expectNoInside,
  expectNoSecret,
  expectRefusal,
  expectServed,
  MCP_PATH,
  type Range,
  shoot,
  startRange,
  toolCall,
} from '../support/range.ts'
import { chunked, connectRaw, converse, type RawAnswer, type RawHeader, rawRequest } from '../support/raw.ts'

let range: Range
let client: TestClient

beforeAll(async () => {
  range = await startRange()
  client = await registerClient(range.gateway)
})
afterAll(() => range?.close())

const many = (count: number, make: (at: number) => RawHeader): RawHeader[] =>
  Array.from({ length: count }, (_, at) => make(at))

interface Flood {
  readonly id: string
  readonly headers: readonly RawHeader[]
  readonly target?: string
  readonly status?: number
}

const FLOODS: readonly Flood[] = [
  { id: 'one field of 16 KB', headers: [['X-A', 'a'.repeat(16 * 1024)]] },
  { id: 'one name of 16 KB', headers: [[`X-${'a'.repeat(16 * 1024)}`, 'a']] },
  { id: 'sixteen fields of 1 KB', headers: many(16, (at) => [`X-${at}`, 'a'.repeat(1024)]) },
  { id: 'a cookie of 16 KB', headers: [['Cookie', `a=${'b'.repeat(16 * 1024)}`]] },
  { id: 'a credential of 16 KB', headers: [['X-API-Key', 'k'.repeat(16 * 1024)]] },
  { id: '2,000 of the smallest', headers: many(2000, () => ['a', '']) },
  { id: '500 different ones', headers: many(500, (at) => [`x${at}`, '1']) },
  { id: '129 different ones', headers: many(129, (at) => [`x${at}`, '1']) },
  { id: '500 Mcp-Param-*', headers: many(500, (at) => [`mcp-param-${at}`, '1']) },
  { id: 'a target of 16 KB', headers: [], target: `${MCP_PATH}?${'q'.repeat(16 * 1024)}` },
  { id: 'a target of 9 KB', headers: [], target: `${MCP_PATH}?${'q'.repeat(9 * 1024)}`, status: 414 },
]

describe('F6', () => {
  attackTable('a flood of header fields', FLOODS, async ({ headers, target = MCP_PATH, status = 431 }) => {
    const [before, lines] = [range.canary.requests.length, range.gateway.log.length]
    const body = toolCall('modern')
    const usual = callHead(range, 'modern', { 'Content-Length': String(body.length) })
    const flood = rawRequest({ target, headers: [...usual, ...headers], body })
    // What stands behind it is not served either.
    const behind = rawRequest({ target: MCP_PATH, headers: usual, body })
    const { answers, left } = await converse(
      range.gateway.port,
      status === 431 ? Buffer.concat([flood, behind]) : flood,
    )
    expect(answers.map((answer) => answer.status)).toEqual([status])
    expect([answers[0]?.header('connection'), left.length]).toEqual(['close', 0])
    expect(range.canary.requests.length).toBe(before)
    expect(Math.max(0, ...range.gateway.log.slice(lines).map((line) => line.length))).toBeLessThan(2048)
    expectNoSecret(range)
    await expectServed(range)
  })

  it('serves as many as a client may have reason to send', async () => {
    const usual = callHead(range, 'modern').length + 1
    const bend = Object.fromEntries(many(128 - usual, (at) => [`x-${at}`, 'a'.repeat(50)]))
    await expectServed(range, { bend })
    const { rawHeaders = [] } = range.canary.requests.at(-1) ?? {}
    expect(rawHeaders.filter((name) => /^x-\d/.test(name))).toEqual([])
  })

  it('ends a head that has no end', async () => {
    const connection = await connectRaw(range.gateway.port)
    connection.send(`GET /health HTTP/1.1\r\nHost: 127.0.0.1:${range.gateway.port}\r\n`)
    for (let sent = 0; sent < 20; sent++) connection.send(`X-${sent}: ${'a'.repeat(1024)}\r\n`)
    expect((await connection.next()).status).toBe(431)
    expect((await connection.closed()).length).toBe(0)
    await expectServed(range)
  })

  it('ends trailers and chunk extensions that flood', async () => {
    const before = range.canary.requests.length
    const body = toolCall('modern')
    const headers = callHead(range, 'modern', { 'Transfer-Encoding': 'chunked' })
    const trailers = chunked(
      body,
      many(20, (at) => [`X-${at}`, 'a'.repeat(1024)]).map((field) => field.join(': ')),
    )
    const extended = `${body.length.toString(16)};${'a'.repeat(20_000)}\r\n${body}\r\n0\r\n\r\n`
    for (const flood of [trailers, Buffer.from(extended)]) {
      const { answers } = await converse(range.gateway.port, rawRequest({ target: MCP_PATH, headers, body: flood }))
      expect(answers).toHaveLength(1)
      expect([400, 413, 431]).toContain(answers[0]?.status)
    }
    expect(range.canary.requests.length).toBe(before)
    const small = rawRequest({ target: MCP_PATH, headers, body: chunked(body, ['X-Small: 1']) })
    expect((await converse(range.gateway.port, small)).answers[0]?.status).toBe(200)
  })
})

/** Text that a careless header would end at. Each carries what must never show up as a field, or as a page's script. */
const INJECTIONS: readonly { readonly id: string; readonly text: string }[] = [
  { id: 'CR LF', text: 'a\r\nX-Evil: 1\r\nSet-Cookie: evil=1' },
  { id: 'LF', text: 'a\nX-Evil: 1' },
  { id: 'CR', text: 'a\rX-Evil: 1' },
  { id: 'a whole answer', text: 'a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nevil!' },
  { id: 'letters whose last byte is CR LF', text: 'a\u560d\u560aX-Evil: 1' },
  { id: 'NUL', text: 'a\0X-Evil: 1' },
  { id: 'NEL and line separators', text: 'a\x85X-Evil: 1\u2028X-Evil: 1\u2029' },
  { id: 'a script', text: '"><script>alert(1)</script>' },
  { id: 'escaped twice', text: '%0d%0aX-Evil:%201' },
]

function expectWhole(answer: RawAnswer): void {
  expect(answer.status).toBeLessThan(500)
  expect(answer.headers.map(([name]) => name)).not.toContain('x-evil')
  for (const [name, value] of answer.headers) if (name === 'set-cookie') expect(value).not.toMatch(/^evil/)
  // In JSON a script is only text; whatever else could be read as a page.
  if (answer.header('content-type') !== 'application/json')
    expect(answer.body.toString()).not.toContain('<script>alert')
  expectNoInside(answer.body.toString())
  expectNoSecret(range)
}

const get = (url: string): Promise<RawAnswer> =>
  shoot(range, { method: 'GET', target: url.replace(range.gateway.url, ''), bend: { Authorization: undefined } })
const parameters = () => ({ resource: range.gateway.resource('canary'), scope: 'mcp:tools' })

describe('F15', () => {
  attackTable('a parameter of the authorization request', INJECTIONS, async ({ text }) => {
    const usual = await get(client.authorize(parameters()).url)
    expect(usual.status).toBe(303)
    for (const name of [
      'state',
      'scope',
      'resource',
      'redirect_uri',
      'prompt',
      'nonce',
      'login_hint',
      'ui_locales',
      'client_id',
      text,
    ]) {
      const answer = await get(client.authorize({ ...parameters(), [name]: text }).url)
      expectWhole(answer)
      expect([303, 400]).toContain(answer.status)
    }
  })

  attackTable('state in an error that travels back', INJECTIONS, async ({ text }) => {
    const answer = await get(client.authorize({ ...parameters(), response_type: 'token', state: text }).url)
    expectWhole(answer)
    const location = new URL(answer.header('location') ?? '')
    const returned = location.hash === '' ? location.searchParams : new URLSearchParams(location.hash.slice(1))
    expect([returned.get('state'), returned.get('error')]).toEqual([text, 'unsupported_response_type'])
  })

  attackTable('state on the way to a code and back', INJECTIONS, async ({ text }) => {
    const person = await range.gateway.person()
    // Compares the state that came back with the one that was sent.
    const code = await client.codeFrom(person, client.authorize({ ...parameters(), state: text }))
    expect(code).toMatch(/^[A-Za-z0-9_-]+$/)
  })

  attackTable('a query of another address', INJECTIONS, async ({ text }) => {
    const query = `?${new URLSearchParams({ error: text, error_description: text, state: text, code: text, q: text })}`
    for (const path of [
      '/callback/corp',
      '/callback',
      '/login',
      '/oauth/interaction/x',
      '/setup',
      '/authorize',
      '/health',
      MCP_PATH,
    ])
      expectWhole(await get(path + query))
    const challenge = await shoot(range, { target: MCP_PATH + query, bend: { Authorization: undefined } })
    expectWhole(challenge)
    expect(challenge.header('www-authenticate')).toMatch(/^Bearer resource_metadata="[^"]+"(, scope="[^"]*")?$/)
  })

  attackTable('the name of a tool', INJECTIONS, async ({ text }) => {
    const bend = { 'Mcp-Name': `=?base64?${Buffer.from(text).toString('base64')}?=` }
    const allowed = await expectServed(range, { bend, body: toolCall('modern', text) })
    expectWhole(allowed)
    expect(allowed.body.toString()).not.toContain('\n')
    const { rawHeaders = [] } = range.canary.requests.at(-1) ?? {}
    expect(rawHeaders.filter((value) => /evil/i.test(value))).toEqual([])
    // In the words of a refusal it is JSON, too.
    const hidden = { bend, body: toolCall('modern', text).replace('tools/call', 'prompts/get') }
    const refused = await shoot(range, { ...hidden, bend: { ...bend, 'Mcp-Method': 'prompts/get' } })
    expectWhole(refused)
    expect(JSON.parse(refused.body.toString())).toMatchObject({
      error: { code: -32602, message: `Unknown prompt: ${text}` },
    })
  })

  it('takes no id, no address and no origin of a request for its own words', async () => {
    const bend = {
      'X-Request-Id': 'evil',
      'X-Correlation-Id': 'evil',
      Traceparent: 'evil',
      Origin: 'http://localhost:1',
    }
    const answer = await expectServed(range, { bend })
    expect(answer.header('x-request-id')).not.toBe('evil')
    expect(legible(JSON.stringify(range.canary.requests.at(-1)?.rawHeaders))).not.toContain('evil')
    await expectRefusal(range, { bend: { ...bend, Origin: 'http://evil' } }, { status: 403 })
  })

  it("lets nothing of an upstream's head through that would end ours", async () => {
    const server = createServer((req, res) => {
      req.resume()
      const head = ['Content-Type', 'application/json', 'Set-Cookie', 'evil=1', 'X-Evil', '1', 'Location', '/evil']
      const more = [
        'Cache-Control',
        'no-store\xff',
        'Retry-After',
        '1',
        'MCP-Protocol-Version',
        '2026-07-28',
        'Trailer',
        'X-Evil',
      ]
      res.writeHead(200, [...head, ...more, 'WWW-Authenticate', 'Bearer', 'Access-Control-Allow-Origin', '*'])
      res.write('{"jsonrpc":"2.0","id":1,"result":{"supportedVersions":["2026-07-28"],"text":"')
      res.addTrailers({ 'X-Evil': '1' })
      res.end('\\r\\nX-Evil: 1"}}')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`
    const evil = await startRange({ servers: [{ id: 'canary', url }] })
    const answer = await shoot(evil)
    expect(answer.status).toBe(200)
    expect(answer.headers.map(([name]) => name).toSorted()).toEqual(
      [
        'connection',
        'content-length',
        'content-type',
        'date',
        'mcp-protocol-version',
        'retry-after',
        'x-request-id',
      ].toSorted(),
    )
    expect(JSON.parse(answer.body.toString())).toMatchObject({ result: { text: '\r\nX-Evil: 1' } })
    await evil.close()
    server.closeAllConnections()
    server.close()
  })
})
