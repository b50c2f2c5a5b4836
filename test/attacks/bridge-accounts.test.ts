// One caller who brings two accounts along (a service that speaks for many people): at a server of the handshake era, where clients without
// sessions are given one of ours, what was opened with one account is never used with the other.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { round } from '../support/held.ts'

/** By session, the account that opened it. */
const openers = new Map<string, string | undefined>()
let server: Server
let gateway: TestGateway

beforeAll(async () => {
  server = createServer(async (req, res) => {
    const chunks: Buffer[] = []
    for await (const chunk of req) chunks.push(chunk)
    const { id, method } = JSON.parse(Buffer.concat(chunks).toString() || '{}')
    const answer = (result: object, headers: Record<string, string> = {}): void => {
      res.writeHead(200, { 'Content-Type': 'application/json', ...headers })
      res.end(JSON.stringify({ jsonrpc: '2.0', id, result }))
    }
    const { authorization } = req.headers
    if (req.method !== 'POST' || method === 'server/discover') res.writeHead(req.method === 'POST' ? 400 : 405).end()
    else if (id === undefined) res.writeHead(202).end()
    else if (method === 'initialize') {
      const session = `s${openers.size}`
      openers.set(session, authorization)
      const serverInfo = { name: 'accounts', version: '1' }
      answer({ protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo }, { 'Mcp-Session-Id': session })
    } else if (method === 'tools/list') answer({ tools: [{ name: 'whose', inputSchema: { type: 'object' } }] })
    else {
      const session = String(req.headers['mcp-session-id'])
      answer({ content: [], structuredContent: { session, of: openers.get(session), as: authorization } })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`
  gateway = await startGateway({
    servers: [{ id: 'accounts', url, credentials: { type: 'caller' } }],
    policy: { rules: [{ allow: ['*/*'], to: ['*'] }] },
  })
})
afterAll(async () => {
  await gateway?.close()
  server?.closeAllConnections()
  server?.close()
})

it('two accounts of one caller have a session each, and each finds its own again', async () => {
  const token = await gateway.tokenFor('accounts')
  const sessions: unknown[] = []
  for (const account of ['Bearer home', 'Bearer work', 'Bearer home', 'Bearer work']) {
    const headers = { 'x-upstream-authorization': account }
    const { result } = await round(gateway.resource('accounts'), token, 'whose', { headers })
    const said = result?.['structuredContent'] as { session: string; of: string; as: string }
    expect(said).toMatchObject({ of: account, as: account })
    sessions.push(said.session)
  }
  expect(new Set(sessions).size).toBe(2)
})
