// What a view says of itself: the answer to `initialize` (MCP 2025-11-25, Lifecycle) and to `server/discover` (MCP 2026-07-28).
import type { Policy } from '../../policy/policy.ts'
import { LEGACY_REVISIONS, META_SERVER_INFO, MODERN_REVISION } from '../../protocol/mcp.ts'
import type { Caller } from '../../upstreams/caller.ts'
import { OUR_HELLO } from '../bridge/hello.ts'
import type { Known } from './catalog/slots.ts'
import type { Compose } from './views/caller-composition.ts'
import type { View } from './views/view.ts'

interface Needs {
  readonly compose: Compose
  readonly policy: Pick<Policy, 'view'>
  /** How long a client may keep it, milliseconds. */
  readonly ttl: number
}

export interface Introduce {
  /** Result of `initialize`, in the revision that was settled on. */
  initialize(view: View, caller: Caller, revision: string): Promise<object>
  discover(view: View, caller: Caller): Promise<object>
}

type Capabilities = Readonly<Record<string, unknown>>

const SUPPORTED = [MODERN_REVISION, ...LEGACY_REVISIONS]
const LONGEST_INSTRUCTIONS = 32 * 1024

export function createIntroduction({ compose, policy, ttl }: Needs): Introduce {
  async function read(
    view: View,
    caller: Caller,
  ): Promise<{ capabilities: Capabilities; instructions?: string }> {
    const { known: all } = await compose(view, caller)
    // What a server says of itself is for those who may use it, also where refusals name it.
    const known = view.virtual ? all : all.filter(({ server }) => policy.view(caller.principal, server) !== 'none')
    const instructions = view.instructions ?? (view.virtual ? '' : joined(known))
    return { capabilities: union(known), ...(instructions !== '' && { instructions }) }
  }
  const infoOf = ({ title }: View) => ({ ...OUR_HELLO.clientInfo, title })
  return {
    async initialize(view, caller, protocolVersion) {
      const { capabilities, ...said } = await read(view, caller)
      return { protocolVersion, capabilities, serverInfo: infoOf(view), ...said }
    },
    async discover(view, caller) {
      const said = await read(view, caller)
      const caching = { ttlMs: ttl, cacheScope: 'private' }
      const meta = { [META_SERVER_INFO]: infoOf(view) }
      return { resultType: 'complete', supportedVersions: SUPPORTED, ...said, ...caching, _meta: meta }
    },
  }
}

/** What one of them can do, the whole can do; of one that has not answered yet, anything may be expected. */
function union(known: readonly Known[]): Capabilities {
  const silent = known.some(({ offer }) => offer === undefined)
  const offered = known.flatMap(({ offer }) => (offer === undefined ? [] : [offer.capabilities]))
  const has = (name: string): boolean => silent || offered.some((capabilities) => capabilities[name] !== undefined)
  return {
    ...(has('tools') && { tools: { listChanged: true } }),
    ...(has('prompts') && { prompts: { listChanged: true } }),
    ...(has('resources') && { resources: { listChanged: true, subscribe: true } }),
    ...(has('completions') && { completions: {} }),
    ...(has('logging') && { logging: {} }),
  }
}

function joined(known: readonly Known[]): string {
  const said = known.flatMap(({ server, offer }) =>
    offer?.instructions === undefined ? [] : [`${server}: ${offer.instructions}`],
  )
  return said.join('\n\n').slice(0, LONGEST_INSTRUCTIONS)
}
