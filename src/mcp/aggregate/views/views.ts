// Which views there are, and which one a request is for.
import type { IncomingHttpHeaders } from 'node:http'
import { isConnected } from '../../../config/credentials.ts'
import type { Config } from '../../../config/schema.ts'
import { isVirtual, type UpstreamConfig, upstreamsOf, type VirtualServerConfig } from '../../../config/servers.ts'
import type { Policy } from '../../../policy/policy.ts'
import type { Principal } from '../../../protocol/principal.ts'
import { AGGREGATE } from '../../../protocol/resource.ts'
import { compose } from './composition.ts'
import { aggregateView, ownView, serverView, type View, virtualView } from './view.ts'

export interface Views {
  /** By the id of a virtual server, of one that people connect accounts of their own to, or `*`. */
  get(id: string): View | undefined
  /** One server alone, for clients of the other era. */
  ofServer(id: string): View | undefined
  /** What the request shows itself: at /mcp, a virtual server that it names in the head. `undefined`: nothing that the caller sees. */
  chosen(id: string, headers: IncomingHttpHeaders, principal: Principal): View | undefined
}

/** Of a gateway that this one takes the place of: `name` of the virtual server whose things alone are meant. */
const HEADER = 'x-mcp-virtualserver'

/** Throws OperatorError for picks that are none. */
export function createViews(
  config: Pick<Config, 'servers' | 'aggregate'>,
  { view: seen }: Pick<Policy, 'view'>,
): Views {
  const upstreams = upstreamsOf(config.servers)
  const ids = upstreams.map(({ id }) => id)
  const virtual = config.servers.filter(isVirtual)
  const alone = new Map(upstreams.map((each) => [each.id, serverView(each)]))
  const byName = new Map(virtual.map((each) => [each.name ?? each.id, each]))
  const views = new Map(virtual.map((each) => [each.id, virtualView(each, ids)]))
  // Who has no account there yet must still find out how to connect one, and stay in the same session after it.
  for (const each of upstreams) if (isConnected(each.credentials)) views.set(each.id, ownView(each))
  if (config.aggregate.enabled && upstreams.length > 0)
    views.set(AGGREGATE, aggregateView(upstreams.filter(isOpenToAll), config.aggregate, 'All servers'))
  const sees = (principal: Principal, { id }: View): boolean => seen(principal, id) !== 'none'

  return {
    get: (id) => views.get(id),
    ofServer: (id) => alone.get(id),
    chosen(id, headers, principal) {
      const view = views.get(id)
      if (view === undefined || view.id !== AGGREGATE) return view && sees(principal, view) ? view : undefined
      const name = headers[HEADER]
      if (name === undefined) return view
      const named = typeof name === 'string' ? byName.get(name) : undefined
      const found = named && isOpenToAll(named) ? views.get(named.id) : undefined
      // A name that means nothing to this caller means no thing at all, never all of them.
      return found !== undefined && sees(principal, found) ? found : NOTHING
    },
  }
}

/** Who may knock at a server with ways of its own has to knock there: here the general ones would let in. */
const isOpenToAll = ({ auth }: UpstreamConfig | VirtualServerConfig): boolean => auth === undefined

const NO_CANDIDATES = { tools: [], prompts: [], resources: [], resourceTemplates: [] }
const NOTHING: View = {
  id: '-',
  title: 'Nothing',
  instructions: undefined,
  virtual: false,
  alone: false,
  servers: [],
  ownName: () => undefined,
  candidatesFor: () => [],
  compose: () => compose(NO_CANDIDATES, []),
}
