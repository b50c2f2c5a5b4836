// Our fixture in one era alone, for what a gate does where its clients speak the other; it says what a test tells it to.
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { toNodeHandler } from '@modelcontextprotocol/node'
import { type McpServer, WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/server'
import { createModernFixture } from './fixture/modern.ts'
import { createFixture } from './fixture/server.ts'

export interface OneEraServer {
  readonly url: string
  /** Methods that arrived, with the revision that the head names. */
  readonly seen: { readonly method: string; readonly revision: string | null; readonly session: string | null }[]
  /** To whoever listens. */
  toolsChanged(): void
  resourceUpdated(uri: string): void
  /** Sessions that are open, in the handshake era. */
  sessions(): number
  close(): Promise<void>
}

type Fetch = (request: Request) => Promise<Response>

async function serve(fetch: Fetch): Promise<Pick<OneEraServer, 'url' | 'seen' | 'close'>> {
  const seen: OneEraServer['seen'] = []
  const handle = toNodeHandler({
    async fetch(request) {
      const { method = request.method } = (await request
        .clone()
        .json()
        .catch(() => ({}))) as { method?: string }
      const { headers } = request
      seen.push({ method, revision: headers.get('mcp-protocol-version'), session: headers.get('mcp-session-id') })
      return fetch(request)
    },
  })
  const server = createServer((req, res) => {
    void handle(Object.assign(req, { method: req.method ?? 'GET', url: req.url ?? '/' }), res)
  })
  server.listen(0, '127.0.0.1')
  await new Promise((resolve, reject) => server.once('listening', resolve).once('error', reject))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    seen,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** MCP 2026-07-28 and nothing else. */
export async function startModernOnly(): Promise<OneEraServer> {
  const fixture = createModernFixture()
  const { close, ...served } = await serve((request) => fixture.fetch(request))
  return {
    ...served,
    toolsChanged: () => fixture.notify.toolsChanged(),
    resourceUpdated: (uri) => fixture.notify.resourceUpdated(uri),
    sessions: () => 0,
    async close() {
      await fixture.close()
      await close()
    },
  }
}

/** The handshake revisions and nothing else, with sessions. */
export async function startHandshakeOnly(): Promise<OneEraServer> {
  const sessions = new Map<string, { server: McpServer; transport: WebStandardStreamableHTTPServerTransport }>()
  const wanted = new Map<McpServer, Set<string>>()

  async function begin() {
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => void sessions.set(id, session),
      onsessionclosed: (id) => void sessions.delete(id),
    })
    const server: McpServer = createFixture({ tools: toolsChanged, prompts: () => undefined })
    const uris = new Set<string>()
    wanted.set(server, uris)
    server.server.setRequestHandler('resources/subscribe', ({ params }) => {
      uris.add(params.uri)
      return {}
    })
    server.server.setRequestHandler('resources/unsubscribe', ({ params }) => {
      uris.delete(params.uri)
      return {}
    })
    const session = { server, transport }
    await server.connect(transport)
    return session
  }

  function toolsChanged(): void {
    for (const { server } of sessions.values()) server.sendToolListChanged()
  }

  const { close, ...served } = await serve(async (request) => {
    const id = request.headers.get('mcp-session-id')
    const known = id === null ? undefined : sessions.get(id)
    if (id !== null && known === undefined)
      return Response.json(
        { jsonrpc: '2.0', id: null, error: { code: -32001, message: 'Session not found' } },
        { status: 404 },
      )
    return (known ?? (await begin())).transport.handleRequest(request)
  })
  return {
    ...served,
    toolsChanged,
    resourceUpdated(uri) {
      for (const { server } of sessions.values())
        if (wanted.get(server)?.has(uri)) void server.server.sendResourceUpdated({ uri })
    },
    sessions: () => sessions.size,
    async close() {
      await Promise.all([...sessions.values()].map(({ server }) => server.close()))
      await close()
    },
  }
}
