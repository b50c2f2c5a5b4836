// The JSON gate: what passes is understood by every parser in the same way, and is forwarded as it came.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RequestError, RpcError } from '../protocol/errors.ts'
import { checkMediaType, parseMessage } from './message.ts'

const limits = { depth: 16, keys: 100 }
const parse = (text: string | Buffer) => parseMessage(Buffer.isBuffer(text) ? text : Buffer.from(text), limits)
const refusalOf = (act: () => unknown): { status: number; reason: string; code?: number } => {
  try {
    act()
  } catch (error) {
    if (error instanceof RpcError) return { status: error.status, reason: error.reason, code: error.code }
    if (error instanceof RequestError) return { status: error.status, reason: error.reason }
    throw error
  }
  throw new Error('It was accepted.')
}

describe('what a message is', () => {
  it.each([
    ['{"jsonrpc":"2.0","id":1,"method":"ping"}', { kind: 'request', method: 'ping', id: 1 }],
    ['{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"x"}}', { kind: 'request', id: 'a' }],
    ['{"jsonrpc":"2.0","id":-7,"method":"ping"}', { kind: 'request', id: -7 }],
    ['{"method":"ping" , "id" :\n 0 , "jsonrpc":"2.0"}', { kind: 'request', id: 0 }],
    ['{"jsonrpc":"2.0","method":"notifications/initialized"}', { kind: 'notification', id: undefined }],
    ['{"jsonrpc":"2.0","id":3,"result":{}}', { kind: 'response', method: undefined }],
    ['{"jsonrpc":"2.0","id":3,"error":{"code":-1,"message":"no"}}', { kind: 'response' }],
  ])('%s', (text, expected) => {
    const body = Buffer.from(text)
    const incoming = parse(body)
    expect(incoming).toMatchObject(expected)
    expect(incoming.body).toBe(body)
  })

  it('leaves the arguments of a tool alone', () => {
    const text =
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":{"a":1,"A":2,"\\u0061b":3,"é":4,"Name":5}}}'
    expect(parse(text)).toMatchObject({ kind: 'request', body: Buffer.from(text) })
  })
})

describe('E1, E2: keys that two parsers read differently', () => {
  const request = (params: string) => `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}}`
  it.each([
    ['{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call"}', 'json_duplicate_key'],
    [request('{"name":"a","name":"b"}'), 'json_duplicate_key'],
    [request('{"name":"a","arguments":{},"arguments":{}}'), 'json_duplicate_key'],
    [request('{"name":"a"},"params":{"name":"b"}'), 'json_duplicate_key'],
    [request('{"name":"a","Name":"b"}'), 'json_duplicate_key'],
    [request('{"other":"a","OTHER":"b"}'), 'json_duplicate_key'],
    [request('{"Name":"b"}'), 'json_key_case'],
    [request('{"name":"a","ARGUMENTS":{}}'), 'json_key_case'],
    [request('{"naMe":"a"}'), 'json_key_case'],
    ['{"jsonrpc":"2.0","id":1,"Method":"tools/call"}', 'json_key_case'],
    ['{"jsonrpc":"2.0","id":1,"method":"ping","PARAMS":{}}', 'json_key_case'],
    [request('{"n\\u0061me":"a"}'), 'json_key_spelling'],
    ['{"jsonrpc":"2.0","id":1,"m\\u0065thod":"ping"}', 'json_key_spelling'],
    [request('{"name":"a","to\u212aen":"b"}'), 'json_key_spelling'],
    [request('{"name":"a","argument\u017f":{}}'), 'json_key_spelling'],
    [request('{"name":"a","_meta":{"progressToken":1,"progressToken":2}}'), 'json_duplicate_key'],
    [request('{"name":"a","_meta":{"io.modelcontextprotocol/ProtocolVersion":"x"}}'), 'json_key_case'],
    [request('{"ref":{"type":"ref/prompt","name":"a","name":"b"}}'), 'json_duplicate_key'],
    [request('{"notifications":{"resourceSubscriptions":[],"ResourceSubscriptions":["x:"]}}'), 'json_duplicate_key'],
  ])('%s: %s', (text, reason) => {
    expect(refusalOf(() => parse(text))).toEqual({ status: 400, reason, code: -32600 })
  })
  it('and their positive twin', () => {
    expect(parse(request('{"name":"a","_meta":{"progressToken":1},"other":{"Name":1}}')).kind).toBe('request')
  })
})

