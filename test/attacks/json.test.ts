// Two readers of one JSON text: what policy judged must be what the server reads, or nothing. Catalogue rows E1–E5 and E8–E10.
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  attackTable,
  callHead,
  expectRecorded,
  expectRefusal,
  expectServed,
  MCP_PATH,
  metaText,
  type Range,
  type Refusal,
  shoot,
  startRange,
  toolCall,
  WIRES,
  type Wire,
} from '../support/range.ts'
import { connectRaw, rawRequest } from '../support/raw.ts'

let range: Range

beforeAll(async () => {
  range = await startRange()
})
afterAll(() => range?.close())

interface Row {
  readonly id: string
  readonly body: (wire: Wire) => string | Buffer
  readonly expectation: Refusal
}

const refused = (code: number, reason: string): Refusal => ({ status: 400, code, reason })
const TWICE = refused(-32600, 'json_duplicate_key')
const SPELLED = refused(-32600, 'json_key_spelling')
const CASED = refused(-32600, 'json_key_case')
const SYNTAX = refused(-32700, 'json_syntax')

const row = (id: string, expectation: Refusal, body: Row['body']): Row => ({ id, expectation, body })

/** A call whose envelope has `extra` members before or behind the honest ones. */
const around = (before: string, after: string) => (wire: Wire) =>
  `{${before}"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_note","arguments":{}${metaText(wire)}}${after}}`
/** The same, inside `params`. */
const inside = (before: string, after: string) => (wire: Wire) =>
  `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{${before}"name":"read_note","arguments":{}${metaText(wire)}${after}}}`

const HIDDEN = '{"name":"delete_note","arguments":{}}'

const DUPLICATES: readonly Row[] = [
  row('method, an open one first', TWICE, around('"method":"tools/list",', '')),
  row('method, an open one last', TWICE, around('', ',"method":"ping"')),
  row('method, the same twice', TWICE, around('', ',"method":"tools/call"')),
  row('params, the hidden tool first', TWICE, around(`"params":${HIDDEN},`, '')),
  row('params, the hidden tool last', TWICE, around('', `,"params":${HIDDEN}`)),
  row('id', TWICE, around('', ',"id":2')),
  row('jsonrpc', TWICE, around('', ',"jsonrpc":"2.0"')),
  row('name, the hidden tool first', TWICE, inside('"name":"delete_note",', '')),
  row('name, the hidden tool last', TWICE, inside('', ',"name":"delete_note"')),
  row('arguments', TWICE, inside('"arguments":{"all":true},', '')),
  row('name, far behind', TWICE, inside('', `,"pad":"${'x'.repeat(200_000)}","name":"delete_note"`)),
  row('a key nobody knows', TWICE, inside('"note":1,', ',"note":2')),
  row('name, with an escaped letter', SPELLED, inside('', ',"n\\u0061me":"delete_note"')),
  row('name, all escaped', SPELLED, inside('"\\u006e\\u0061\\u006d\\u0065":"delete_note",', '')),
  row('method, with an escaped letter', SPELLED, around('', ',"meth\\u006fd":"tools/list"')),
  row('params, with an escaped letter', SPELLED, around('', `,"par\\u0061ms":${HIDDEN}`)),
  row('name behind an escaped NUL', SPELLED, inside('', ',"name\\u0000":"delete_note"')),
  row('protocolVersion in _meta', TWICE, (wire) =>
    wire === 'modern'
      ? toolCall(wire).replace('"_meta":{', '"_meta":{"io.modelcontextprotocol/protocolVersion":"2025-11-25",')
      : '{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":{"progressToken":1,"progressToken":2}}}',
  ),
  row('_meta', TWICE, (wire) =>
    wire === 'modern'
      ? inside('"_meta":{},', '')(wire)
      : '{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":{},"_meta":{"progressToken":2}}}',
  ),
  row(
    'name of a completion reference',
    TWICE,
    (wire) =>
      `{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"a","name":"b"},"argument":{"name":"x","value":"y"}${metaText(wire)}}}`,
  ),
]

const INSIDE = ['Name', 'NAME', 'naMe', 'Arguments', 'ARGUMENTS', 'Uri', 'TaskId', 'NOTIFICATIONS']
const OUTSIDE = ['Method', 'METHOD', 'Params', 'PARAMS', 'ID', 'Id', 'JSONRPC', 'jsonRpc']
const valueFor = (name: string) => (/params|arguments/i.test(name) ? HIDDEN : '"delete_note"')

