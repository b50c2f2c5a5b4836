// What a virtual server calls a thing of another server, and the other way round, by its picks alone.
import type { McpServerConfig, VirtualServerConfig } from '../config/servers.ts'
import type { TargetKind } from '../protocol/decision.ts'
import { ANONYMOUS } from '../protocol/principal.ts'
import { compileTargets, coversCall } from './covers.ts'

export interface Named {
  readonly server: string
  readonly kind: TargetKind
  readonly name: string
}

/** A view over others: nothing runs behind it. */
export const isView = (server: McpServerConfig): server is VirtualServerConfig =>
  !('url' in server || 'command' in server)

export const findView = (servers: readonly McpServerConfig[], id: string): VirtualServerConfig | undefined =>
  servers.filter(isView).find((server) => server.id === id)

/** `undefined` where it shows no such thing. */
export function shownName(view: VirtualServerConfig, thing: Named): string | undefined {
  const pick = orderedPicks(view, thing.kind).find((one) => covers(one, thing))
  if (pick === undefined) return undefined
  return typeof pick === 'string' ? thing.name : (pick.name ?? thing.name)
}

/** All that could be meant: two servers may have things of one name. */
export function behindName(
  view: VirtualServerConfig,
  shown: Omit<Named, 'server'>,
  servers: readonly McpServerConfig[],
): readonly Named[] {
  const { kind, name } = shown
  const candidates = orderedPicks(view, kind).flatMap((pick): Named[] => {
    if (typeof pick === 'string')
      return servers.filter((server) => !isView(server)).map(({ id }) => ({ server: id, kind, name }))
    const at = pick.from.indexOf('/')
    return [{ server: pick.from.slice(0, at), kind, name: pick.from.slice(at + 1) }]
  })
  const keys = new Map(candidates.map((thing) => [`${thing.server}/${thing.name}`, thing]))
  return [...keys.values()].filter((thing) => shownName(view, thing) === name)
}

type Pick = VirtualServerConfig['tools'][number]

/** Those that name one thing come first, as in the view. */
function orderedPicks({ tools, prompts, resources }: VirtualServerConfig, kind: TargetKind): readonly Pick[] {
  const picks = kind === 'tool' ? tools : kind === 'prompt' ? prompts : kind === 'resource' ? resources : []
  return [...picks.filter((pick) => typeof pick !== 'string'), ...picks.filter((pick) => typeof pick === 'string')]
}

function covers(pick: Pick, thing: Named): boolean {
  const prefix = thing.kind === 'tool' ? '' : `${thing.kind}:`
  const targets = compileTargets([prefix + (typeof pick === 'string' ? pick : pick.from)], 'servers')
  return coversCall(targets, { principal: ANONYMOUS, method: '', ...thing })
}
