// Bytes that two readers would cut into different requests (RFC 9112 §11.2): ours must refuse, close, and read no further; and what
// it serves leaves in a frame of its own. Catalogue rows F1, F2 and F3.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { CanaryRequest } from '../support/canary.ts'
import { legible } from '../support/legible.ts'
import {
  attackTable,
  expectNoInside,
  expectNoSecret,
  expectServed,
  MCP_PATH,
  type Range,
  startRange,
  toolCall,
} from '../support/range.ts'
import { chunked, converse } from '../support/raw.ts'
import { namesBesideOurs } from '../support/told.ts'

let range: Range

beforeAll(async () => {
  // Short, so that a body that never comes ends a test and not our patience.
  range = await startRange({ server: { limits: { headersTimeout: '2s', bodyTimeout: '2s' } } })
})
afterAll(() => range?.close())

const BODY = toolCall('legacy')
const SIZE = Buffer.byteLength(BODY)
/** Allowed by policy, so that whoever reads it as a request serves it. */
const HIDDEN_BODY = toolCall('legacy', 'write_note')
const host = () => `Host: 127.0.0.1:${range.gateway.port}`
const bearer = () => `Authorization: Bearer ${range.token}`

interface Writing {
  readonly line?: string
  /** In place of the usual Host. */
  readonly host?: readonly string[]
  readonly lines?: readonly string[]
  readonly body?: string | Buffer
  readonly end?: string
}

/** A request as it would be typed; its framing is the row's own. */
function typed({
  line = `POST ${MCP_PATH} HTTP/1.1`,
  host: hosts = [host()],
  lines = [],
  body = '',
  end = '\r\n',
}: Writing): Buffer {
  const usual = [...hosts, bearer(), 'Content-Type: application/json', 'MCP-Protocol-Version: 2025-11-25']
  const head = [line, ...usual, ...lines, '', ''].join(end)
  return Buffer.concat([Buffer.from(head, 'latin1'), typeof body === 'string' ? Buffer.from(body, 'latin1') : body])
}

const honest = (body: string): Buffer => typed({ lines: [`Content-Length: ${Buffer.byteLength(body)}`], body })
const last = (): Buffer => Buffer.from(`GET /health HTTP/1.1\r\n${host()}\r\nConnection: close\r\n\r\n`)

interface Row {
  readonly id: string
  readonly request: () => Writing
  readonly status: readonly number[]
}

const row = (id: string, status: number | readonly number[], request: Writing | (() => Writing)): Row => ({
  id,
  status: [status].flat(),
  request: typeof request === 'function' ? request : () => request,
})

/** Refused, and the connection ends there: the request that waits behind the doubt is never read. */
async function expectCut({ request, status }: Row): Promise<void> {
  const before = range.canary.requests.length
  const writing = request()
  const bytes = Buffer.concat([
    typed({ ...writing, body: writing.body ?? honest(HIDDEN_BODY) }),
    honest(HIDDEN_BODY),
    last(),
  ])
  const { answers, left } = await converse(range.gateway.port, bytes)
  expect(answers.map((answer) => [answer.status, answer.body.toString()])).toHaveLength(1)
  expect(status).toContain(answers[0]?.status)
  expect(answers[0]?.header('connection')).toBe('close')
  expect(left.toString('latin1')).toBe('')
  expect(range.canary.requests.length).toBe(before)
  expectNoInside(answers[0]?.body.toString() ?? '')
  expectNoSecret(range)
  await expectHonest()
}

/** Refused, with nothing in doubt about where the next request begins. */
async function expectRefused({ request, status }: Row): Promise<void> {
  const before = range.canary.requests.length
  const { answers } = await converse(range.gateway.port, Buffer.concat([typed(request()), last()]))
  expect(status).toContain(answers[0]?.status)
  expect(answers.slice(1).map((answer) => answer.status)).toEqual(
    answers[0]?.header('connection') === 'close' ? [] : [200],
  )
  expect(range.canary.requests.length).toBe(before)
  expectNoInside(answers[0]?.body.toString() ?? '')
  expectNoSecret(range)
  await expectHonest()
}

