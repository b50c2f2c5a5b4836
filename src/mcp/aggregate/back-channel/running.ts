// Calls of the clients of an aggregate that are under way: what a cancellation may end, and whose progress may be told.
// MCP 2025-11-25, Utilities: cancellation and progress. An id means a call of one session, and nothing anywhere else.
import { RpcError } from '../../../protocol/errors.ts'
import { isRecord } from '../../../protocol/json.ts'
import type { RpcId, RpcRequest } from '../../../protocol/jsonrpc.ts'
import { RPC } from '../../../protocol/mcp.ts'

export interface RunningCall {
  readonly server: string
  /** Tells the server, in the way it wants to be told. */
  cancel(): void
}

export interface Running {
  /** Answers how to forget the call. Throws RpcError for an id that is in use. */
  begin(session: string, request: Pick<RpcRequest, 'id' | 'params'>, call: RunningCall): () => void
  /** `false`: this session has no such call here. */
  cancel(session: string, requestId: unknown): boolean
  isProgressOf(session: string, server: string, token: unknown): boolean
  /** The session has ended: so have its calls. */
  end(session: string): void
}

interface Known extends RunningCall {
  readonly token: unknown
}

export function createRunning(): Running {
  const sessions = new Map<string, Map<RpcId, Known>>()
  return {
    begin(session, { id, params }, { server, cancel }) {
      const calls = sessions.get(session) ?? new Map<RpcId, Known>()
      // MCP: an id is used once in a session. Two calls under one would get each other's answers.
      if (calls.has(id)) throw new RpcError(RPC.invalidRequest, 'id_in_use', 'This id is in use.')
      sessions.set(session, calls)
      const known = { server, cancel, token: progressToken(params) }
      calls.set(id, known)
      return () => {
        if (calls.get(id) !== known) return
        calls.delete(id)
        if (calls.size === 0 && sessions.get(session) === calls) sessions.delete(session)
      }
    },
    cancel(session, requestId) {
      if (typeof requestId !== 'string' && typeof requestId !== 'number') return false
      const call = sessions.get(session)?.get(requestId)
      call?.cancel()
      return call !== undefined
    },
    isProgressOf(session, server, token) {
      if (token === undefined) return false
      for (const call of sessions.get(session)?.values() ?? [])
        if (call.server === server && call.token === token) return true
      return false
    },
    end(session) {
      const calls = sessions.get(session)
      sessions.delete(session)
      for (const call of calls?.values() ?? []) call.cancel()
    },
  }
}

export function progressToken(params: RpcRequest['params']): unknown {
  const meta = params?.['_meta']
  return isRecord(meta) ? meta['progressToken'] : undefined
}
