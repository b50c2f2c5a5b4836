// Servers that say with each answer whose credential it was asked with: one of 2026-07-28, and one of 2025-11-25 with sessions, which
// remembers every credential that a session was ever used with.
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

/** What the tool `whose` answers. */
export interface Whose {
  readonly account: string
  readonly nonce: unknown
  /** Every account that the session has seen. */
  readonly inSession: readonly string[]
}

export interface AccountServer {
  readonly url: string
  /** Calls that were answered. */
  calls(): number
  /** Sessions that were ever opened, and the accounts of each. */
  sessions(): readonly (readonly string[])[]
  close(): Promise<void>
}

interface Message {
  readonly id?: number | string
  readonly method?: string
  readonly params?: { readonly arguments?: { readonly nonce?: unknown } }
}

const TOOLS = [{ name: 'whose', inputSchema: { type: 'object', properties: { nonce: { type: 'string' } } } }]

export async function startAccountServer(era: 'modern' | 'legacy'): Promise<AccountServer> {
  const sessions = new Map<string, Set<string>>()
  let calls = 0

  function resultOf(
    { method, params }: Message,
    account: string,
    session: Set<string> | undefined,
  ): object | undefined {
    if (method === 'tools/list') return { tools: TOOLS }
    if (method !== 'tools/call') return undefined
    calls += 1
    const whose: Whose = { account, nonce: params?.arguments?.nonce, inSession: [...(session ?? [account])] }
    return { content: [{ type: 'text', text: JSON.stringify(whose) }] }
  }

  function introduction({ method }: Message): object | undefined {
    const capabilities = { tools: {} }
    if (era === 'modern' && method === 'server/discover') return { supportedVersions: ['2026-07-28'], capabilities }
    if (era !== 'legacy' || method !== 'initialize') return undefined
    return { protocolVersion: '2025-11-25', capabilities, serverInfo: { name: 'accounts', version: '1' } }
  }

  const http = createServer(async (req, res) => {
    const account = accountOf(req)
    const message = JSON.parse((await text(req)) || '{}') as Message
    const id = String(req.headers['mcp-session-id'] ?? (message.method === 'initialize' ? randomUUID() : ''))
    const said = (head: Record<string, string>, status: number, body: object) =>
      void res.writeHead(status, { 'content-type': 'application/json', ...head }).end(JSON.stringify(body))
    const unknown = { jsonrpc: '2.0', id: message.id ?? null, error: { code: -32601, message: 'Method not found' } }
    if (req.method !== 'POST') return void res.writeHead(405).end()
    if (era === 'legacy' && !sessions.has(id) && message.method !== 'initialize') return said({}, 400, unknown)
    if (era === 'legacy') sessions.set(id, (sessions.get(id) ?? new Set<string>()).add(account))
    if (message.id === undefined) return void res.writeHead(202).end()
    const result = introduction(message) ?? resultOf(message, account, sessions.get(id))
    const head = era === 'legacy' ? { 'mcp-session-id': id } : {}
    if (result === undefined) return said(head, era === 'legacy' ? 200 : 404, unknown)
    // Later answers first, so that nothing depends on the order.
    await new Promise((resolve) => setImmediate(resolve))
    const whole = era === 'modern' ? { resultType: 'complete', ttlMs: 0, cacheScope: 'private', ...result } : result
    said(head, 200, { jsonrpc: '2.0', id: message.id, result: whole })
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`,
    calls: () => calls,
    sessions: () => [...sessions.values()].map((accounts) => [...accounts]),
    async close() {
      http.closeAllConnections()
      await new Promise((resolve) => http.close(resolve))
    },
  }
}

const accountOf = ({ headers }: IncomingMessage): string => (headers.authorization ?? 'nobody').replace('Bearer ', '')