/** Served once, in a frame of our own. */
async function expectReframed({ request, status }: Row): Promise<void> {
  const before = range.canary.requests.length
  const { answers } = await converse(range.gateway.port, Buffer.concat([typed(request()), last()]))
  const closes = answers[0]?.header('connection') === 'close'
  expect(answers.map((answer) => answer.status)).toEqual(closes ? status : [...status, 200])
  expect(range.canary.requests.length).toBe(before + 1)
  expectOwnFrame(range.canary.requests.at(-1), BODY)
}

function expectOwnFrame(request: CanaryRequest | undefined, body: string): void {
  expect(request?.body.toString()).toBe(body)
  const names = request?.rawHeaders.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase()) ?? []
  const values = request?.rawHeaders.filter((_, at) => at % 2 === 1) ?? []
  expect(names.filter((name) => name === 'content-length')).toHaveLength(1)
  expect(values[names.indexOf('content-length')]).toBe(String(Buffer.byteLength(body)))
  const strange = /transfer|trailer|^te$|upgrade|expect|authorization|forwarded|keep-alive|_/
  expect(request && namesBesideOurs(request, strange)).toEqual([])
  expect(legible(values.join('\n'))).not.toMatch(/admin|evil/)
  expect(new Set(names).size).toBe(names.length)
  expect(request?.trailers).toEqual([])
}

const expectHonest = (): Promise<unknown> => expectServed(range, { wire: 'legacy' })

const coding = (value: string, status: number | readonly number[] = [400, 501]): Row =>
  row(`Transfer-Encoding: ${JSON.stringify(value)}`, status, {
    lines: [`Transfer-Encoding: ${value}`],
    body: chunked(BODY),
  })
const length = (...values: readonly string[]): Row =>
  row(`Content-Length: ${JSON.stringify(values)}`, 400, {
    lines: values.map((value) => `Content-Length: ${value}`),
    body: BODY,
  })

const CODINGS: readonly Row[] = [
  ...[',chunked', 'chunked,', ', chunked', 'gzip, chunked', 'chunked, gzip', 'chunked, chunked', 'gzip'].map((value) =>
    coding(value),
  ),
  ...['identity', 'identity, chunked', 'chunked, identity', 'xchunked', 'chunkedx', 'x chunked', '"chunked"'].map(
    (value) => coding(value),
  ),
  ...[
    'chunked;q=1',
    'chunked; a=b',
    '\x0bchunked',
    '\x0cchunked',
    '\x85chunked',
    '\xa0chunked',
    'chunked\x00',
    'cow',
  ].map((value) => coding(value)),
  coding(''),
  row('two codings, the same', 400, {
    lines: ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'],
    body: chunked(BODY),
  }),
  row('two codings, identity last', [400, 501], {
    lines: ['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'],
    body: chunked(BODY),
  }),
  row('two codings, in two cases', [400, 501], {
    lines: ['Transfer-Encoding: x', 'TRANSFER-ENCODING: chunked'],
    body: chunked(BODY),
  }),
  row('a space before the colon', 400, { lines: ['Transfer-Encoding : chunked'], body: chunked(BODY) }),
  row('a tab before the colon', 400, { lines: ['Transfer-Encoding\t: chunked'], body: chunked(BODY) }),
  row('folded', [400, 501], { lines: ['Transfer-Encoding:', ' chunked'], body: chunked(BODY) }),
  row('folded behind another', [400, 501], { lines: ['X-A: b', ' Transfer-Encoding: chunked', 'Content-Length: 0'] }),
  row('behind a bare LF', [400, 501], {
    lines: ['X-A: b\nTransfer-Encoding: chunked', `Content-Length: ${SIZE}`],
    body: BODY,
  }),
  row('behind a bare CR', 400, {
    lines: ['X-A: b\rTransfer-Encoding: chunked', `Content-Length: ${SIZE}`],
    body: BODY,
  }),
  row('Content-Length before', 400, {
    lines: ['Content-Length: 4', 'Transfer-Encoding: chunked'],
    body: chunked(BODY),
  }),
  row('Content-Length behind', 400, {
    lines: ['Transfer-Encoding: chunked', `Content-Length: ${SIZE}`],
    body: chunked(BODY),
  }),
  row('Content-Length: 0 behind', 400, {
    lines: ['Transfer-Encoding: chunked', 'Content-Length: 0'],
    body: chunked(BODY),
  }),
  row('Content-Length before a strange coding', [400, 501], {
    lines: [`Content-Length: ${SIZE}`, 'Transfer-Encoding: ,chunked'],
    body: BODY,
  }),
  row('in HTTP/1.0', [400, 501], {
    line: `POST ${MCP_PATH} HTTP/1.0`,
    lines: ['Transfer-Encoding: chunked', 'Connection: keep-alive'],
    body: chunked(BODY),
  }),
]

