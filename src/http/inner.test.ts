// What an inner request has of its connection's head.
import type { IncomingMessage } from 'node:http'
import { describe, expect, it } from 'vitest'
import type { Exchange } from './exchange.ts'
import { innerExchange } from './inner.ts'

const outer = (rawHeaders: string[]): Exchange => {
  const pairs = rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [[name.toLowerCase(), rawHeaders[at + 1]]] : []))
  const req = { rawHeaders, headers: Object.fromEntries(pairs), socket: {} } as unknown as IncomingMessage
  return { req } as Exchange
}
const inner = (rawHeaders: string[]) => {
  const request = {
    method: 'POST',
    path: '/servers/a/mcp',
    id: 'i',
    at: 0,
    headers: { accept: 'x' },
    body: undefined,
  } as const
  const answer = { onHead: () => undefined, onData: () => undefined, onEnd: () => undefined }
  return innerExchange(outer(rawHeaders), request, answer).exchange.req
}

describe('an inner request', () => {
  it('has the credential and what else came along, and says anew what is of one message', () => {
    const { rawHeaders, headers } = inner([
      ...['Authorization', 'Bearer t', 'X-Tenant-Id', 'acme', 'Accept', 'y', 'Upgrade', 'websocket'],
      ...['Sec-WebSocket-Key', 'k', 'Mcp-Session-Id', 's', 'Content-Type', 'text/plain'],
    ])
    expect(rawHeaders).toEqual(['Authorization', 'Bearer t', 'X-Tenant-Id', 'acme', 'accept', 'x'])
    expect(headers).toEqual({ authorization: 'Bearer t', 'x-tenant-id': 'acme', accept: 'x' })
  })

  it('still knows what its connection named as its own, so that none of it goes on to a server', () => {
    const { rawHeaders, headers } = inner(['Connection', 'Upgrade, X-Tenant-Id', 'X-Tenant-Id', 'acme'])
    expect(rawHeaders.slice(0, 2)).toEqual(['Connection', 'Upgrade, X-Tenant-Id'])
    expect(headers).not.toHaveProperty('connection')
  })
})
