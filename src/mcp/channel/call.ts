// One request to a server at a channel: plain JSON, or a stream from its first progress on. MCP 2025-11-25, Transports.
import { RpcError } from '../../protocol/errors.ts'
import type { RpcRequest } from '../../protocol/jsonrpc.ts'
import { RPC } from '../../protocol/mcp.ts'
import type { Ask } from '../../upstreams/upstream.ts'
import { FAULTS } from '../fault.ts'
import type { Edit } from '../filter.ts'
import type { CallStream } from '../held/client-questions.ts'
import type { Ending } from '../relay.ts'
import { openReply, sendFailure, sendFault } from '../reply.ts'
import type { Streams } from '../streams.ts'
import type { Subscriptions } from '../subscriptions.ts'
import type { ChannelLimits, ChannelVisit } from './route.ts'
import type { ChannelSession } from './sessions.ts'

interface Call {
  readonly visit: ChannelVisit
  readonly message: RpcRequest
  readonly session: ChannelSession
  readonly edit: Edit | undefined
  readonly streams: Streams
  readonly subscriptions: Pick<Subscriptions, 'add'>
  /** Somebody to put the server's questions to, on the stream of this call. */
  askOn(stream: CallStream): Ask
  readonly limits: ChannelLimits
}

export async function answerCall(call: Call): Promise<Ending> {
  const { visit, message, session, streams, limits } = call
  const { exchange, upstream, principal } = visit
  if (session.running.has(message.id)) throw new RpcError(RPC.invalidRequest, 'id_in_use', 'This id is in use.')
  const controller = new AbortController()
  session.running.set(message.id, controller)
  // The call ends with the credential that made it.
  const openStream = () => streams.open(principal, exchange.address, () => controller.abort())
  const reply = openReply(exchange, { openStream, limits })
  const onRequest = call.askOn(reply)
  try {
    const { signal } = controller
    // It may have been opened anew since the session said so, as another.
    if (session.logLevel !== undefined) await upstream.wantLogs?.(session.logLevel)
    const response = await upstream.request(message, { signal, onNotification: reply.say, onRequest })
    const edited = call.edit === undefined ? response : call.edit(response)
    if (edited === undefined) return sendFault(exchange, message.id, FAULTS.protocol)
    if (response.error === undefined) noteSubscription(call)
    return reply.answer(edited)
  } catch (error) {
    return sendFailure(exchange, message.id, error)
  } finally {
    reply.end()
    session.running.delete(message.id)
  }
}

function noteSubscription({ visit, message: { method, params }, session, subscriptions }: Call): void {
  const uri = params?.['uri']
  if (method === 'resources/subscribe' && typeof uri === 'string') subscriptions.add(session.id, visit.upstream.id, uri)
}