describe('E3: encodings', () => {
  const text = '{"jsonrpc":"2.0","id":1,"method":"ping"}'
  it.each([
    ['a byte order mark', Buffer.from(`\ufeff${text}`), 'json_bom'],
    [
      'invalid UTF-8',
      Buffer.concat([Buffer.from(text.slice(0, -2)), Buffer.of(0xff), Buffer.from('"}')]),
      'json_encoding',
    ],
    ['nothing', Buffer.alloc(0), 'json_syntax'],
    ['a cut message', Buffer.from(text.slice(0, -3)), 'json_syntax'],
    ['two messages', Buffer.from(text + text), 'json_syntax'],
  ])('%s', (_, body, reason) => {
    expect(refusalOf(() => parse(body))).toEqual({ status: 400, reason, code: -32700 })
  })
})

describe('E3: UTF-16', () => {
  it.each(['utf16le', 'latin1'] as const)('%s', (encoding) => {
    const body = Buffer.from('{"jsonrpc":"2.0","id":"\u00e9","method":"ping"}', encoding)
    expect(refusalOf(() => parse(body)).status).toBe(400)
  })
})

describe('E4: ids', () => {
  const request = (id: string) => `{"jsonrpc":"2.0","id":${id},"method":"ping"}`
  it.each(['null', 'true', '1.0', '1e0', '10e-1', '-0', '9007199254740993', '1e400', '1.5', '{}', '[1]'])(
    'refuses %s',
    (id) => {
      expect(refusalOf(() => parse(request(id)))).toEqual({ status: 400, reason: 'bad_id', code: -32600 })
    },
  )
  it.each(['1', '0', '-1', '9007199254740991', '"1"', '""', '1 ', '1\n'])('takes %s', (id) => {
    expect(parse(request(id)).kind).toBe('request')
  })
})

describe('E5, E8: shapes', () => {
  const ping = '{"jsonrpc":"2.0","id":1,"method":"ping"}'
  it.each([
    ['[]', 'json_batch'],
    [`[${ping}]`, 'json_batch'],
    [`[[${ping}]]`, 'json_batch'],
    ['1', 'not_jsonrpc'],
    ['null', 'not_jsonrpc'],
    ['{}', 'not_jsonrpc'],
    ['{"jsonrpc":"1.0","id":1,"method":"ping"}', 'not_jsonrpc'],
    ['{"jsonrpc":"2.0","id":1}', 'not_jsonrpc'],
    ['{"jsonrpc":"2.0","id":1,"result":1,"error":{"code":1,"message":""}}', 'not_jsonrpc'],
    ['{"jsonrpc":"2.0","id":1,"method":"ping","result":1}', 'not_jsonrpc'],
    ['{"jsonrpc":"2.0","id":1,"method":7}', 'bad_method'],
    [`{"jsonrpc":"2.0","id":1,"method":"${'a'.repeat(129)}"}`, 'bad_method'],
    ['{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}', 'bad_params'],
    ['{"jsonrpc":"2.0","method":"tools/call","params":{"name":"x"}}', 'id_missing'],
    [`{"jsonrpc":"2.0","id":1,"method":"a","params":{"a":${'['.repeat(15)}${']'.repeat(15)}}}`, 'json_depth'],
    [
      `{"jsonrpc":"2.0","id":1,"method":"a","params":{"a":{${Array.from({ length: 97 }, (_, at) => `"k${at}":1`)}}}}`,
      'json_keys',
    ],
  ])('%s: %s', (text, reason) => {
    expect(refusalOf(() => parse(text))).toEqual({ status: 400, reason, code: -32600 })
  })
  it('takes what is just within the limits', () => {
    expect(parse(`{"jsonrpc":"2.0","id":1,"method":"a","params":{"a":${'['.repeat(14)}${']'.repeat(14)}}}`).kind).toBe(
      'request',
    )
    const keys = Array.from({ length: 94 }, (_, at) => `"k${at}":1`)
    expect(parse(`{"jsonrpc":"2.0","id":1,"method":"a","params":{"a":{${keys}}}}`).kind).toBe('request')
  })
  it('refuses a flood of keys where policy reads', () => {
    const keys = (count: number) => Array.from({ length: count }, (_, at) => `"k${at}":1`)
    const text = (count: number) => Buffer.from(`{"jsonrpc":"2.0","id":1,"method":"a","params":{${keys(count)}}}`)
    const wide = { depth: 16, keys: 10_000 }
    expect(refusalOf(() => parseMessage(text(300), wide)).reason).toBe('json_keys')
    expect(parseMessage(text(200), wide).kind).toBe('request')
  })
  it('refuses a hundred thousand brackets without parsing them', () => {
    expect(refusalOf(() => parse('['.repeat(100_000))).reason).toBe('json_depth')
  })
})

