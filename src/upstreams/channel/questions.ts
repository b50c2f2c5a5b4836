// What a server asks of us in the middle of a call (MCP 2025-11-25: sampling, elicitation, roots): the caller of a call under way answers.
import type { RpcId, RpcMessage, RpcRequest, RpcResponse } from '../../protocol/jsonrpc.ts'
import { rpcError } from '../../protocol/jsonrpc.ts'
import { RPC } from '../../protocol/mcp.ts'
import type { Ask } from '../upstream.ts'

/** Open at once on one channel; each holds a message of the server until somebody answers. */
const MOST = 64

interface Asked {
  readonly ask: Ask | undefined
  /** Ends with the call. */
  readonly ended: AbortSignal
}

interface Needs {
  /** Calls under way, oldest first. */
  pending(): Iterable<Asked>
  tell(message: RpcMessage): void
}

export interface Questions {
  accept(question: RpcRequest): void
  /** The server takes its question back. */
  withdraw(id: unknown): void
}

export function createQuestions({ pending, tell }: Needs): Questions {
  const open = new Map<RpcId, AbortController>()

  /** `undefined`: nobody can answer. A question says nothing of the call that it belongs to; the oldest is the likeliest. */
  function put(question: RpcRequest, withdrawn: AbortSignal) {
    for (const { ask, ended } of pending()) {
      const answer = ask?.(question, AbortSignal.any([withdrawn, ended]))
      if (answer !== undefined) return { answer, ended }
    }
    return undefined
  }

  async function answerFor(question: RpcRequest, withdrawn: AbortSignal): Promise<RpcResponse> {
    const { id } = question
    for (let asked = put(question, withdrawn); asked !== undefined; asked = put(question, withdrawn)) {
      const { answer, ended } = asked
      const response = await unlessOver(answer, [withdrawn, ended])
      // A call that is over while its question is not had another call's: whoever else waits is asked.
      const isAnothers = ended.aborted && response?.result === undefined
      if (withdrawn.aborted || !isAnothers) return response ?? unanswered(id)
    }
    return rpcError(id, { code: RPC.methodNotFound, message: 'This client declared no such capability.' })
  }

  async function settle(question: RpcRequest): Promise<void> {
    const { id } = question
    const withdrawn = new AbortController()
    open.set(id, withdrawn)
    const response = await answerFor(question, withdrawn.signal)
    open.delete(id)
    // MCP 2025-11-25, Cancellation: what was taken back has no answer.
    if (!withdrawn.signal.aborted) tell({ ...response, id })
  }

  return {
    accept(question) {
      const { id, method } = question
      if (method === 'ping') return tell({ jsonrpc: '2.0', id, result: {} })
      const message = 'Too many questions, or one asked twice.'
      if (open.has(id) || open.size >= MOST) return tell(rpcError(id, { code: RPC.invalidRequest, message }))
      return void settle(question)
    },
    withdraw(id) {
      if (typeof id === 'string' || typeof id === 'number') open.get(id)?.abort()
    },
  }
}

const unanswered = (id: RpcId): RpcResponse =>
  rpcError(id, { code: RPC.internalError, message: 'The question was not answered.' })

/** `undefined`: no answer, or one of the signals came first. */
async function unlessOver(
  answer: Promise<RpcResponse>,
  signals: readonly AbortSignal[],
): Promise<RpcResponse | undefined> {
  const over = Promise.withResolvers<undefined>()
  const giveUp = () => over.resolve(undefined)
  for (const signal of signals) signal.addEventListener('abort', giveUp, { once: true })
  try {
    return await Promise.race([answer.catch(() => undefined), over.promise])
  } finally {
    for (const signal of signals) signal.removeEventListener('abort', giveUp)
  }
}