const LENGTHS: readonly Row[] = [
  length('5', '5'),
  length(String(SIZE), String(SIZE)),
  length('0', String(SIZE)),
  length(String(SIZE), '0'),
  ...[`${SIZE}, ${SIZE}`, `+${SIZE}`, `-${SIZE}`, '-0', `0x${SIZE.toString(16)}`, `${SIZE}.0`, '1e2', '1_0', ''].map(
    (value) => length(value),
  ),
  ...[
    '99999999999999999999',
    '18446744073709551616',
    `${SIZE} 0`,
    `${SIZE}\x0b`,
    `\x0c${SIZE}`,
    `"${SIZE}"`,
    '\u0661',
  ].map((value) => length(value)),
  row('a space before the colon', 400, { lines: [`Content-Length : ${SIZE}`], body: BODY }),
  row('folded', 400, { lines: ['Content-Length:', ` ${SIZE}`], body: BODY }),
]

const chunks = (id: string, text: string, status: number | readonly number[] = 400): Row =>
  row(id, status, { lines: ['Transfer-Encoding: chunked'], body: text })
const hex = SIZE.toString(16)
const CHUNKS: readonly Row[] = [
  chunks('a size with 0x', `0x${hex}\r\n${BODY}\r\n0\r\n\r\n`),
  chunks('a size with a sign', `+${hex}\r\n${BODY}\r\n0\r\n\r\n`),
  chunks('a negative size', `-1\r\n${BODY}\r\n0\r\n\r\n`),
  chunks('a size with a space in front', ` ${hex}\r\n${BODY}\r\n0\r\n\r\n`),
  chunks('an empty size', `\r\n${BODY}\r\n0\r\n\r\n`),
  chunks('a size beyond 64 bits', `ffffffffffffffff1\r\n${BODY}\r\n0\r\n\r\n`),
  chunks('a size that lies short', `1\r\n${BODY}\r\n0\r\n\r\n`),
  chunks('LF for CRLF behind the size', `${hex}\n${BODY}\r\n0\r\n\r\n`),
  chunks('LF for CRLF behind the chunk', `${hex}\r\n${BODY}\n0\r\n\r\n`),
  chunks('CR for CRLF behind the size', `${hex}\r${BODY}\r\n0\r\n\r\n`),
  chunks('an extension with a bare LF', `${hex};a\nb\r\n${BODY}\r\n0\r\n\r\n`),
  chunks('an extension with NUL', `${hex};a\0\r\n${BODY}\r\n0\r\n\r\n`),
  chunks('two marks for an end', `${hex}\r\n${BODY}XX0\r\n\r\n`),
  chunks('a last chunk without its line', `${hex}\r\n${BODY}\r\n0\r\n`, [400, 408]),
  chunks('a trailer that is no field', `${hex}\r\n${BODY}\r\n0\r\nX\r\n\r\n`),
]

