// What is remembered of a client's session at a server at a channel: who listens to what, and what is still running. The session itself is its sealed id.
// MCP 2025-11-25, Transports: session management.
import type { RpcId } from '../../protocol/jsonrpc.ts'

export interface ChannelSession {
  readonly id: string
  readonly running: Map<RpcId, AbortController>
  /** From which level on it hears the log (`logging/setLevel`); `undefined`: not at all. */
  logLevel: string | undefined
  /** Ends the session's one GET stream. */
  endStream: (() => void) | undefined
}

export interface ChannelSessions {
  find(server: string, id: string): ChannelSession
  end(server: string, id: string): void
}

const MOST = 10_000

/** `onForget`: of a session that has ended, or was the longest unused of too many, nothing is known any more. */
export function createChannelSessions(onForget: (id: string) => void): ChannelSessions {
  const servers = new Map<string, Map<string, ChannelSession>>()
  const sessionsOf = (server: string): Map<string, ChannelSession> => {
    const known = servers.get(server)
    if (known !== undefined) return known
    const sessions = new Map<string, ChannelSession>()
    servers.set(server, sessions)
    return sessions
  }
  return {
    find(server, id) {
      const sessions = sessionsOf(server)
      const session = sessions.get(id) ?? { id, running: new Map(), logLevel: undefined, endStream: undefined }
      // The longest unused goes first: it loses its subscriptions and its log level, nothing else.
      sessions.delete(id)
      sessions.set(id, session)
      if (sessions.size > MOST)
        for (const [oldest, { endStream }] of sessions)
          if (endStream === undefined) {
            sessions.delete(oldest)
            onForget(oldest)
            break
          }
      return session
    },
    end(server, id) {
      const session = sessionsOf(server).get(id)
      if (session === undefined) return
      sessionsOf(server).delete(id)
      onForget(id)
      session.endStream?.()
      for (const controller of session.running.values()) controller.abort()
    },
  }
}
