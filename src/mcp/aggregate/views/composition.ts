// What one place shows of many servers: each thing under one name, and the way back from the name to the thing.

import { isNormalUri, spellingsOf } from '../../../policy/normal-uri.ts'
import { compileGlob } from '../../../protocol/glob.ts'
import { LIST_FORMS, LIST_KINDS, type ListKind } from '../../list-forms.ts'
import type { Entry } from '../catalog/offer.ts'
import type { Known } from '../catalog/slots.ts'
import { createRegister, type LeftOut } from './names.ts'

/** A thing that may be shown, and the names to try. URIs stay what they are. */
export interface Candidate {
  readonly server: string
  readonly entry: Entry
  readonly wanted: readonly string[]
  /** What is said of it here in place of the server's own words; `name` is that of a resource, which its URI tells from others. */
  readonly words?: Words
}

interface Words {
  readonly name?: string | undefined
  readonly title?: string | undefined
  readonly description?: string | undefined
}

/** A thing as it is shown. */
export interface Shown {
  readonly server: string
  /** Name, URI or URI template at its own server. */
  readonly own: string
  /** The same here. */
  readonly name: string
  readonly entry: Entry
  /** As its server wrote it. */
  readonly definition: Entry
}

export interface Composition {
  readonly lists: Readonly<Record<ListKind, readonly Shown[]>>
  readonly leftOut: readonly LeftOut[]
  find(kind: 'tools' | 'prompts', name: string): Shown | undefined
  /** The server that has a resource: who lists it, else whose template it fits. */
  ownerOf(uri: string): string | undefined
  /** The server says that it has resources, listed or not. */
  hasResources(server: string): boolean
}

export function compose(
  candidates: Readonly<Record<ListKind, readonly Candidate[]>>,
  known: readonly Known[],
): Composition {
  const leftOut: LeftOut[] = []
  const lists = {
    tools: give('tools', candidates.tools, leftOut),
    prompts: give('prompts', candidates.prompts, leftOut),
    resources: give('resources', candidates.resources, leftOut),
    resourceTemplates: give('resourceTemplates', candidates.resourceTemplates, leftOut),
  }
  const byName = new Map(LIST_KINDS.map((kind) => [kind, new Map(lists[kind].map((shown) => [shown.name, shown]))]))
  const withResources = new Set(
    known.flatMap(({ server, offer }) => (offer?.capabilities['resources'] === undefined ? [] : [server])),
  )
  const templates = lists.resourceTemplates.map(({ own, server }) => ({ fits: templateFit(own), server }))
  return {
    lists,
    leftOut,
    hasResources: (server) => withResources.has(server),
    find: (kind, name) => byName.get(kind)?.get(name),
    ownerOf: (uri) => byName.get('resources')?.get(uri)?.server ?? templates.find(({ fits }) => fits(uri))?.server,
  }
}

/**
 * RFC 6570: an expression may become nearly anything, so that it matches anything. Linear, whatever a server writes. No template becomes
 * a URI that means another one to its server: `docs/../secret` is none of `docs/{+path}`.
 */
function templateFit(template: string): (uri: string) => boolean {
  const glob = compileGlob(template.replace(/\{[^{}]*\}/g, '*'))
  return (uri) => glob.matches(uri) && isNormalUri(uri) && spellingsOf(uri).every((spelling) => glob.matches(spelling))
}

function give(kind: ListKind, candidates: readonly Candidate[], leftOut: LeftOut[]): readonly Shown[] {
  const register = createRegister()
  const uris = new Set<string>()
  const { key } = LIST_FORMS[kind]
  return candidates.flatMap(({ server, entry, wanted, words }): Shown[] => {
    const own = String(entry[key])
    if (key !== 'name') {
      // One URI is one thing to a client: the first server that lists it has it.
      if (uris.has(own)) leftOut.push({ server, name: own, reason: 'name_taken' })
      return uris.size === uris.add(own).size
        ? []
        : [{ server, own, name: own, entry: reworded(entry, words), definition: entry }]
    }
    const name = register.claim({ server, name: own }, wanted)
    if (typeof name === 'string')
      return [{ server, own, name, entry: reworded({ ...entry, name }, words), definition: entry }]
    leftOut.push(name)
    return []
  })
}

function reworded(entry: Entry, words: Words = {}): Entry {
  const said = Object.entries(words).filter(([, word]) => word !== undefined)
  return said.length === 0 ? entry : { ...entry, ...Object.fromEntries(said) }
}