const CASES: readonly Row[] = [
  // Whichever of two spellings comes second is the one that is refused.
  ...['Name', 'NAME', 'naMe', 'Arguments', 'ARGUMENTS'].map((name) =>
    row(`params.${name} last`, TWICE, inside('', `,"${name}":${valueFor(name)}`)),
  ),
  ...INSIDE.map((name) => row(`params.${name} first`, CASED, inside(`"${name}":${valueFor(name)},`, ''))),
  ...OUTSIDE.map((name) => row(`${name} last`, TWICE, around('', `,"${name}":${valueFor(name)}`))),
  ...OUTSIDE.map((name) => row(`${name} first`, CASED, around(`"${name}":${valueFor(name)},`, ''))),
  row('params._Meta first', CASED, inside('"_Meta":{},', '')),
  row('params.Name alone', CASED, (wire) => toolCall(wire).replace('"name"', '"Name"')),
  row('params.URI alone', CASED, inside('', ',"URI":"file:///etc/shadow"')),
  row('envelope Method alone', CASED, (wire) => toolCall(wire).replace('"method"', '"Method"')),
  row('envelope Params alone', CASED, (wire) => toolCall(wire).replace('"params"', '"Params"')),
  row('envelope Result beside a call', CASED, around('', ',"Result":{}')),
  row('K as the Kelvin sign', SPELLED, inside('', ',"tas\u212aId":"t"')),
  row('s as the long s', SPELLED, around('', `,"param\u017f":${HIDDEN}`)),
  row('a fullwidth letter', SPELLED, inside('', ',"n\uff41me":"delete_note"')),
  row('a soft hyphen', SPELLED, inside('', ',"na\u00adme":"delete_note"')),
]

const BYTES = (...bytes: readonly number[]) => Buffer.from(bytes)
const prefixed =
  (...bytes: readonly number[]) =>
  (wire: Wire) =>
    Buffer.concat([BYTES(...bytes), Buffer.from(toolCall(wire))])
const argument =
  (...bytes: readonly number[]) =>
  (wire: Wire) => {
    const [head = '', tail = ''] = toolCall(wire, 'read_note', '{"x":"@"}').split('@')
    return Buffer.concat([Buffer.from(head), BYTES(...bytes), Buffer.from(tail)])
  }
const UTF8 = refused(-32700, 'json_encoding')

const ENCODINGS: readonly Row[] = [
  row('UTF-8 byte order mark', refused(-32700, 'json_bom'), prefixed(0xef, 0xbb, 0xbf)),
  row('two byte order marks', refused(-32700, 'json_bom'), prefixed(0xef, 0xbb, 0xbf, 0xef, 0xbb, 0xbf)),
  row('UTF-16LE', SPELLED, (wire) => Buffer.from(toolCall(wire), 'utf16le')),
  row('UTF-16LE with its mark', UTF8, (wire) => Buffer.from(`\ufeff${toolCall(wire)}`, 'utf16le')),
  row('UTF-16BE', SPELLED, (wire) => Buffer.from(toolCall(wire), 'utf16le').swap16()),
  row('UTF-16BE with its mark', UTF8, (wire) => Buffer.from(`\ufeff${toolCall(wire)}`, 'utf16le').swap16()),
  row('a no-break space in front', UTF8, prefixed(0xa0)),
  row('a byte order mark behind', SYNTAX, (wire) => `${toolCall(wire)}\ufeff`),
  row('an overlong slash', UTF8, argument(0xc0, 0xaf)),
  row('an overlong NUL', UTF8, argument(0xc0, 0x80)),
  row('a lone continuation byte', UTF8, argument(0x80)),
  row('a cut sequence before the quote', UTF8, argument(0xe2, 0x82)),
  row('a surrogate half', UTF8, argument(0xed, 0xa0, 0x80)),
  row('a code point beyond Unicode', UTF8, argument(0xf4, 0x90, 0x80, 0x80)),
  row('Latin-1', UTF8, argument(0xe9)),
  row('a raw NUL', SYNTAX, argument(0x00)),
  row('a raw line feed in a string', SYNTAX, argument(0x0a)),
  row('a second document behind', SYNTAX, (wire) => toolCall(wire) + toolCall(wire, 'delete_note')),
  row('a comment', SYNTAX, (wire) => toolCall(wire).replace('"arguments"', '/* "x" */"arguments"')),
  row('single quotes', SYNTAX, (wire) => toolCall(wire).replace('"read_note"', "'read_note'")),
  row('a trailing comma', SYNTAX, inside('', ',')),
  row('nothing', SYNTAX, () => ''),
  row('a cut text', SYNTAX, (wire) => toolCall(wire).slice(0, -1)),
]

