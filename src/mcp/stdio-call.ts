// One request to a child process: plain JSON, or a stream from its first progress on. MCP 2025-11-25, Transports.
import { RpcError } from '../protocol/errors.ts'
import type { RpcId, RpcRequest } from '../protocol/jsonrpc.ts'
import { RPC } from '../protocol/mcp.ts'
import { UpstreamError } from '../upstreams/upstream.ts'
import { sendRpc } from './answer.ts'
import { writeEvent } from './events.ts'
import { FAULTS, type Fault, faultMessage } from './fault.ts'
import type { Edit } from './filter.ts'
import type { Ending } from './relay.ts'
import type { StdioVisit } from './stdio.ts'
import type { StdioSession } from './stdio-sessions.ts'
import { EVENT_STREAM } from './stdio-stream.ts'
import type { Streams } from './streams.ts'
import type { Subscriptions } from './subscriptions.ts'

const faults: Readonly<Record<string, Fault>> = FAULTS

interface Call {
  readonly visit: StdioVisit
  readonly message: RpcRequest
  readonly session: StdioSession
  readonly edit: Edit | undefined
  readonly streams: Streams
  readonly subscriptions: Pick<Subscriptions, 'add'>
  readonly streamBuffer: number
}

export async function answerCall(call: Call): Promise<Ending> {
  const { visit, message, session } = call
  const { res } = visit.exchange
  if (session.running.has(message.id)) throw new RpcError(RPC.invalidRequest, 'id_in_use', 'This id is in use.')
  const controller = new AbortController()
  session.running.set(message.id, controller)
  let closeStream: (() => void) | undefined
  try {
    const response = await visit.upstream.request(message, {
      signal: controller.signal,
      onNotification(notification) {
        if (res.destroyed) return
        closeStream ??= openCallStream(call, controller)
        res.write(writeEvent(notification))
        // A reader that does not read loses its stream; the call itself goes on (leaving is not cancelling).
        if (res.writableLength > call.streamBuffer) res.destroy()
      },
    })
    const edited = call.edit === undefined ? response : call.edit(response)
    if (edited === undefined) return sendFault(visit, message.id, FAULTS.protocol)
    if (response.error === undefined) noteSubscription(call)
    if (res.destroyed) return { status: undefined, outcome: 'cancelled', fault: undefined }
    if (res.headersSent) res.end(writeEvent(edited))
    else sendRpc(res, 200, edited)
    return { status: 200, outcome: 'answered', fault: undefined }
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error
    return sendFault(visit, message.id, faultOfUpstream(error))
  } finally {
    closeStream?.()
    session.running.delete(message.id)
  }
}

function openCallStream({ visit, streams }: Call, controller: AbortController): () => void {
  visit.exchange.res.writeHead(200, [...EVENT_STREAM])
  // The call ends with the credential that made it.
  return streams.open(visit.principal, () => controller.abort())
}

function noteSubscription({ visit, message: { method, params }, session, subscriptions }: Call): void {
  const uri = params?.['uri']
  if (method === 'resources/subscribe' && typeof uri === 'string') subscriptions.add(session.id, visit.upstream.id, uri)
}

export const faultOfUpstream = ({ reason }: UpstreamError): Fault => faults[reason] ?? FAULTS.reset

export function sendFault({ exchange }: StdioVisit, id: RpcId, fault: Fault): Ending {
  const { res } = exchange
  const body = faultMessage(fault, id, exchange.id)
  if (!res.headersSent) sendRpc(res, fault.status, body)
  else if (!res.destroyed) res.end(writeEvent(body))
  const outcome = fault.reason === 'cancelled' ? 'cancelled' : 'upstream_error'
  return { status: res.statusCode, outcome, fault: fault.reason }
}
