// What a server says of itself, asked for a client that does not speak its era: `server/discover` (MCP 2026-07-28), or the answer to the
// handshake that opened a session (MCP 2025-11-25, Lifecycle).
import { isRecord } from '../../protocol/json.ts'
import { META_SERVER_INFO, MODERN_REVISION } from '../../protocol/mcp.ts'
import type { Principal } from '../../protocol/principal.ts'
import type { RemoteUpstream, Upstream } from '../../upstreams/upstream.ts'
import { FAULTS } from '../fault.ts'
import { askable } from '../held/askable.ts'
import { failure } from './answer-events.ts'
import { nextId } from './handshake.ts'
import type { ClientHello } from './hello.ts'
import { post } from './post.ts'
import { modernRequest } from './request.ts'
import type { SessionPool } from './session-pool.ts'
import type { UpstreamEras } from './upstream-era.ts'

type Values = Readonly<Record<string, unknown>>

export interface ServerWords {
  /** As far as they mean anything over the bridge. */
  readonly capabilities: Values
  readonly serverInfo: Values
  readonly instructions: string | undefined
}

export interface Introducing {
  readonly principal: Principal
  readonly hello: ClientHello
  readonly signal: AbortSignal
}

/** Rejects with UpstreamError. */
export type Introduce = (upstream: Upstream, introducing: Introducing) => Promise<ServerWords>

/** What both eras have, and this gateway translates; tasks are closed, and what only the two ends understand crosses nothing. */
const CROSSING = new Set(['tools', 'prompts', 'resources', 'completions', 'logging'])

export function createIntroduce({ eraOf, lease }: Pick<UpstreamEras, 'eraOf'> & Pick<SessionPool, 'lease'>): Introduce {
  async function inSession(upstream: RemoteUpstream, { principal, hello, signal }: Introducing): Promise<ServerWords> {
    const held = lease(upstream, principal, askable(hello.capabilities))
    try {
      const { session } = await held.get(signal)
      return wordsOf(session)
    } finally {
      held.end()
    }
  }

  return async (upstream, introducing) => {
    if (upstream.kind === 'channel') {
      const { capabilities, serverInfo, instructions } = await upstream.initialize()
      // One log level for everybody's process: nobody may set it for the others.
      const { logging: _, ...offered } = capabilities
      return wordsOf({
        capabilities: upstream.wantLogs !== undefined ? capabilities : offered,
        serverInfo,
        instructions,
      })
    }
    const { hello, signal } = introducing
    if ((await eraOf(upstream, signal)) === 'legacy') return inSession(upstream, introducing)
    const id = nextId()
    const asked = { jsonrpc: '2.0', id, method: 'server/discover' } as const
    const given = { id, hello: { ...hello, revision: MODERN_REVISION }, logLevel: undefined, definition: undefined }
    const { response } = await post(upstream, { ...modernRequest(asked, given), signal })
    const result = response?.result
    if (!isRecord(result)) throw failure(FAULTS.upstream_error, response?.error?.message)
    const meta = isRecord(result['_meta']) ? result['_meta'] : {}
    return wordsOf({ ...result, serverInfo: meta[META_SERVER_INFO] })
  }
}

function wordsOf({ capabilities, serverInfo, instructions }: Partial<Record<keyof ServerWords, unknown>>): ServerWords {
  const offered = Object.entries(isRecord(capabilities) ? capabilities : {}).filter(([name]) => CROSSING.has(name))
  return {
    capabilities: Object.fromEntries(offered),
    serverInfo: isRecord(serverInfo) ? serverInfo : {},
    instructions: typeof instructions === 'string' ? instructions : undefined,
  }
}