const BATCHED = refused(-32600, 'json_batch')
const BATCHES: readonly Row[] = [
  row('of one', BATCHED, (wire) => `[${toolCall(wire)}]`),
  row(
    'of an allowed and a hidden one',
    BATCHED,
    (wire) => `[${toolCall(wire)},${toolCall(wire, 'delete_note', '{}', '2')}]`,
  ),
  row('of none', BATCHED, () => '[]'),
  row('nested', BATCHED, (wire) => `[[${toolCall(wire)}]]`),
  row(
    'of ten thousand',
    refused(-32600, 'json_keys'),
    () => `[${Array(10_000).fill('{"jsonrpc":"2.0","method":"m"}').join(',')}]`,
  ),
  row('of ten thousand empty ones', BATCHED, () => `[${Array(10_000).fill('{}').join(',')}]`),
  row(
    'as params',
    refused(-32600, 'bad_params'),
    (wire) => `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[${toolCall(wire)}]}`,
  ),
]

const NO_ID = refused(-32600, 'bad_id')
const BAD_IDS: readonly { readonly id: string; readonly expectation: Refusal }[] = [
  ...['9007199254740993', '-9007199254740993', '9007199254740992', '1.0', '1e0', '1E2', '1e400', '-0', '0.1'],
  ...['null', 'true', '[1]', '{}', '123456789012345678901234567890'],
]
  .map((id) => ({ id, expectation: NO_ID }))
  .concat(['01', '+1', '0x1', '1_000', 'NaN', 'Infinity', '.5', '1.'].map((id) => ({ id, expectation: SYNTAX })))
const GOOD_IDS = ['1', '0', '-1', '9007199254740991', '-9007199254740991', '"1"', '"1.0"', '"9007199254740993"', '""']

const ARGUMENTS = [
  '{"n":9007199254740993,"m":1.0,"x":1e400,"z":-0,"big":123456789012345678901234567890}',
  '{ "spaced" :\t[ 1 , 2.50,3e+7 ] }',
  '{"escaped":"\\u0061\\/\\ud83d\\ude00","a":1,"a":2,"A":3}',
  '{"__proto__":{"admin":true},"constructor":{"prototype":{}}}',
  '{"unicode":"\u212a \u017f \ufeff","half":"\\ud800"}',
]

describe.each(WIRES)('on the $wire wire', ({ wire }) => {
  const refuses = async ({ body, expectation }: Row) => {
    await expectRefusal(range, { wire, body: body(wire) }, expectation)
    await expectServed(range, { wire })
  }
  attackTable('E1 a key that comes twice', DUPLICATES, refuses)
  attackTable('E2 a key in another case', CASES, refuses)
  attackTable('E3 another encoding', ENCODINGS, refuses)
  attackTable('E5 a batch', BATCHES, refuses)

  attackTable('E4 a number that another parser rewrites, as id', BAD_IDS, async ({ id, expectation }) => {
    await expectRefusal(range, { wire, body: toolCall(wire, 'read_note', '{}', id) }, expectation)
    await expectServed(range, { wire })
  })
  attackTable(
    'E4 an id that every parser reads alike',
    GOOD_IDS.map((id) => ({ id })),
    async ({ id }) => {
      const answer = await expectServed(range, { wire, body: toolCall(wire, 'read_note', '{}', id) })
      expect(answer.body.toString()).toContain(`"id":${id},`)
    },
  )
  attackTable(
    'E4 arguments byte for byte',
    ARGUMENTS.map((id) => ({ id })),
    async ({ id: args }) => {
      await expectServed(range, { wire, body: toolCall(wire, 'read_note', args) })
      await expectRefusal(
        range,
        {
          wire,
          body: toolCall(wire, 'delete_note', args),
          bend: wire === 'modern' ? { 'Mcp-Name': 'delete_note' } : {},
        },
        { status: 200, code: -32602, reason: 'denied_by_rule' },
      )
    },
  )
})

/** What a reader makes of a message that folds keys as Go's decoder does, and of which the last one wins. */
function goDecode(text: string): { method: unknown; name: unknown } {
  const fold = (key: string) => key.replaceAll('\u212a', 'k').replaceAll('\u017f', 's').toLowerCase()
  const folded: unknown = JSON.parse(text, (_, value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [fold(name), member]))
  })
  const { method, params } = folded as { method: unknown; params?: { name?: unknown } }
  return { method, name: params?.name }
}

