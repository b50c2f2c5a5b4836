// One call that goes on at its server while its client is away, answering what the server asks in the middle of it: the states of it.
// MCP 2026-07-28, Multi round-trip requests.
import type { Clock } from '../../protocol/clock.ts'
import type { RpcId, RpcNotification, RpcRequest, RpcResponse } from '../../protocol/jsonrpc.ts'
import { rpcError } from '../../protocol/jsonrpc.ts'
import { RPC } from '../../protocol/mcp.ts'
import type { Ask } from '../../upstreams/upstream.ts'

export interface Question {
  readonly method: string
  readonly params?: Record<string, unknown>
}

/** How the client's request ends: with the server's answer, or with what the server asks, by our names for it. */
export type Turn =
  | { readonly kind: 'answered'; readonly response: RpcResponse }
  /** `since`: when the first of them was put to the client; that it is asked again is no new time. */
  | { readonly kind: 'asked'; readonly questions: ReadonlyMap<string, Question>; readonly since: number }

/** The client's request that waits at the moment. */
export interface Waiting {
  /** The client has gone away: MCP 2026-07-28: that cancels the call. */
  readonly signal: AbortSignal
  onNotification(notification: RpcNotification): void
}

/** What the call is made with. */
export interface CallParts {
  readonly signal: AbortSignal
  readonly ask: Ask
  onNotification(notification: RpcNotification): void
}

export type MakeCall = (parts: CallParts) => Promise<RpcResponse>

export interface HeldCall {
  /** Resolves when the call has ended, or asks; rejects as the call does. One at a time. */
  turn(waiting: Waiting): Promise<Turn>
  /** Hands the client's results to those who asked. What is no answer to an open question is nobody's. */
  answer(results: Readonly<Record<string, unknown>>): void
  /** Ends the call at its server. */
  cancel(): void
}

interface Open {
  readonly id: RpcId
  readonly question: Question
  /** `undefined`: not yet. */
  shownAt: number | undefined
  resolve(response: RpcResponse): void
}

type Outcome = { readonly response: RpcResponse } | { readonly error: unknown }

export function holdCall(
  make: MakeCall,
  needs: {
    /** May it be put to the client? Asked once for each question. */
    mayAsk(question: RpcRequest): boolean
    readonly clock: Clock
  },
): HeldCall {
  const over = new AbortController()
  const open = new Map<string, Open>()
  let asked = 0
  let outcome: Outcome | undefined
  let waiting: (Waiting & { settle(): void }) | undefined

  /** Nothing happens to a call that nobody waits for: the next one to wait finds how it stands. */
  const look = (): void => {
    if (outcome !== undefined || open.size > 0) waiting?.settle()
  }

  const ask: Ask = (request, until) => {
    if (outcome !== undefined || over.signal.aborted || !needs.mayAsk(request)) return undefined
    asked += 1
    const key = `q${asked}`
    const { promise, resolve } = Promise.withResolvers<RpcResponse>()
    open.set(key, { id: request.id, question: questionOf(request), shownAt: undefined, resolve })
    until.addEventListener('abort', () => {
      // Taken back, or the call has ended: an answer that comes yet is nobody's.
      if (open.delete(key)) resolve(rpcError(request.id, WITHDRAWN))
    })
    // What a server asks in one breath is put to the client in one.
    setImmediate(look)
    return promise
  }

  const settled = (found: Outcome): void => {
    outcome = found
    look()
  }
  // In a turn of its own, so that the first to wait is there.
  queueMicrotask(() => {
    make({ signal: over.signal, ask, onNotification: (said) => waiting?.onNotification(said) }).then(
      (response) => settled({ response }),
      (error: unknown) => settled({ error }),
    )
  })

  return {
    turn({ signal, onNotification }) {
      const { promise, resolve, reject } = Promise.withResolvers<Turn>()
      const cancel = () => over.abort()
      const settle = (): void => {
        signal.removeEventListener('abort', cancel)
        waiting = undefined
        if (outcome === undefined) resolve(askedNow(open, needs.clock()))
        else if ('error' in outcome) reject(outcome.error)
        else resolve({ kind: 'answered', response: outcome.response })
      }
      waiting = { signal, onNotification, settle }
      if (signal.aborted) cancel()
      else signal.addEventListener('abort', cancel)
      // Not before those who were answered just now could ask again, or come to an end.
      if (outcome !== undefined || open.size > 0) setImmediate(look)
      return promise
    },
    answer(results) {
      for (const [key, { id, resolve }] of open) {
        if (!Object.hasOwn(results, key)) continue
        open.delete(key)
        resolve({ jsonrpc: '2.0', id, result: results[key] })
      }
    },
    cancel: () => over.abort(),
  }
}

const WITHDRAWN = { code: RPC.internalError, message: 'The question was taken back.' }

/** Its `_meta` is between the server and us: a token for progress, of which nothing is told here. */
function questionOf({ method, params }: RpcRequest): Question {
  if (params === undefined) return { method }
  const { _meta: _, ...rest } = params
  return { method, params: rest }
}

function askedNow(open: ReadonlyMap<string, Open>, now: number): Turn {
  for (const one of open.values()) one.shownAt ??= now
  const since = Math.min(...[...open.values()].map(({ shownAt = now }) => shownAt))
  return { kind: 'asked', questions: new Map([...open].map(([key, { question }]) => [key, question])), since }
}
