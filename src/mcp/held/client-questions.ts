// Questions that a handshake client is asked by the gate on a server's behalf, on the stream of the call that caused them: its answers
// come as messages of their own, to whichever replica. MCP 2025-11-25, Base protocol: responses; Transports: server messages on a POST.
import { randomBytes } from 'node:crypto'
import type { Clock } from '../../protocol/clock.ts'
import type { RpcRequest, RpcResponse } from '../../protocol/jsonrpc.ts'
import { rpcError } from '../../protocol/jsonrpc.ts'
import { RPC } from '../../protocol/mcp.ts'
import type { SealKey } from '../../tokens/seal.ts'
import { sealedNotes } from '../../tokens/sealed-note.ts'
import type { Ask } from '../../upstreams/upstream.ts'

/** Who is asked: a person's session. */
export interface AskedClient {
  readonly subject: string
  readonly session: string
}

/** Among whose questions it counts. */
export interface CountedClient extends AskedClient {
  readonly whose: string
}

/** The stream of the call. */
export interface CallStream {
  isOpen(): boolean
  say(message: object): void
}

export interface ClientQuestions {
  /** Asks on that stream; a question that may not be put, or finds the stream closed, is not asked. */
  askOn(client: CountedClient, stream: CallStream, mayAsk: (question: RpcRequest) => boolean): Ask
  /** `false`: it answers nothing that waits here for this client. */
  answer(client: AskedClient, response: RpcResponse): boolean
  /** The process whose question the id is of; `undefined` for any other id. */
  ownerOf(client: AskedClient, id: unknown): string | undefined
}

/** A client that shows nothing to anybody does not answer at all. */
const PATIENCE = 5 * 60_000
const MOST = 1000
/** As many as one server may have open on one connection: nobody takes the place of all others. */
const MOST_OF_ONE = 64

interface Open {
  readonly whose: string
  settle(response: RpcResponse): void
}

interface Needs {
  sealKeys(): readonly SealKey[]
  /** This replica and boot. */
  readonly self: string
  readonly clock: Clock
}

export function createClientQuestions({ sealKeys, self, clock }: Needs): ClientQuestions {
  const ids = sealedNotes({ sealKeys, clock, life: PATIENCE })
  const open = new Map<string, Open>()

  function hasRoom(whose: string): boolean {
    if (open.size >= MOST) return false
    let own = 0
    for (const one of open.values()) if (one.whose === whose) own += 1
    return own < MOST_OF_ONE
  }

  function put(client: CountedClient, stream: CallStream, { id, method, params }: RpcRequest, until: AbortSignal) {
    const key = randomBytes(16).toString('base64url')
    const ours = ids.seal(bindingOf(client), { o: self, q: key })
    const { promise, resolve } = Promise.withResolvers<RpcResponse>()
    const settle = (response: RpcResponse): void => {
      clearTimeout(late)
      until.removeEventListener('abort', takeBack)
      open.delete(key)
      resolve({ ...response, id })
    }
    const giveUp = (message: string): void => {
      settle(rpcError(id, { code: RPC.internalError, message }))
      // MCP 2025-11-25, Cancellation: so that nobody is asked what no one waits for.
      const params = { requestId: ours, reason: message }
      if (stream.isOpen()) stream.say({ jsonrpc: '2.0', method: 'notifications/cancelled', params })
    }
    const takeBack = () => giveUp('The question was taken back.')
    const late = setTimeout(() => giveUp('The client did not answer in time.'), PATIENCE).unref()
    until.addEventListener('abort', takeBack)
    open.set(key, { whose: client.whose, settle })
    stream.say({ jsonrpc: '2.0', id: ours, method, ...(params !== undefined && { params }) })
    return promise
  }

  const find = (client: AskedClient, id: unknown) =>
    typeof id === 'string' ? ids.open(bindingOf(client), id)?.said : undefined

  return {
    askOn: (client, stream, mayAsk) => (question, until) =>
      !until.aborted && stream.isOpen() && mayAsk(question) && hasRoom(client.whose)
        ? put(client, stream, question, until)
        : undefined,
    answer(client, response) {
      const key = find(client, response.id)?.['q']
      const asked = typeof key === 'string' ? open.get(key) : undefined
      asked?.settle(response)
      return asked !== undefined
    },
    ownerOf(client, id) {
      const owner = find(client, id)?.['o']
      return typeof owner === 'string' ? owner : undefined
    },
  }
}

const bindingOf = ({ subject, session }: AskedClient): string => `mcp-asked\0${subject}\0${session}`