describe('E2 whatever passes', () => {
  it('is read alike by a server that folds case', async () => {
    const key = fc
      .tuple(fc.constantFrom('name', 'method', 'params', 'arguments', 'title'), fc.infiniteStream(fc.boolean()))
      .map(([name, upper]) => [...name].map((letter) => (upper.next().value ? letter.toUpperCase() : letter)).join(''))
    const member = fc.tuple(
      key,
      fc.constantFrom('"read_note"', '"delete_note"', '"tools/call"', '{"name":"delete_note"}'),
    )
    const members = fc
      .array(member, { maxLength: 3 })
      .map((all) => all.map(([name, value]) => `,"${name}":${value}`).join(''))
    let passed = 0
    await fc.assert(
      fc.asyncProperty(members, members, async (outer, inner) => {
        const before = range.canary.requests.length
        const body = around('', outer)('legacy').replace('"arguments":{}', `"arguments":{}${inner}`)
        const { status } = await shoot(range, { wire: 'legacy', body })
        expect([200, 400]).toContain(status)
        for (const request of range.canary.requests.slice(before)) {
          passed++
          expect(goDecode(request.body.toString())).toEqual({ method: 'tools/call', name: 'read_note' })
        }
      }),
      { numRuns: 150 },
    )
    expect(passed).toBeGreaterThan(0)
  })
})

