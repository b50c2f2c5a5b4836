// The columns of the matrix: clients as people run them, each with a person of its own.
import { join } from 'node:path'
import { SSEClientTransport, StreamableHTTPClientTransport, type Transport } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { createAsked } from '../support/asked.ts'
import type { Mode } from '../support/sdk.ts'
import { socketTransport } from '../support/websocket.ts'
import { ALL, type Asks, type Feature, type Findings } from './features.ts'
import { INSPECTED, inspect } from './inspector.ts'
import { type Host, PROBES } from './probes.ts'

/** Where a client goes, and with what. */
export interface Way {
  readonly server: string
  readonly gateway: string
  readonly token: string
  readonly folder: string
}

export interface MatrixClient {
  readonly name: string
  readonly user: string
  /** What it can do at all. */
  readonly can: readonly Feature[]
  /** Tries the features that are asked for, one after the other. */
  tryOut(way: Way, asks: Asks, features: readonly Feature[]): Promise<Findings>
}

const MCP_REMOTE = join(import.meta.dirname, '../../node_modules/mcp-remote/dist/proxy.js')
const MODERN: Mode = { pin: '2026-07-28' }
const LONGEST_MS = 15_000

const headersOf = ({ token }: Way) => ({ authorization: `Bearer ${token}` })
const endpoint = ({ gateway, server }: Way) => new URL(`${gateway}/servers/${server}/mcp`)

function streamable(way: Way): Transport {
  return new StreamableHTTPClientTransport(endpoint(way), { requestInit: { headers: headersOf(way) } })
}

function olderSse(way: Way): Transport {
  const headers = headersOf(way)
  return new SSEClientTransport(new URL(`${way.gateway}/servers/${way.server}/sse`), {
    requestInit: { headers },
    eventSourceInit: { fetch: (at: string | URL, init?: RequestInit) => fetch(at, { ...init, headers }) },
  })
}

/** The program that lends a client on stdio our address. */
function throughMcpRemote(way: Way): Transport {
  const args = [MCP_REMOTE, endpoint(way).href, '--allow-http', '--transport', 'http-only']
  return new StdioClientTransport({
    command: process.execPath,
    args: [...args, '--header', `Authorization: Bearer ${way.token}`],
    env: { PATH: process.env['PATH'] ?? '', HOME: way.folder, MCP_REMOTE_CONFIG_DIR: way.folder },
    stderr: 'ignore',
  })
}

const official = (name: string, user: string, mode: Mode, carriedBy: (way: Way) => Transport): MatrixClient => ({
  name,
  user,
  // 2026-07-28 has no ping.
  can: ALL.filter((feature) => feature !== 'ping' || mode === 'legacy'),
  async tryOut(way, asks, features) {
    const { client, asked } = createAsked(mode)
    const heard: { method: string; params?: unknown }[] = []
    client.fallbackNotificationHandler = async ({ method, params }) => void heard.push({ method, params })
    const host: Host = { client, asked, heard, isModern: mode !== 'legacy' }
    const findings: Findings = {}
    try {
      await client.connect(carriedBy(way))
      for (const feature of features) findings[feature] = await outcome(PROBES[feature](host, asks as Required<Asks>))
    } finally {
      await client.close()
    }
    return findings
  },
})

const inspector = (era: 'legacy' | 'modern'): MatrixClient => ({
  name: `Inspector, ${era}`,
  user: `inspector-${era}`,
  can: INSPECTED,
  async tryOut(way, asks, features) {
    const findings: Findings = {}
    for (const feature of features)
      findings[feature] = await outcome(inspect(era, feature, endpoint(way).href, way, asks))
    return findings
  },
})

async function outcome(probe: Promise<void>): Promise<NonNullable<Findings[Feature]>> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error('Nothing came.')), LONGEST_MS)
  try {
    await Promise.race([probe, late])
    return 'works'
  } catch (error) {
    return { wrong: error instanceof Error ? error.message : String(error) }
  } finally {
    clearTimeout(timer)
  }
}

export const CLIENTS: readonly MatrixClient[] = [
  official('SDK, 2025-11-25', 'sdk-legacy', 'legacy', streamable),
  official('SDK, 2026-07-28', 'sdk-modern', MODERN, streamable),
  inspector('legacy'),
  inspector('modern'),
  official('mcp-remote', 'remote', 'legacy', throughMcpRemote),
  official('HTTP+SSE', 'sse', 'legacy', olderSse),
  official('WebSocket', 'socket', 'legacy', (way) =>
    socketTransport(`${way.gateway}/servers/${way.server}/ws`, headersOf(way)),
  ),
]
