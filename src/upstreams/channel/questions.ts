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

export function createQuestions(needs: {
  /** Calls under way, oldest first. */
  pending(): Iterable<Asked>
  tell(message: RpcMessage): void
}): {
  accept(question: RpcRequest): void
  /** The server takes its question back. */
  withdraw(id: unknown): void
} {
  const open = new Map<RpcId, AbortController>()
  const { tell } = needs

  function ask(question: RpcRequest): boolean {
    for (const call of needs.pending()) {
      const withdrawn = new AbortController()
      const answer = call.ask?.(question, AbortSignal.any([withdrawn.signal, call.ended]))
      if (answer === undefined) continue
      open.set(question.id, withdrawn)
      void answered(question, answer, { withdrawn: withdrawn.signal, ended: call.ended })
      return true
    }
    return false
  }

  async function answered(
    { id }: RpcRequest,
    answer: Promise<RpcResponse>,
    { withdrawn, ended }: { readonly withdrawn: AbortSignal; readonly ended: AbortSignal },
  ): Promise<void> {
    const none = () => rpcError(id, { code: RPC.internalError, message: 'The question was not answered.' })
    const over = Promise.withResolvers<RpcResponse>()
    const giveUp = () => over.resolve(none())
    for (const signal of [withdrawn, ended]) signal.addEventListener('abort', giveUp, { once: true })
    const response = await Promise.race([answer.catch(none), over.promise])
    ended.removeEventListener('abort', giveUp)
    open.delete(id)
    // MCP 2025-11-25, Cancellation: what was taken back has no answer.
    if (!withdrawn.aborted) tell({ ...response, id })
  }

  return {
    accept(question) {
      const { id, method } = question
      if (method === 'ping') return tell({ jsonrpc: '2.0', id, result: {} })
      const refuse = (code: number, message: string) => tell(rpcError(id, { code, message }))
      if (open.has(id) || open.size >= MOST)
        return refuse(RPC.invalidRequest, 'Too many questions, or one asked twice.')
      if (!ask(question)) refuse(RPC.methodNotFound, 'This client declared no such capability.')
    },
    withdraw(id) {
      if (typeof id === 'string' || typeof id === 'number') open.get(id)?.abort()
    },
  }
}
