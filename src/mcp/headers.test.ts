// What crosses the gate: C11, D5, D11, F15.
import { describe, expect, it } from 'vitest'
import { mediaType, readHead, returnedHeaders, upstreamHeaders } from './headers.ts'

const SPELLINGS = (name: string) => [
  name,
  name.toUpperCase(),
  name.toLowerCase(),
  name.replaceAll('-', '_'),
  name.replaceAll('-', '.'),
  ` ${name}`,
  `${name} `,
  name.replace(/[a-z]/i, '\u212a'),
]
const NEVER = [
  'Authorization',
  'Cookie',
  'Proxy-Authorization',
  'X-Api-Key',
  'DPoP',
  'X-Forwarded-For',
  'X-Forwarded-User',
  'X-Forwarded-Host',
  'Forwarded',
  'X-Real-Ip',
  'X-Auth-Request-User',
  'X-Portcullis-Assertion',
  'X-Upstream-Authorization',
  'X-Request-Id',
  'Connection',
  'Keep-Alive',
  'TE',
  'Trailer',
  'Transfer-Encoding',
  'Upgrade',
  'Proxy-Connection',
  'Host',
  'Content-Length',
  'Content-Encoding',
  'Content-Type',
  'Accept-Encoding',
  'Expect',
  'Origin',
  'X-HTTP-Method-Override',
  'Mcp-Unknown',
  'Mcp-Session-Id',
  'traceparent',
  'baggage',
]
const sent = (rawHeaders: string[], addedHeaders: Record<string, string> = {}) => {
  const flat = upstreamHeaders({
    head: readHead(rawHeaders),
    body: true,
    session: 'upstream-session',
    lastEvent: undefined,
    requestId: 'ours',
    addedHeaders,
  })
  const pairs: [string, string][] = []
  for (let at = 0; at < flat.length; at += 2) pairs.push([flat[at] ?? '', flat[at + 1] ?? ''])
  return pairs
}

describe('to the upstream', () => {
  it.each(NEVER.flatMap(SPELLINGS))('never %s of the caller', (name) => {
    expect(sent([name, 'planted'])).toEqual([
      ['content-type', 'application/json'],
      ['mcp-session-id', 'upstream-session'],
      ['x-request-id', 'ours'],
    ])
  })

  it('what MCP needs, unchanged', () => {
    const raw = ['Accept', 'application/json', 'User-Agent', 'c/1', 'MCP-Protocol-Version', '2026-07-28']
    raw.push('Mcp-Method', 'tools/call', 'Mcp-Name', '=?base64?w6k=?=', 'Mcp-Param-Tenant', 'A b')
    expect(sent(raw)).toEqual([
      ['accept', 'application/json'],
      ['user-agent', 'c/1'],
      ['mcp-protocol-version', '2026-07-28'],
      ['mcp-method', 'tools/call'],
      ['mcp-name', '=?base64?w6k=?='],
      ['mcp-param-tenant', 'A b'],
      ['content-type', 'application/json'],
      ['mcp-session-id', 'upstream-session'],
      ['x-request-id', 'ours'],
    ])
  })

  it('D5: names in Connection take nothing of ours away', () => {
    const raw = ['Connection', 'close, Authorization, x-request-id, mcp-session-id', 'Authorization', 'Bearer caller']
    expect(sent(raw, { authorization: 'Bearer vault' })).toEqual([
      ['content-type', 'application/json'],
      ['mcp-session-id', 'upstream-session'],
      ['x-request-id', 'ours'],
      ['authorization', 'Bearer vault'],
    ])
  })

  it('credentials last, in place of the same field of the caller', () => {
    expect(
      sent(['User-Agent', 'evil', 'Mcp-Param-Key', 'evil'], { 'user-agent': 'gate', 'mcp-param-key': 'k' }),
    ).toEqual([
      ['content-type', 'application/json'],
      ['mcp-session-id', 'upstream-session'],
      ['x-request-id', 'ours'],
      ['user-agent', 'gate'],
      ['mcp-param-key', 'k'],
    ])
  })

  it('drops what is not printable', () => {
    expect(sent(['User-Agent', 'a\u00e9', 'Accept', 'a\u0001'])).toHaveLength(3)
    expect(() => readHead(['Mcp-Param-A', 'a\u00e9'])).toThrow(expect.objectContaining({ code: -32020, status: 400 }))
  })
})

describe('to the caller', () => {
  it('only what is named', () => {
    const headers = {
      'cache-control': 'no-store',
      'retry-after': '7',
      allow: 'POST',
      'x-accel-buffering': 'no',
      'set-cookie': ['a=1'],
      'www-authenticate': 'Bearer resource_metadata="http://169.254.169.254/"',
      location: 'http://elsewhere/',
      server: 'x',
      'x-powered-by': 'y',
      'access-control-allow-origin': '*',
      connection: 'keep-alive, cache-control',
      'transfer-encoding': 'chunked',
      'mcp-session-id': 'raw upstream id',
    }
    expect(returnedHeaders(headers)).toEqual([
      ...['cache-control', 'no-store', 'retry-after', '7', 'allow', 'POST', 'x-accel-buffering', 'no'],
    ])
  })

  it.each([
    [{ 'content-type': 'application/json; charset=utf-8' }, 'application/json'],
    [{ 'content-type': 'Text/Event-Stream' }, 'text/event-stream'],
    [{}, ''],
  ])('%j is %s', (headers, type) => {
    expect(mediaType(headers)).toBe(type)
  })
})
