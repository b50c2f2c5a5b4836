// Which resources clients have asked to be told of, by who asked: a session of the handshake era, or one listening request of the modern
// one, at whichever address. A server at a channel, and one that is listened to for several, know only one subscriber: us.
// MCP 2025-11-25, Resources: subscriptions; MCP 2026-07-28, Subscriptions.

export interface Subscriptions {
  /** `false`: there are too many already. */
  add(holder: string, server: string, uri: string): boolean
  remove(holder: string, server: string, uri: string): void
  has(holder: string, server: string, uri: string): boolean
  of(holder: string, server: string): ReadonlySet<string>
  /** Somebody is subscribed. */
  isWanted(server: string, uri: string): boolean
  /** Forgets the holder; answers what it held. */
  end(holder: string): readonly (readonly [server: string, uri: string])[]
}

const MOST = 1000
/** Of all that one holder asked for, in characters: a server that is listened to is sent all of them again with each new one. */
const LONGEST = 256 * 1024
const MOST_HOLDERS = 10_000
const NONE: ReadonlySet<string> = new Set()

export function createSubscriptions(): Subscriptions {
  const holders = new Map<string, Map<string, Set<string>>>()
  const wanted = new Map<string, number>()
  const keyOf = (server: string, uri: string): string => `${server} ${uri}`
  const count = (server: string, uri: string, by: 1 | -1): void => {
    const left = (wanted.get(keyOf(server, uri)) ?? 0) + by
    if (left > 0) wanted.set(keyOf(server, uri), left)
    else wanted.delete(keyOf(server, uri))
  }
  const end: Subscriptions['end'] = (holder) => {
    const held = [...(holders.get(holder) ?? [])].flatMap(([server, uris]) =>
      [...uris].map((uri) => [server, uri] as const),
    )
    holders.delete(holder)
    for (const [server, uri] of held) count(server, uri, -1)
    return held
  }
  return {
    add(holder, server, uri) {
      const servers = holders.get(holder) ?? new Map<string, Set<string>>()
      const uris = servers.get(server) ?? new Set<string>()
      if (uris.has(uri)) return true
      const held = [...servers.values()].flatMap((each) => [...each])
      if (held.length >= MOST || held.reduce((sum, { length }) => sum + length, uri.length) > LONGEST) return false
      // Who left without a word is forgotten when there are too many; the oldest first.
      if (!holders.has(holder) && holders.size >= MOST_HOLDERS) {
        const [oldest] = holders.keys()
        if (oldest !== undefined) end(oldest)
      }
      holders.set(holder, servers)
      servers.set(server, uris.add(uri))
      count(server, uri, 1)
      return true
    },
    remove(holder, server, uri) {
      const servers = holders.get(holder)
      const uris = servers?.get(server)
      if (servers === undefined || uris?.delete(uri) !== true) return
      count(server, uri, -1)
      if (uris.size === 0) servers.delete(server)
      if (servers.size === 0) holders.delete(holder)
    },
    has: (holder, server, uri) => holders.get(holder)?.get(server)?.has(uri) === true,
    of: (holder, server) => holders.get(holder)?.get(server) ?? NONE,
    isWanted: (server, uri) => wanted.has(keyOf(server, uri)),
    end,
  }
}