describe('E3, E10: media type', () => {
  it.each(['application/json', 'application/json; charset=utf-8', 'Application/JSON;charset="UTF-8"'])(
    'takes %s',
    (type) => {
      expect(() => checkMediaType({ 'content-type': type })).not.toThrow()
    },
  )
  it.each([
    undefined,
    'text/plain',
    'application/json; charset=utf-7',
    'application/json; charset=utf-8; charset=utf-16',
    'application/jsonp',
    'application/json, text/plain',
  ])('refuses %s', (type) => {
    const headers = type === undefined ? {} : { 'content-type': type }
    expect(refusalOf(() => checkMediaType(headers))).toEqual({ status: 415, reason: 'media_type' })
  })
  it.each(['gzip', 'br', 'deflate', 'zstd', 'GZIP'])('refuses Content-Encoding: %s', (coding) => {
    const headers = { 'content-type': 'application/json', 'content-encoding': coding }
    expect(refusalOf(() => checkMediaType(headers))).toEqual({ status: 415, reason: 'content_coding' })
  })
})

describe('for every JSON text', () => {
  // Strings full of what the scanner has to step over.
  const spiky = fc.string({
    unit: fc.constantFrom('"', '\\', '{', '}', '[', ']', ',', ':', 'a', '\n', 'é', '😀', '\u2028'),
  })
  const json = fc.jsonValue({ maxDepth: 4 })
  const value = fc.oneof(json, spiky, fc.array(spiky), fc.dictionary(spiky, spiky))
  const wide = { depth: 1000, keys: 100_000 }

  it('accepts a request and keeps its bytes, or refuses it', () => {
    fc.assert(
      fc.property(value, fc.nat(), fc.boolean(), (argument, id, pretty) => {
        const message = {
          jsonrpc: '2.0',
          id,
          method: 'tools/call',
          params: { name: 'x', arguments: { argument }, extra: argument },
        }
        const body = Buffer.from(JSON.stringify(message, undefined, pretty ? '\t' : undefined))
        const before = Buffer.from(body)
        const incoming = parseMessage(body, wide)
        expect(incoming.message).toEqual(JSON.parse(body.toString()))
        expect(incoming.body).toBe(body)
        expect(body.equals(before)).toBe(true)
      }),
    )
  })

  it('never throws anything but a refusal, whatever the bytes', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.string().map((text) => Buffer.from(text)),
          spiky.map((text) => Buffer.from(`{"jsonrpc":"2.0",${text}`)),
        ),
        (bytes) => {
          expect(refusalOf(() => parseMessage(Buffer.from(bytes), limits)).status).toBe(400)
        },
      ),
    )
  })

  it('finds a second key in params wherever it stands', () => {
    fc.assert(
      fc.property(value, value, (one, two) => {
        const text = `{"jsonrpc":"2.0","id":1,"method":"a","params":{"name":${JSON.stringify(one)},"x":${JSON.stringify(two)},"NAME":1}}`
        expect(refusalOf(() => parseMessage(Buffer.from(text), wide)).reason).toBe('json_duplicate_key')
      }),
    )
  })
})