const LINES: readonly Row[] = [
  row('a tab for a space', 400, { line: `POST\t${MCP_PATH} HTTP/1.1` }),
  row('a space in front', 400, { line: ` POST ${MCP_PATH} HTTP/1.1` }),
  row('a method in small letters', 400, { line: `post ${MCP_PATH} HTTP/1.1` }),
  row('a method nobody knows', 400, { line: `SMUGGLE ${MCP_PATH} HTTP/1.1` }),
  row('no version', 400, { line: `POST ${MCP_PATH}` }),
  row('HTTP/0.9', 400, { line: 'GET /' }),
  row('HTTP/2.0', 400, { line: `POST ${MCP_PATH} HTTP/2.0` }),
  row('HTTP/1.2', 400, { line: `POST ${MCP_PATH} HTTP/1.2` }),
  row('HTTP/1.10', 400, { line: `POST ${MCP_PATH} HTTP/1.10` }),
  row('http in small letters', 400, { line: `POST ${MCP_PATH} http/1.1` }),
  row('ICE/1.0', [400, 405], { line: `SOURCE ${MCP_PATH} ICE/1.0` }),
  row('RTSP/1.0', [400, 405], { line: `DESCRIBE ${MCP_PATH} RTSP/1.0` }),
  row('a raw LF in the target', 400, { line: `POST ${MCP_PATH}\nX HTTP/1.1` }),
  row('NUL in the target', 400, { line: `POST ${MCP_PATH}\0 HTTP/1.1` }),
  row('a space in the target', 400, { line: `POST ${MCP_PATH} /x HTTP/1.1` }),
  row('a field without a colon', 400, { lines: ['Smuggle'] }),
  row('a field without a name', 400, { lines: [': x'] }),
  row('a name with a space', 400, { lines: ['X Y: z'] }),
  row('a name in brackets', 400, { lines: ['(x): y'] }),
  row('a name in Latin-1', 400, { lines: ['X-\xe9: y'] }),
  row('NUL in a value', 400, { lines: ['X-A: b\0c'] }),
  row('DEL in a value', 400, { lines: ['X-A: b\x7fc'] }),
  row('a bare CR in a value', 400, { lines: ['X-A: b\rc'] }),
  row('CR CR LF', 400, { lines: ['X-A: b\r'] }),
  row('a folded credential', 400, { lines: ['X-A: b', ' c'] }),
  row('two credentials', 400, () => ({ lines: [bearer(), `Content-Length: ${SIZE}`], body: BODY })),
  row('two kinds of body', 400, { lines: ['Content-Type: text/plain', `Content-Length: ${SIZE}`], body: BODY }),
  row('two cookies', 400, { lines: ['Cookie: a=1', 'Cookie: b=2', `Content-Length: ${SIZE}`], body: BODY }),
  row('an expectation we do not meet', 417, { lines: ['Expect: 200-ok', `Content-Length: ${SIZE}`], body: BODY }),
  row('bare LF for every line end', 400, { end: '\n' }),
]

const HOSTS: readonly Row[] = [
  ...[
    [],
    [''],
    ['127.0.0.1:PORT', '127.0.0.1:PORT'],
    ['127.0.0.1:PORT', 'evil.example'],
    ['evil.example', '127.0.0.1:PORT'],
    ['user@127.0.0.1:PORT'],
    ['user:pass@127.0.0.1'],
    ['evil.example@127.0.0.1'],
    ['127.0.0.1:PORTx'],
    ['127.0.0.1:'],
    ['127.0.0.1:0x50'],
    ['127.0.0.1:123456'],
    ['127.0.0.1:80:80'],
    ['127.0.0.1, evil.example'],
    ['127.0.0.1 evil.example'],
    ['127.0.0.1/evil'],
    ['127.0.0.1#evil'],
    ['127.0.0.1?evil'],
    ['127.0.0.1\\evil'],
    ['http://127.0.0.1'],
    ['[::1'],
    ['::1'],
    ['[::1]x'],
    ['[127.0.0.1]x:80'],
    ['127.0.0.1%00'],
    ['loc\xe4lhost'],
    ['.'],
    ['..'],
    ['-'],
    ['*'],
  ].map((names) =>
    row(names.length === 0 ? 'none' : names.map((name) => JSON.stringify(name)).join(' and '), 400, () => ({
      host: names.map((name) => `Host: ${name.replace('PORT', String(range.gateway.port))}`),
      lines: [`Content-Length: ${SIZE}`],
      body: BODY,
    })),
  ),
]

