// `virtualServers` of Kuadrant's file: each a name and a list of tools, by the names they have at /mcp, made into servers of ours.
import { idOf } from './foreign-servers.ts'
import { type Input, isTree, type Tree } from './input.ts'
import { type Problem, placeOf } from './problems.ts'
import type { Path } from './settings.ts'

const KINDS = ['tools', 'prompts'] as const

/** Whose names begin with `prefix` at /mcp. */
interface Owner {
  readonly id: string
  readonly prefix: string
}

/** Rewrites the file in place; answers what cannot be read. */
export function translateViews(input: Input): Problem[] {
  const views = input.take('virtualServers')
  if (views === undefined) return []
  const problems: Problem[] = []
  const refuse = (path: Path, message: string): void => {
    problems.push({ place: placeOf(input.find(path)), setting: path.join('.'), message })
  }
  const servers = input.get(['servers'])
  if (!Array.isArray(views) || !Array.isArray(servers)) {
    refuse(['virtualServers'], 'Write a list of `{ name, tools }` beside the list `servers`.')
    return problems
  }
  const owners = servers.flatMap((server: unknown) => ownerOf(server, input))
  views.forEach((view: unknown, index) => {
    const path = ['virtualServers', index]
    if (isTree(view) && typeof view['name'] === 'string')
      servers.push(viewOf(view, view['name'], { path, owners, refuse }))
    else refuse(path, 'Write `{ name, tools }`.')
  })
  return problems
}

function ownerOf(server: unknown, input: Input): Owner[] {
  if (!isTree(server) || typeof server['id'] !== 'string') return []
  const { id, prefix } = server
  if (typeof prefix === 'string') return [{ id, prefix }]
  const separator = input.get(['aggregate', 'separator'])
  return [{ id, prefix: `${id}${typeof separator === 'string' ? separator : '__'}` }]
}

interface Around {
  readonly path: Path
  readonly owners: readonly Owner[]
  refuse(path: Path, message: string): void
}

/** A thing keeps the name that it has at /mcp: that is what the clients of this view know. */
function viewOf(view: Tree, name: string, { path, owners, refuse }: Around): Tree {
  const made: Tree = { id: idOf(name), ...view }
  for (const kind of KINDS) {
    const names = view[kind]
    if (!Array.isArray(names)) continue
    made[kind] = names.flatMap((shown: unknown, index) => {
      const owner = typeof shown === 'string' ? findOwner(shown, owners) : undefined
      if (owner !== undefined) return [{ from: `${owner.id}/${String(shown).slice(owner.prefix.length)}`, name: shown }]
      refuse([...path, kind, index], `${JSON.stringify(shown)} begins with the prefix of no server.`)
      return []
    })
  }
  return made
}

/** The longest prefix: `test1_` before `test`. */
function findOwner(shown: string, owners: readonly Owner[]): Owner | undefined {
  const fitting = owners.filter(({ prefix }) => shown.startsWith(prefix) && shown.length > prefix.length)
  return fitting.sort((one, other) => other.prefix.length - one.prefix.length)[0]
}
