// What is remembered of a session at a child process: who listens, what for, and what is still running. The session itself is its sealed id.
import type { RpcId } from '../protocol/jsonrpc.ts'

export interface StdioSession {
  /** URIs that this session has subscribed to; the child knows only one subscriber, us. */
  readonly subscribed: Set<string>
  readonly running: Map<RpcId, AbortController>
  /** Ends the session's one GET stream. */
  endStream: (() => void) | undefined
}

export interface StdioSessions {
  find(server: string, id: string): StdioSession
  /** Some session of the server is subscribed. */
  isSubscribed(server: string, uri: string): boolean
  end(server: string, id: string): void
}

const MOST = 10_000

export function createStdioSessions(): StdioSessions {
  const servers = new Map<string, Map<string, StdioSession>>()
  const sessionsOf = (server: string): Map<string, StdioSession> => {
    const known = servers.get(server)
    if (known !== undefined) return known
    const sessions = new Map<string, StdioSession>()
    servers.set(server, sessions)
    return sessions
  }
  return {
    find(server, id) {
      const sessions = sessionsOf(server)
      const session = sessions.get(id) ?? { subscribed: new Set(), running: new Map(), endStream: undefined }
      // The longest unused goes first: it loses its subscriptions, nothing else.
      sessions.delete(id)
      sessions.set(id, session)
      if (sessions.size > MOST)
        for (const [oldest, { endStream }] of sessions)
          if (endStream === undefined) {
            sessions.delete(oldest)
            break
          }
      return session
    },
    isSubscribed(server, uri) {
      for (const { subscribed } of sessionsOf(server).values()) if (subscribed.has(uri)) return true
      return false
    },
    end(server, id) {
      const session = sessionsOf(server).get(id)
      if (session === undefined) return
      sessionsOf(server).delete(id)
      session.endStream?.()
      for (const controller of session.running.values()) controller.abort()
    },
  }
}
