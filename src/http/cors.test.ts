import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { answerDoorPreflight, doorCors } from './cors.ts'
import type { Exchange } from './exchange.ts'
import { answerOf, sendAnswer } from './responses.ts'

let server: Server
const serve = async (allowed: readonly string[] | 'loopback') => {
  const check = doorCors({ serverUrl: 'https://mcp.example', allowed })
  server = createServer((req, res) => {
    const exchange = {
      req,
      res,
      path: req.url ?? '',
      query: '',
      id: '',
      address: '',
      viaProxy: false,
      at: 0,
    } satisfies Exchange
    try {
      check(exchange)
      if (req.method === 'OPTIONS') answerDoorPreflight(exchange)
      else res.end('ok')
    } catch (error) {
      sendAnswer(exchange, answerOf(error))
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  return (origin?: string, method = 'POST', headers: Record<string, string> = {}) =>
    fetch(url, { method, headers: origin === undefined ? headers : { origin, ...headers } })
}
afterEach(() => server.close())

describe('MCP, Transports: Origin', () => {
  it('MUST answer 403 to a foreign origin, without any CORS grant', async () => {
    const call = await serve('loopback')
    for (const origin of [
      'http://evil.example',
      'null',
      'http://localhost.evil.example',
      'http://127.0.0.1.evil.example',
      'http://localhost@evil.example',
      'http://user@localhost:1',
      'http://localhost:1/',
      'http://2130706433:1',
      'http://localhost.',
      'http://app.localhost:1',
      'ftp://localhost',
      'file://',
    ]) {
      for (const method of ['POST', 'OPTIONS']) {
        const response = await call(origin, method)
        expect(response.status).toBe(403)
        expect(response.headers.get('access-control-allow-origin')).toBeNull()
      }
    }
  })
  it('lets through our own origin, loopback where configured, and requests without an origin', async () => {
    const call = await serve('loopback')
    for (const origin of ['https://mcp.example', 'http://localhost:6274', 'http://127.0.0.1:1', 'http://[::1]:5']) {
      const response = await call(origin)
      expect([
        response.status,
        response.headers.get('access-control-allow-origin'),
        response.headers.get('vary'),
      ]).toEqual([200, origin, 'Origin'])
      expect(response.headers.get('access-control-allow-credentials')).toBeNull()
      expect(response.headers.get('access-control-expose-headers')).toContain('WWW-Authenticate')
    }
    expect((await call()).status).toBe(200)
  })
  it('with a list lets through exactly that list', async () => {
    const call = await serve(['https://claude.ai'])
    expect((await call('https://claude.ai')).status).toBe(200)
    for (const origin of ['http://localhost:6274', 'https://claude.ai.evil.example', 'https://CLAUDE.ai'])
      expect((await call(origin)).status).toBe(403)
  })
  it('a preflight grants Mcp-Param-* names that are asked for, and nothing else that is asked for', async () => {
    const call = await serve('loopback')
    const response = await call('http://localhost:1', 'OPTIONS', {
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'mcp-param-region, x-evil',
    })
    expect(response.status).toBe(204)
    const granted = response.headers.get('access-control-allow-headers') ?? ''
    expect(granted).toContain('mcp-param-region')
    expect(granted).toContain('Mcp-Session-Id')
    expect(granted).not.toContain('x-evil')
  })
})
