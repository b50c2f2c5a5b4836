// What an address shows that is no server of its own: everything at /mcp, or a virtual server's picks.
import type { UpstreamConfig, VirtualServerConfig } from '../../../config/servers.ts'
import { compileTargets, coversCall } from '../../../policy/covers.ts'
import type { Target } from '../../../policy/target.ts'
import type { TargetKind } from '../../../protocol/decision.ts'
import { ANONYMOUS } from '../../../protocol/principal.ts'
import { AGGREGATE } from '../../../protocol/resource.ts'
import { isConnectTool } from '../../connect/connect-tool.ts'
import { LIST_FORMS, type ListKind } from '../../list-forms.ts'
import type { Entry } from '../catalog/offer.ts'
import type { Known } from '../catalog/slots.ts'
import { type Candidate, type Composition, compose } from './composition.ts'
import { naming } from './names.ts'

export interface View {
  /** Id of the virtual server; `*` for everything. */
  readonly id: string
  readonly title: string
  readonly instructions: string | undefined
  /** Rules and scopes that name this view judge its calls, not those of the servers behind it. */
  readonly virtual: boolean
  /** It is one server at its own address: what is asked there is asked of it, under its own names. */
  readonly alone: boolean
  /** Servers it draws from, in the order of the configuration. */
  readonly servers: readonly string[]
  compose(known: readonly Known[]): Composition
  /** What the server itself would call a thing that is not listed; `undefined`: it is none of that server's here. */
  ownName(server: string, kind: 'tools' | 'prompts', name: string): string | undefined
  /** The servers that a resource could be at which nobody lists, as far as the view shows it. */
  candidatesFor(uri: string): readonly string[]
}

export function aggregateView(
  servers: readonly UpstreamConfig[],
  config: Parameters<typeof naming>[0],
  title: string,
): View {
  const namesFor = naming(config, new Map(servers.map(({ id, prefix }) => [id, prefix])))
  const ids = servers.map(({ id }) => id)
  return {
    id: AGGREGATE,
    title,
    instructions: undefined,
    virtual: false,
    alone: false,
    servers: ids,
    candidatesFor: () => ids,
    ownName(server, _kind, name) {
      // Without a prefix nobody can say whose it is.
      const prefix = namesFor({ server, name: '' }).find((each) => each !== '' && name.startsWith(each))
      return prefix === undefined || prefix === name ? undefined : name.slice(prefix.length)
    },
    compose(known) {
      const all = (kind: ListKind): Candidate[] =>
        known.flatMap((each) =>
          entriesOf(each, kind).map((entry) => ({
            server: each.server,
            entry,
            wanted: namesFor({ server: each.server, name: String(entry['name']) }),
          })),
        )
      return compose(ofEach(all), known)
    },
  }
}

/** One server at its own address, its names as they are. */
export function ownView(server: UpstreamConfig): View {
  const { id, title = id } = server
  const names = { naming: 'none', separator: '' } as const
  return { ...aggregateView([server], names, title), id, ownName: (_server, _kind, name) => name }
}

/** For clients that do not speak the server's era. */
export const serverView = (server: UpstreamConfig): View => ({ ...ownView(server), alone: true })

/** A pick of a virtual server: what it covers, and what the thing is called here. */
interface Pick {
  readonly covers: (server: string, name: string) => boolean
  /** As it is written. */
  readonly source: string
  readonly name?: string | undefined
  readonly words?: Candidate['words']
}

export function virtualView(config: VirtualServerConfig, upstreams: readonly string[]): View {
  const { id, title = id, instructions } = config
  const tools = picksOf(config.tools, 'tool', `servers.${id}.tools`)
  const prompts = picksOf(config.prompts, 'prompt', `servers.${id}.prompts`)
  const resources = picksOf(config.resources, 'resource', `servers.${id}.resources`)
  const picks = { tools, prompts, resources, resourceTemplates: resources }
  const written = [...config.tools, ...config.prompts, ...config.resources].map(sourceOf)
  const servers = upstreams.filter((server) =>
    compileTargets(written, `servers.${id}`).some((one) => one.server.matches(server)),
  )
  return {
    id,
    title,
    instructions,
    virtual: true,
    alone: false,
    servers,
    ownName(server, kind, name) {
      // What has a name here has it in the place of its own.
      const named = picks[kind].find((pick) => pick.name === name)
      const own = named === undefined ? name : named.source.slice(named.source.indexOf('/') + 1)
      const pick = named ?? picks[kind].find((each) => each.name === undefined && each.covers(server, name))
      return pick?.covers(server, own) ? own : undefined
    },
    candidatesFor: (uri) => servers.filter((server) => resources.some(({ covers }) => covers(server, uri))),
    compose: (known) =>
      compose(
        ofEach((kind) => picked(known, kind, picks[kind])),
        known,
      ),
  }
}

const ofEach = (candidates: (kind: ListKind) => readonly Candidate[]) => ({
  tools: candidates('tools'),
  prompts: candidates('prompts'),
  resources: candidates('resources'),
  resourceTemplates: candidates('resourceTemplates'),
})

const entriesOf = ({ offer }: Known, kind: ListKind): readonly Entry[] => offer?.lists[kind].entries ?? []

/** Pick by pick; what two of them name is shown once, as the first one says. */
function picked(known: readonly Known[], kind: ListKind, picks: readonly Pick[]): readonly Candidate[] {
  const { key } = LIST_FORMS[kind]
  const taken = new Set<Entry>()
  return picks.flatMap(({ covers, name, words }) =>
    known.flatMap((each) =>
      entriesOf(each, kind).flatMap((entry): Candidate[] => {
        const own = String(entry[key])
        if (taken.has(entry)) return []
        // No pick names it: without it nobody learnt why the things that are picked are not there.
        if (isConnectTool(entry)) {
          taken.add(entry)
          return [{ server: each.server, entry, wanted: [own, `${each.server}_${own}`] }]
        }
        if (!covers(each.server, own)) return []
        taken.add(entry)
        return [{ server: each.server, entry, wanted: [name ?? own], ...(words !== undefined && { words }) }]
      }),
    ),
  )
}

type Written = VirtualServerConfig['tools'][number]

const sourceOf = (pick: Written): string => (typeof pick === 'string' ? pick : pick.from)

/** Those that name one thing come first: a pattern beside them does not take it under its old name. */
function picksOf(written: readonly Written[], kind: TargetKind, where: string): readonly Pick[] {
  const prefix = kind === 'tool' ? '' : `${kind}:`
  const ordered = [
    ...written.filter((pick) => typeof pick !== 'string'),
    ...written.filter((pick) => typeof pick === 'string'),
  ]
  return ordered.map((pick) => {
    const targets = compileTargets([prefix + sourceOf(pick)], where)
    const covers = (server: string, name: string) => isCovered(targets, { server, kind, name })
    const source = sourceOf(pick)
    if (typeof pick === 'string') return { covers, source }
    const { name, title, description } = pick
    return kind === 'resource'
      ? { covers, source, words: { name, title, description } }
      : { covers, source, name, words: { title, description } }
  })
}

/** As scopes and rules cover a call: a resource by what servers make of its URI. */
function isCovered(targets: readonly Target[], thing: { server: string; kind: TargetKind; name: string }): boolean {
  return coversCall(targets, { principal: ANONYMOUS, method: '', ...thing })
}
