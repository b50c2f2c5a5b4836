// Calls that an ingress never asks about, behind a host whose rules tell tools apart: on a connection that changes its protocol, or in a
// revision that the server is closed to (catalogue row E44).
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { APP, type ForwardRange, OTHER, startForwardRange } from '../support/forward-range.ts'

const call = (method: string, params: object) => JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })
const READ = call('tools/call', { name: 'read_note', arguments: {} })

describe('a connection that changes its protocol', () => {
  let range: ForwardRange
  const tokens = new Map<string, string>()
  beforeAll(async () => {
    range = await startForwardRange({
      policy: {
        rules: [
          { allow: ['app.example.com/read_*'], to: ['*'] },
          { allow: ['other.example.com/*'], to: ['*'] },
        ],
      },
    })
    for (const origin of [APP, OTHER]) tokens.set(origin, await range.tokenFor(origin))
  })
  afterAll(() => range?.close())

  const open = async (origin: string, more: readonly (readonly [string, string])[]) => {
    const { status } = await range.ask([
      ['X-Forwarded-Method', 'GET'],
      ['X-Forwarded-Proto', 'https'],
      ['X-Forwarded-Host', new URL(origin).host],
      ['X-Forwarded-Uri', '/ws'],
      ['Authorization', `Bearer ${tokens.get(origin)}`],
      ...more,
    ])
    return status
  }
  // As the call that would be allowed, for whoever believes the fields.
  const NAMED = [
    ['MCP-Protocol-Version', '2026-07-28'],
    ['Mcp-Method', 'tools/call'],
    ['Mcp-Name', 'read_note'],
  ] as const

  it.each([
    [[['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ==']]],
    [[['Sec-WebSocket-Version', '13']]],
    [[['sec-websocket-protocol', 'mcp'], ...NAMED]],
  ] as const)('is for nobody whose calls have to be looked at: %j', async (fields) => {
    expect(await open(APP, fields)).toBe(403)
    // Who sees the whole server may speak to it as they like; and a plain stream carries no calls.
    expect(await open(OTHER, fields)).toBe(200)
    expect(await open(APP, [])).toBe(200)
  })
})

describe('a server that is closed to older revisions', () => {
  it.each([
    ['part of it', ['notes/read_*']],
    ['all of it', ['notes/*']],
  ])('is so behind an ingress, for whoever sees %s', async (_, allow) => {
    const range = await startForwardRange({
      servers: [{ id: 'notes', url: 'http://127.0.0.1:1/mcp', publicUrl: `${APP}/mcp`, minimumRevision: '2025-06-18' }],
      policy: { rules: [{ allow, to: ['*'] }] },
      forwardAuth: {},
      forwardBody: true,
    })
    const authorization = `Bearer ${await range.tokenFor(`${APP}/mcp`)}`
    const post = async (body: string, version?: string) => {
      const speaks = version === undefined ? {} : { 'mcp-protocol-version': version }
      const headers = { authorization, 'content-type': 'application/json', ...speaks }
      return (await range.call('/mcp', { method: 'POST', headers, body })).status
    }
    const hello = (protocolVersion: string) =>
      call('initialize', { protocolVersion, capabilities: {}, clientInfo: { name: 'c', version: '1' } })
    expect(await post(READ)).toBe(400)
    expect(await post(READ, '2025-03-26')).toBe(400)
    expect(await post(hello('2025-03-26'))).toBe(400)
    expect(await post(hello('2025-11-25'))).toBe(200)
    expect(await post(READ, '2025-06-18')).toBe(200)
    expect(range.ingress.passed).toHaveLength(2)
    await range.close()
  })
})