describe('F2', () => {
  attackTable('a transfer coding of more than one reading', CODINGS, expectCut)
  attackTable('a length of more than one reading', LENGTHS, expectCut)
})
describe('F1', () => {
  attackTable('chunks of more than one reading', CHUNKS, expectCut)
  attackTable('a line of more than one reading', LINES, expectCut)
})
describe('F3', () => {
  attackTable('a Host of more than one reading', HOSTS, expectCut)
})

const at = (target: string, status: number | readonly number[] = 400, method = 'POST'): Row =>
  row(`${method} ${JSON.stringify(target)}`, status, {
    line: `${method} ${target} HTTP/1.1`,
    lines: [`Content-Length: ${SIZE}`],
    body: BODY,
  })
const TARGETS: readonly Row[] = [
  ...[`http://127.0.0.1${MCP_PATH}`, `http://evil.example${MCP_PATH}`, `//evil.example${MCP_PATH}`, '*'].map((target) =>
    at(target),
  ),
  ...[
    `${MCP_PATH}#x`,
    '/servers\\canary/mcp',
    '/servers/./canary/mcp',
    '/x/../servers/canary/mcp',
    '/servers//canary/mcp',
  ].map((target) => at(target)),
  ...['/servers/canary%2fmcp', '/servers%5Ccanary/mcp', '/%2e%2e/servers/canary/mcp', '/servers/canary/mcp%00'].map(
    (target) => at(target),
  ),
  ...[
    `${MCP_PATH}/`,
    '/SERVERS/canary/mcp',
    '/servers/CANARY/mcp',
    '/servers/canary/MCP',
    `${MCP_PATH};x`,
    `${MCP_PATH}.json`,
  ].map((target) => at(target, 404)),
  ...[
    '/servers/c%61nary/mcp',
    '/servers/canary/mcp/sse',
    '/servers/canary/',
    '/servers/__proto__/mcp',
    '/mcp/../x%20',
  ].map((target) => at(target, [400, 401, 404])),
  at(`/${'a'.repeat(8192)}`, 414),
  at(MCP_PATH, 405, 'PUT'),
  at(MCP_PATH, 405, 'PATCH'),
  at(MCP_PATH, 405, 'TRACE'),
  at(MCP_PATH, 405, 'PROPFIND'),
]

