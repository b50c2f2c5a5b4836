// What servers that list for each person apart have shown to whom: a definition is told of once, whoever is shown it when, and is open for
// those who are shown the approved one.
import type { ToolDefinition } from './tool-definition.ts'

export interface ShownApart {
  /** This definition of the tool was not met before, since the start. */
  isFirst(server: string, tool: string, digest: string): boolean
  keep(server: string, person: string, shown: readonly ToolDefinition[]): void
  /** Digests by tool; `undefined`: nothing was shown to this person, or long ago. */
  shown(server: string, person: string): ReadonlyMap<string, string> | undefined
}

/** Of one server. */
const MOST_PEOPLE = 5000
const MOST_MET = 10_000

export function createShownApart(): ShownApart {
  const met = new Map<string, Set<string>>()
  const people = new Map<string, Map<string, ReadonlyMap<string, string>>>()
  return {
    isFirst(server, tool, digest) {
      const known = met.get(server) ?? new Set<string>()
      met.set(server, known)
      const key = `${tool}\0${digest}`
      // A server that never shows the same twice is told of no more.
      if (known.has(key) || known.size >= MOST_MET) return false
      known.add(key)
      return true
    },
    keep(server, person, shown) {
      const known = people.get(server) ?? new Map<string, ReadonlyMap<string, string>>()
      people.set(server, known)
      known.delete(person)
      known.set(person, new Map(shown.map(({ name, digest }) => [name, digest])))
      // The longest unseen goes first, and is asked for again when they come back.
      const [oldest] = known.size > MOST_PEOPLE ? known.keys() : []
      if (oldest !== undefined) known.delete(oldest)
    },
    shown: (server, person) => people.get(server)?.get(person),
  }
}
