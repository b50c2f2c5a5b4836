import type { IncomingMessage } from 'node:http'
import { describe, expect, it } from 'vitest'
import { checkHead, hostGate } from './head.ts'

function head(...raw: string[]): IncomingMessage {
  const headers: Record<string, string> = {}
  for (let at = 0; at < raw.length; at += 2) headers[(raw[at] ?? '').toLowerCase()] ??= raw[at + 1] ?? ''
  return { rawHeaders: raw, headers } as unknown as IncomingMessage
}

describe('the head gate', () => {
  it('takes no HTTP/0.9, and no transfer coding in HTTP/1.0', () => {
    const old = (httpVersion: string, ...raw: string[]) =>
      checkHead(Object.assign(head('Host', 'a', ...raw), { httpVersion }))
    expect(() => old('0.9')).toThrow(expect.objectContaining({ status: 400, close: true }))
    expect(() => old('1.0', 'Transfer-Encoding', 'chunked')).toThrow(
      expect.objectContaining({ status: 400, close: true }),
    )
    expect([old('1.0'), old('1.1', 'Transfer-Encoding', 'chunked')]).toEqual(['a', 'a'])
  })
  it('answers the host in lower case', () => {
    expect(checkHead(head('Host', 'MCP.Example:8443'))).toBe('mcp.example:8443')
    expect(checkHead(head('Host', '[::1]:4444'))).toBe('[::1]:4444')
    expect(checkHead(head('Host', 'a', 'Transfer-Encoding', 'ChUnKeD'))).toBe('a')
  })
  it.each([
    [['Host', 'a', 'host', 'b'], 400],
    [['Host', 'a', 'Authorization', 'Bearer x', 'authorization', 'Bearer y'], 400],
    [['Host', 'a', 'Content-Type', 'x', 'Content-type', 'y'], 400],
    [['Host', 'user@a'], 400],
    [['Host', 'a:b'], 400],
    [['Host', 'a/b'], 400],
    [[], 400],
    [['Host', 'a', 'Transfer-Encoding', ',chunked'], 501],
    [['Host', 'a', 'Transfer-Encoding', 'gzip, chunked'], 501],
    [['Host', 'a', 'Transfer-Encoding', 'chunked', 'Content-Length', '3'], 400],
    [['Host', 'a', ...Array.from({ length: 400 }, () => 'x')], 431],
  ])('refuses %j', (raw, status) => {
    expect(() => checkHead(head(...(raw as string[])))).toThrow(expect.objectContaining({ status }))
  })
})

describe('DNS rebinding', () => {
  const local = hostGate({ serverUrl: 'http://localhost:4444', loopbackOnly: true })
  const open = hostGate({ serverUrl: 'https://mcp.example', loopbackOnly: false })
  it.each(['localhost:4444', '127.0.0.1:4444', '[::1]:4444', 'localhost:1', 'tool.localhost:4444'])(
    'serves %s on loopback',
    (host) => {
      expect(() => local(host, false)).not.toThrow()
    },
  )
  it.each(['evil.example', 'evil.example:4444', 'portcullis:4444', '127.0.0.1.evil.example'])(
    'refuses %s on loopback',
    (host) => {
      expect(() => local(host, false)).toThrow(expect.objectContaining({ status: 403, reason: 'foreign_host' }))
    },
  )
  it('beyond loopback serves its own name, a name without a dot, and whatever a trusted proxy sends', () => {
    expect(() => open('mcp.example', false)).not.toThrow()
    expect(() => open('portcullis:4444', false)).not.toThrow()
    expect(() => open('other.example', true)).not.toThrow()
    expect(() => open('other.example', false)).toThrow(expect.objectContaining({ status: 403 }))
  })
})
