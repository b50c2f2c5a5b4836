// What a view says of itself: the answer to `initialize` (MCP 2025-11-25, Lifecycle) and to `server/discover` (MCP 2026-07-28).
import type { Policy } from '../../policy/policy.ts'
import { LEGACY_REVISIONS, META_SERVER_INFO, MODERN_REVISION } from '../../protocol/mcp.ts'
import type { Caller } from '../../upstreams/caller.ts'
import { type ClientHello, OUR_HELLO } from '../bridge/hello.ts'
import type { Introduce as IntroduceServer } from '../bridge/introduce.ts'
import { openingSignal } from '../bridge/patience.ts'
import { unknownServer } from '../hidden.ts'
import type { Reach } from '../reach.ts'
import type { Known } from './catalog/slots.ts'
import type { Compose } from './views/caller-composition.ts'
import type { View } from './views/view.ts'

interface Needs {
  readonly compose: Compose
  readonly policy: Pick<Policy, 'view'>
  readonly reach: Reach
  readonly introduce: IntroduceServer
  /** How long a client may keep it, milliseconds. */
  readonly ttl: number
}

export interface Introduce {
  /** Result of `initialize`, in the revision that was settled on. Where the view is one server: in its words; rejects with UpstreamError. */
  initialize(view: View, caller: Caller, hello: ClientHello): Promise<object>
  /** The same of `server/discover`. */
  discover(view: View, caller: Caller, hello: ClientHello): Promise<object>
}

type Capabilities = Readonly<Record<string, unknown>>

const SUPPORTED = [MODERN_REVISION, ...LEGACY_REVISIONS]
const LONGEST_INSTRUCTIONS = 32 * 1024

interface Words {
  readonly capabilities: Capabilities
  readonly serverInfo: Capabilities
  readonly instructions?: string
}

export function createIntroduction({ compose, policy, ttl, reach, introduce }: Needs): Introduce {
  async function askServer(server: string, caller: Caller, hello: ClientHello): Promise<Words> {
    const upstream = await reach(server, caller)
    if (upstream === undefined) throw unknownServer()
    const given = { principal: caller.principal, hello, signal: openingSignal(upstream) }
    const { instructions, ...words } = await introduce(upstream, given)
    return { ...words, ...(instructions !== undefined && { instructions }) }
  }

  async function read(view: View, caller: Caller, hello: ClientHello): Promise<Words> {
    if (view.alone) return askServer(view.id, caller, hello)
    const { known: all } = await compose(view, caller)
    // What a server says of itself is for those who may use it, also where refusals name it.
    const known = view.virtual ? all : all.filter(({ server }) => policy.view(caller.principal, server) !== 'none')
    const instructions = view.instructions ?? (view.virtual ? '' : joined(known))
    return { capabilities: union(known), serverInfo: infoOf(view), ...(instructions !== '' && { instructions }) }
  }
  const infoOf = ({ title }: View) => ({ ...OUR_HELLO.clientInfo, title })
  return {
    async initialize(view, caller, hello) {
      return { protocolVersion: hello.revision, ...(await read(view, caller, hello)) }
    },
    async discover(view, caller, hello) {
      const { serverInfo, ...said } = await read(view, caller, hello)
      // What a server knew nothing to say of is old at once.
      const caching = { ttlMs: view.alone ? 0 : ttl, cacheScope: 'private' }
      const meta = { [META_SERVER_INFO]: serverInfo }
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