const TYPES: readonly { readonly id: string; readonly type: string | readonly string[] | undefined }[] = [
  ...['utf-7', 'utf-16', 'utf-16le', 'iso-8859-1', 'us-ascii', 'utf8', '"utf-7"'].map((charset) => ({
    id: `charset=${charset}`,
    type: `application/json; charset=${charset}`,
  })),
  ...['text/plain', 'text/json', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', '*/*', ''].map(
    (type) => ({ id: type || 'an empty one', type }),
  ),
  ...[
    'application/json-seq',
    'application/jsonp',
    'application/json, text/plain',
    'application/json;charset=utf-8;charset=utf-7',
  ].map((type) => ({ id: type, type })),
  { id: 'none', type: undefined },
  { id: 'application/problem+json', type: 'application/problem+json' },
]

attackTable('E3 another media type', TYPES, async ({ type }) => {
  await expectRefusal(range, { bend: { 'Content-Type': type } }, { status: 415, reason: 'media_type' })
  for (const good of ['application/json', 'application/json; charset=utf-8', 'Application/JSON;charset="UTF-8"'])
    await expectServed(range, { bend: { 'Content-Type': good } })
})

const CODINGS: readonly { readonly id: string; readonly coding: string; readonly pack: (bytes: Buffer) => Buffer }[] = [
  { id: 'gzip', coding: 'gzip', pack: gzipSync },
  { id: 'GZip', coding: 'GZip', pack: gzipSync },
  { id: 'x-gzip', coding: 'x-gzip', pack: gzipSync },
  { id: 'deflate', coding: 'deflate', pack: deflateSync },
  { id: 'br', coding: 'br', pack: brotliCompressSync },
  { id: 'zstd', coding: 'zstd', pack: zstdCompressSync },
  { id: 'gzip twice', coding: 'gzip, gzip', pack: (bytes) => gzipSync(gzipSync(bytes)) },
  { id: 'identity and gzip', coding: 'identity, gzip', pack: gzipSync },
  { id: 'gzip, announced but not done', coding: 'gzip', pack: (bytes) => bytes },
  { id: 'one nobody knows', coding: 'aes128gcm', pack: (bytes) => bytes },
]

attackTable('E10 a compressed body', CODINGS, async ({ coding, pack }) => {
  const bend = { 'Content-Encoding': coding }
  await expectRefusal(
    range,
    { bend, body: pack(Buffer.from(toolCall('modern'))) },
    { status: 415, reason: 'content_coding' },
  )
  // A bomb is no costlier: it is never opened.
  await expectRefusal(
    range,
    { bend, body: pack(Buffer.alloc(100_000, ' ')) },
    { status: 415, reason: 'content_coding' },
  )
  await expectServed(range, { bend: { 'Content-Encoding': 'identity' } })
})

const deep = (depth: number) => `{"x":${'['.repeat(depth)}${']'.repeat(depth)}}`
const wide = (keys: number) => `{${Array.from({ length: keys }, (_, at) => `"k${at}":0`).join(',')}}`

const SHAPES: readonly { readonly id: string; readonly args: () => string; readonly reason: string }[] = [
  { id: 'depth 65', args: () => deep(62), reason: 'json_depth' },
  { id: 'depth 129', args: () => deep(126), reason: 'json_depth' },
  { id: 'depth 1,025', args: () => deep(1022), reason: 'json_depth' },
  { id: 'depth 400,000', args: () => deep(400_000), reason: 'json_depth' },
  { id: 'depth 400,000, never closed', args: () => `{"x":${'['.repeat(400_000)}`, reason: 'json_depth' },
  { id: 'objects 100,000 deep', args: () => '{"a":'.repeat(100_000), reason: 'json_depth' },
  { id: '10,001 keys', args: () => wide(10_001), reason: 'json_keys' },
  { id: '80,000 keys', args: () => wide(80_000), reason: 'json_keys' },
]

describe('E8 deep and wide', () => {
  attackTable('refused', SHAPES, async ({ args, reason }) => {
    const body = toolCall('modern', 'read_note', args())
    expect(body.length).toBeLessThan(1024 ** 2)
    await expectRefusal(range, { body }, { status: 400, code: -32600, reason })
  })
  it('serves what is just within', async () => {
    await expectServed(range, { body: toolCall('modern', 'read_note', deep(61)) })
    await expectServed(range, { body: toolCall('modern', 'read_note', wide(9_900)) })
    await expectServed(range, { body: toolCall('modern', 'read_note', `{"x":"${'['.repeat(500_000)}"}`) })
  })
  it('answers /health beside a megabyte of brackets', async () => {
    const body = toolCall('modern', 'read_note', deep(500_000))
    const shots = Array.from({ length: 8 }, () => shoot(range, { body }))
    const health = await shoot(range, { method: 'GET', target: '/health' })
    expect(health.status).toBe(200)
    expect((await Promise.all(shots)).map(({ status }) => status)).toEqual(Array(8).fill(400))
  })
})

describe('E8 and E9 with a limit of four megabytes', () => {
  let roomy: Range
  beforeAll(async () => {
    roomy = await startRange({ server: { limits: { body: '4mb' } } })
  })
  afterAll(() => roomy?.close())

  const pad = (bytes: number) => `"pad":"${'x'.repeat(bytes)}",`

  it('counts a million keys before it parses one', async () => {
    const body = toolCall('modern', 'read_note', `{${'"":0,'.repeat(800_000)}"":0}`)
    await expectRefusal(roomy, { body }, { status: 400, code: -32600, reason: 'json_keys' })
    await expectServed(roomy)
  })

  it('judges a name that three megabytes stand before', async () => {
    const padded = (name: string) => inside(pad(3 * 1024 ** 2), '')('modern').replace('"read_note"', `"${name}"`)
    const hidden = { body: padded('delete_note'), bend: { 'Mcp-Name': 'delete_note' } }
    await expectRefusal(roomy, hidden, { status: 200, code: -32602, reason: 'denied_by_rule' })
    const lying = { body: padded('delete_note'), bend: { 'Mcp-Name': 'read_note' } }
    await expectRefusal(roomy, lying, { status: 400, code: -32020, reason: 'name_mismatch' })
    await expectServed(roomy, { body: padded('read_note') })
  })

  it('finds the second name three megabytes behind the first', async () => {
    const body = inside('', `,${pad(3 * 1024 ** 2)}"name":"delete_note"`)('modern')
    await expectRefusal(roomy, { body }, TWICE)
  })
})

describe('E8 and E9 beyond the limit', () => {
  const announced = (length: number) => ({ 'Content-Length': String(length) })

  it('refuses the announcement, whatever it pads', async () => {
    for (const length of [1024 ** 2 + 1, 3 * 1024 ** 2, 4 * 1024 ** 2 + 1, Number.MAX_SAFE_INTEGER])
      await expectRefusal(range, { body: '', bend: announced(length) }, { status: 413, reason: 'body_too_large' })
    const exact = toolCall('modern', 'read_note', `{"x":"${'x'.repeat(1024 ** 2 - toolCall('modern').length - 6)}"}`)
    expect(exact.length).toBe(1024 ** 2)
    await expectServed(range, { body: exact })
  })

  it('counts chunks that announce nothing', async () => {
    const before = range.canary.requests.length
    const connection = await connectRaw(range.gateway.port)
    connection.send(
      rawRequest({ target: MCP_PATH, headers: callHead(range, 'modern', { 'Transfer-Encoding': 'chunked' }) }),
    )
    const piece = Buffer.from(`10000\r\n${'x'.repeat(0x10000)}\r\n`)
    for (let sent = 0; sent <= 16; sent++) connection.send(piece)
    const answer = await connection.next('POST')
    expect(answer.status).toBe(413)
    await expectRecorded(range, answer, 'body_too_large')
    expect(range.canary.requests.length).toBe(before)
    connection.destroy()
  })
})
