// Our conformance fixture: an MCP server behind one URL that speaks every revision and has all that the suite asks for.
import { createServer } from 'node:http'
import { localhostHostValidation, localhostOriginValidation, toNodeHandler } from '@modelcontextprotocol/node'
import { isLegacyRequest } from '@modelcontextprotocol/server'
import { createLegacyFixture } from './fixture/legacy.ts'
import { createModernFixture } from './fixture/modern.ts'

export interface Fixture {
  /** By the name localhost: the suite's rebinding scenario asks for it. */
  readonly url: string
  /** HTTP requests that arrived. */
  requests(): number
  close(): Promise<void>
}

export async function startFixture({ port = 0 }: { port?: number } = {}): Promise<Fixture> {
  const modern = createModernFixture()
  const legacy = createLegacyFixture()
  const handle = toNodeHandler({
    fetch: async (request) => ((await isLegacyRequest(request)) ? legacy.fetch(request) : modern.fetch(request)),
  })
  const [knowsHost, knowsOrigin] = [localhostHostValidation(), localhostOriginValidation()]
  let requests = 0
  const server = createServer((req, res) => {
    requests += 1
    const request = Object.assign(req, { method: req.method ?? 'GET', url: req.url ?? '/' })
    if (knowsHost(req, res) && knowsOrigin(req, res)) void handle(request, res)
  })
  server.listen(port, 'localhost')
  await new Promise((resolve, reject) => server.once('listening', resolve).once('error', reject))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('No port.')
  return {
    url: `http://localhost:${address.port}/mcp`,
    requests: () => requests,
    async close() {
      await Promise.all([modern.close(), legacy.close()])
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
