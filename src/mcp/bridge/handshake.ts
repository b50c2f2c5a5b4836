// The handshake with a server, as its client: MCP 2025-11-25, Lifecycle; and the requests inside the session that it opens.
import { randomInt } from 'node:crypto'
import { isRecord } from '../../protocol/json.ts'
import { type RpcMessage, type RpcRequest, type RpcResponse, rpcError } from '../../protocol/jsonrpc.ts'
import { HEADER_PROTOCOL_VERSION, HEADER_SESSION, isLegacyRevision, LEGACY_RPC, RPC } from '../../protocol/mcp.ts'
import { createQuestions } from '../../upstreams/channel/questions.ts'
import { type Ask, type RemoteUpstream, UpstreamError } from '../../upstreams/upstream.ts'
import { FAULTS } from '../fault.ts'
import { failure, type Hearing } from './answer-events.ts'
import type { ClientHello } from './hello.ts'
import { type Posted, post } from './post.ts'

/** A session of ours at a server. */
export interface UpstreamSession {
  /** A secret of ours; `undefined` at a server that has no sessions. */
  readonly id: string | undefined
  /** As the server settled it. */
  readonly revision: string
  readonly capabilities: Readonly<Record<string, unknown>>
}

/** What a server says of itself. */
export interface Introduction extends UpstreamSession {
  readonly serverInfo: Readonly<Record<string, unknown>>
  readonly instructions: string | undefined
}

/** The server has never heard of the session, or has forgotten it: what was asked in it was not done. */
export class SessionLost extends UpstreamError {
  constructor() {
    super(FAULTS.session_lost.reason, FAULTS.session_lost.message)
  }
}

/** The server answers, and does not shake hands: it may be one of the other era. A server that fails has refused nothing. */
export class HandshakeRefused extends UpstreamError {
  constructor(why: string | undefined) {
    super(FAULTS.upstream_error.reason, FAULTS.upstream_error.message, { cause: why })
  }
}

const FAREWELL = 5000

// Not from 1: in a session that a client uses too, ours must not be its ids.
let last = randomInt(2 ** 47)

/** An id that no other request in any session has; it serves as a progress token as well. */
export function nextId(): number {
  last += 1
  return last
}

/** Rejects with UpstreamError: HandshakeRefused, or `protocol` where the server settles on a revision that is not spoken here. */
export async function openUpstreamSession(
  upstream: RemoteUpstream,
  hello: ClientHello,
  signal: AbortSignal,
): Promise<Introduction> {
  const { revision, capabilities, clientInfo } = hello
  const params = { protocolVersion: revision, capabilities, clientInfo }
  const message = { jsonrpc: '2.0' as const, id: nextId(), method: 'initialize', params }
  const opened = await post(upstream, { message, headers: {}, signal })
  const introduction = parseIntroduction(opened)
  await told(upstream, introduction, { jsonrpc: '2.0', method: 'notifications/initialized' }, signal)
  return introduction
}

function parseIntroduction({ status, response, session }: Posted): Introduction {
  const result = response?.result
  if (status >= 500 || status === 429) throw failure(FAULTS.upstream_error, response?.error?.message)
  if (!isRecord(result)) throw new HandshakeRefused(response?.error?.message)
  const { protocolVersion, capabilities, serverInfo, instructions } = result
  if (!isLegacyRevision(protocolVersion)) throw failure(FAULTS.protocol)
  return {
    id: session,
    revision: protocolVersion,
    capabilities: isRecord(capabilities) ? capabilities : {},
    serverInfo: isRecord(serverInfo) ? serverInfo : {},
    instructions: typeof instructions === 'string' ? instructions : undefined,
  }
}

/** Nobody waits for it: a server that does not end sessions ends them by itself one day. */
export function closeUpstreamSession(upstream: RemoteUpstream, session: UpstreamSession): void {
  if (session.id === undefined) return
  const headers = { ...headersOf(session), ...upstream.addedHeaders }
  upstream.pool
    .request({ path: upstream.path, method: 'DELETE', headers, signal: AbortSignal.timeout(FAREWELL) })
    .then(({ body }) => body.dump())
    .catch(() => undefined)
}

/**
 * One request in a session. Rejects with UpstreamError; SessionLost when the session is gone. The end of the signal, and of
 * patience, is told to the server: leaving alone cancels nothing in this era.
 */
export async function askInSession(
  upstream: RemoteUpstream,
  session: UpstreamSession,
  asking: {
    readonly message: RpcRequest
    readonly signal: AbortSignal
    readonly onNotification?: Hearing['onNotification']
    /** What the server asks in the middle of it. Absent: nobody is there to answer. */
    readonly ask?: Ask | undefined
  },
): Promise<RpcResponse> {
  const { message, signal, onNotification, ask } = asking
  const ended = new AbortController()
  const tell = (said: RpcMessage) => tellInSession(upstream, session, said)
  const questions = createQuestions({ pending: () => [{ ask, ended: ended.signal }], tell })
  try {
    const posted = await post(upstream, {
      message,
      headers: headersOf(session),
      signal,
      onNotification(notification) {
        if (notification.method === 'notifications/cancelled') questions.withdraw(notification.params?.['requestId'])
        onNotification?.(notification)
      },
      onRequest: questions.accept,
    })
    if (isLost(posted, session)) throw new SessionLost()
    return posted.response ?? wordlessRefusal(message)
  } catch (error) {
    if (error instanceof UpstreamError && (error.reason === 'cancelled' || error.reason === 'timeout')) {
      const params = { requestId: message.id, reason: error.message }
      tell({ jsonrpc: '2.0', method: 'notifications/cancelled', params })
    }
    throw error
  } finally {
    ended.abort()
  }
}

/** Rejects as `askInSession` does. */
async function told(
  upstream: RemoteUpstream,
  session: UpstreamSession,
  message: RpcMessage,
  signal: AbortSignal,
): Promise<void> {
  const posted = await post(upstream, { message, headers: headersOf(session), signal })
  if (isLost(posted, session)) throw new SessionLost()
}

/**
 * A notification, or the answer to a request of the server. Nobody waits for it: a server that is not there any more goes without it.
 */
export function tellInSession(upstream: RemoteUpstream, session: UpstreamSession, message: RpcMessage): void {
  told(upstream, session, message, AbortSignal.timeout(FAREWELL)).catch(() => undefined)
}

const headersOf = ({ id, revision }: UpstreamSession): Record<string, string> => ({
  [HEADER_PROTOCOL_VERSION]: revision,
  ...(id !== undefined && { [HEADER_SESSION]: id }),
})

/** MCP 2025-11-25, Transports: 404. Servers in the field say 400 with words about the session, or about a handshake that they missed. */
function isLost({ status, response }: Posted, { id }: UpstreamSession): boolean {
  return status === 404 ? id !== undefined : status === 400 && saysSessionLost(response?.error)
}

export function saysSessionLost(error: unknown): boolean {
  const { code, message } = isRecord(error) ? error : {}
  if (code !== RPC.legacyServerError && code !== LEGACY_RPC.sessionNotFound) return false
  return typeof message === 'string' && /session[ -]id|session not found|not initiali[sz]ed/i.test(message)
}

/** The server refused in other words than JSON-RPC's. */
export const wordlessRefusal = ({ id }: RpcRequest): RpcResponse =>
  rpcError(id, { code: RPC.legacyServerError, message: 'The server behind the gate refused the request.' })