const served = (id: string, request: Writing): Row => row(id, 200, request)
const sized = `Content-Length: ${SIZE}`
const SERVED: readonly Row[] = [
  served('a length', { lines: [sized], body: BODY }),
  served('a length with zeros in front', { lines: [`Content-Length: 000${SIZE}`], body: BODY }),
  served('one chunk', { lines: ['Transfer-Encoding: chunked'], body: chunked(BODY) }),
  served('ChUnKeD', { lines: ['Transfer-Encoding: ChUnKeD'], body: chunked(BODY) }),
  served('chunked with blanks around', { lines: ['Transfer-Encoding:  \tchunked  '], body: chunked(BODY) }),
  served('a chunk a byte', {
    lines: ['Transfer-Encoding: chunked'],
    body: `${[...BODY].map((byte) => `1\r\n${byte}\r\n`).join('')}0\r\n\r\n`,
  }),
  served('a chunk with an extension', {
    lines: ['Transfer-Encoding: chunked'],
    body: `${hex};a="b c"\r\n${BODY}\r\n0\r\n\r\n`,
  }),
  served('identity in trailers', {
    lines: ['Transfer-Encoding: chunked', 'Trailer: X-Forwarded-User'],
    body: chunked(BODY, ['X-Forwarded-User: admin', 'Authorization: Bearer x', 'Host: evil.example', 'Mcp-Name: x']),
  }),
  served('an expectation of 100', { lines: ['Expect: 100-continue', sized], body: BODY }),
  served('an upgrade to h2c', {
    lines: ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__', sized],
    body: BODY,
  }),
  served('an upgrade to TLS', { lines: ['Connection: Upgrade', 'Upgrade: TLS/1.2', sized], body: BODY }),
  served('its own fields named hop by hop', {
    lines: ['Connection: Authorization, Content-Length, Host, Content-Type, MCP-Protocol-Version', sized],
    body: BODY,
  }),
  served('aliases of framing', {
    lines: ['Transfer_Encoding: chunked', 'Content_Length: 0', 'X-Content-Length: 0', sized],
    body: BODY,
  }),
  served('aliases of identity', {
    lines: ['X_Forwarded_User: admin', 'X-Forwarded-User: admin', 'X.Forwarded.User: admin', sized],
    body: BODY,
  }),
  // RFC 9112 §3: more than one space is tolerated; it moves no boundary.
  served('two spaces in the request line', { line: `POST  ${MCP_PATH}  HTTP/1.1`, lines: [sized], body: BODY }),
  served('a blank line in front', { line: `\r\nPOST ${MCP_PATH} HTTP/1.1`, lines: [sized], body: BODY }),
  served('a method that another should replace', {
    lines: ['X-HTTP-Method-Override: DELETE', 'X-Original-URL: /admin', sized],
    body: BODY,
  }),
]

describe('F1 targets, frames and pipelines', () => {
  attackTable('an address of another spelling', TARGETS, expectRefused)
  attackTable('what is served leaves in our own frame', SERVED, expectReframed)

  const INSIDE: readonly { readonly id: string; readonly method: string; readonly status: number }[] = [
    { id: 'GET', method: 'GET', status: 405 },
    { id: 'DELETE', method: 'DELETE', status: 200 },
    { id: 'OPTIONS', method: 'OPTIONS', status: 204 },
    { id: 'HEAD', method: 'HEAD', status: 405 },
  ]
  attackTable('a request inside the body of another is its body', INSIDE, async ({ method, status }) => {
    for (const frame of ['length', 'chunked'] as const) {
      const before = range.canary.requests.length
      const inner = honest(HIDDEN_BODY)
      const lines = frame === 'length' ? [`Content-Length: ${inner.length}`] : ['Transfer-Encoding: chunked']
      const body = frame === 'length' ? inner : chunked(inner)
      const bytes = Buffer.concat([typed({ line: `${method} ${MCP_PATH} HTTP/1.1`, lines, body }), last()])
      const { answers } = await converse(range.gateway.port, bytes, [method])
      expect(answers.map((answer) => answer.status)).toEqual([status, 200])
      const reached = range.canary.requests.slice(before)
      expect(reached.filter((request) => request.method === 'POST' || request.body.length > 0)).toEqual([])
    }
    await expectHonest()
  })

  it('answers a pipeline in its order, each request once', async () => {
    const before = range.canary.requests.length
    const calls = Array.from({ length: 8 }, (_, index) =>
      toolCall('legacy', 'read_note', `{"index":${index}}`, String(index)),
    )
    const { answers } = await converse(range.gateway.port, Buffer.concat([...calls.map(honest), last()]))
    const ids = answers.slice(0, -1).map((answer) => (JSON.parse(answer.body.toString()) as { id: number }).id)
    expect(ids).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    const reached = range.canary.requests.slice(before).map(({ body }) => body.toString())
    expect(reached.toSorted()).toEqual(calls.toSorted())
  })

  it('never gives the answer to nonsense to the request before it', async () => {
    const before = range.canary.requests.length
    const bytes = Buffer.concat([honest(BODY), Buffer.from('SMUGGLE / HTTP/1.1\r\nX y: z\r\n\r\n')])
    const { answers } = await converse(range.gateway.port, bytes)
    expect(answers.map((answer) => answer.status)).toEqual([200])
    expect(range.canary.requests.length).toBe(before + 1)
    await expectHonest()
  })
})
