// A server of MCP 2026-07-28 that lists for each person what is theirs: known by the credential that comes, else by the identity that the
// gate tells, else a stranger.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface PersonalServer {
  readonly url: string
  /** Whom a list was asked for, in order. */
  readonly asked: readonly string[]
  /** Their list is another one now; those of their streams are told. */
  change(who: string): void
  /** Streams that are open, by whose they are. */
  listening(who: string): number
  close(): Promise<void>
}

interface Message {
  readonly id?: unknown
  readonly method?: string
  readonly params?: { readonly name?: string; readonly uri?: string }
}

/** `Bearer of-ann`, or `ann@example.com`. */
function whoAsks({ headers }: IncomingMessage): string {
  const [, owner] = /^Bearer of-(\w+)$/.exec(headers.authorization ?? '') ?? []
  const [told = ''] = String(headers['x-forwarded-user'] ?? '').split('@')
  return owner ?? (told === '' ? 'stranger' : told)
}

export async function startPersonalServer(): Promise<PersonalServer> {
  const asked: string[] = []
  const versions = new Map<string, number>()
  const streams = new Map<ServerResponse, { who: string; id: unknown }>()

  /** `shared` has the same name for all, and is told apart by what is said of it. */
  const toolsOf = (who: string) => [
    { name: `of_${who}_${versions.get(who) ?? 1}`, inputSchema: { type: 'object' } },
    {
      name: 'shared',
      description: `What ${who} may do`,
      inputSchema: { type: 'object' },
      annotations: { readOnlyHint: who === 'ann' },
    },
  ]
  const whole = { resultType: 'complete', ttlMs: 600_000, cacheScope: 'public' }

  function answer(message: Message, who: string): object {
    const { method, params } = message
    if (method === 'server/discover')
      return {
        ...whole,
        supportedVersions: ['2026-07-28'],
        capabilities: { tools: { listChanged: true }, resources: {} },
      }
    if (method === 'tools/list') {
      asked.push(who)
      return { ...whole, tools: toolsOf(who) }
    }
    if (method === 'resources/list')
      return { ...whole, resources: [{ uri: `notes://${who}`, name: `Notes of ${who}` }] }
    if (method === 'resources/templates/list') return { ...whole, resourceTemplates: [] }
    if (method === 'resources/read') return { ...whole, contents: [{ uri: params?.uri, text: `read by ${who}` }] }
    return { resultType: 'complete', content: [{ type: 'text', text: `${params?.name} by ${who}` }] }
  }

  const say = (res: ServerResponse, id: unknown, message: object) =>
    res.write(
      `data: ${JSON.stringify({ jsonrpc: '2.0', ...message, params: { ...('params' in message ? (message.params as object) : {}), _meta: { 'io.modelcontextprotocol/subscriptionId': id } } })}\n\n`,
    )

  const server = createServer(async (req, res) => {
    const who = whoAsks(req)
    const message = JSON.parse(Buffer.concat(await req.toArray()).toString() || '{}') as Message
    const { id, method } = message
    if (method === 'subscriptions/listen') {
      res.writeHead(200, { 'content-type': 'text/event-stream' })
      say(res, id, {
        method: 'notifications/subscriptions/acknowledged',
        params: { notifications: { toolsListChanged: true } },
      })
      streams.set(res, { who, id })
      res.once('close', () => streams.delete(res))
      return
    }
    if (method === 'initialize' || id === undefined) return void res.writeHead(400).end()
    res.writeHead(200, { 'content-type': 'application/json' })
    res.end(JSON.stringify({ jsonrpc: '2.0', id, result: answer(message, who) }))
  })
  server.listen(0, '127.0.0.1')
  await new Promise((resolve, reject) => server.once('listening', resolve).once('error', reject))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    asked,
    change(who) {
      versions.set(who, (versions.get(who) ?? 1) + 1)
      for (const [res, stream] of streams)
        if (stream.who === who) say(res, stream.id, { method: 'notifications/tools/list_changed' })
    },
    listening: (who) => [...streams.values()].filter((stream) => stream.who === who).length,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
