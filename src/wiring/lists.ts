// The lists of the servers behind the gate, on the ground of the gateway: read, screened, put together for views, and shown.
import { upstreamsOf } from '../config/servers.ts'
import { type Catalog, type CatalogNeeds, createCatalog } from '../mcp/aggregate/catalog/catalog.ts'
import { readOffer } from '../mcp/aggregate/catalog/offer.ts'
import { createLists } from '../mcp/aggregate/lists.ts'
import { type ComposeNeeds, createCompose } from '../mcp/aggregate/views/caller-composition.ts'
import type { Bridge } from '../mcp/bridge/call.ts'
import { withRenewal } from '../mcp/renewal.ts'
import { rarely } from '../observe/rarely.ts'
import type { Upstreams } from '../upstreams/upstream.ts'
import type { Ground } from './ground.ts'

const TOLD = { every: 60_000, most: 50 }

type Known = Pick<CatalogNeeds, 'reach' | 'unconnectedOffer'> & {
  readonly eraOf: Bridge['eraOf']
  readonly report: Upstreams['report']
}

export function openLists(ground: Ground, { reach, unconnectedOffer, eraOf, report }: Known) {
  const { binding, clock, config, policy, scopes, tools } = ground
  const { ttl, timeout } = config.aggregate
  const { onFailure, onLeftOut } = rarelyTold(ground)
  const catalog = createCatalog({
    reach,
    contextOf: binding.contextOf,
    unconnectedOffer,
    readOffer: (upstream, signal, caller) =>
      withRenewal({ binding, report }, upstream, caller, (one) => readOffer(one, eraOf, signal)),
    screenTools: tools.screen,
    clock,
    timeout,
    ttl,
    onFailure,
  })
  lookInCatalog(ground, catalog)
  const compose = createCompose({ catalog, policy, denials: config.policy.denials, clock, onLeftOut })
  const lists = createLists({ compose, policy, checkScopes: scopes.checkScopes, clock, ttl })
  return { catalog, compose, lists }
}

/** Lists are read all the time: what goes wrong with them is told once in a while. */
function rarelyTold({ clock, log }: Ground): Pick<CatalogNeeds, 'onFailure'> & Pick<ComposeNeeds, 'onLeftOut'> {
  const isTime = rarely({ ...TOLD, clock })
  return {
    onFailure(id, reason, error) {
      if (reason === 'internal_error') log.error({ server: id, error }, 'the lists of a server could not be read')
      else if (isTime(`${id} ${reason}`)) log.warn({ server: id, reason }, 'the lists of a server did not come')
    },
    onLeftOut(view, leftOut) {
      for (const { server: id, name, reason } of leftOut)
        if (isTime(`${view.id} ${id} ${name}`))
          log.warn({ view: view.id, server: id, name, reason }, 'something is not shown')
    },
  }
}

/** Tools that nobody has seen are looked for as lists are read; an approval shows at once, not with the next reading. */
function lookInCatalog({ config, tools }: Ground, catalog: Pick<Catalog, 'read' | 'forget'>): void {
  tools.lookWith(async (id, principal) => catalog.read([id], { principal, rawHeaders: [] }))
  const strict = upstreamsOf(config.servers).filter(({ id }) => tools.guard.isStrict(id))
  tools.guard.onChange(() => {
    for (const { id } of strict) catalog.forget(id)
  })
}
