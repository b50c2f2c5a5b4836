// Streamable HTTP of the handshake era in front of a server at a channel (a child process, HTTP+SSE, a WebSocket), which knows one client
// alone: us. MCP 2025-11-25, Transports.
import { randomUUID } from 'node:crypto'
import type { Exchange } from '../../http/exchange.ts'
import { RpcError } from '../../protocol/errors.ts'
import { isRecord } from '../../protocol/json.ts'
import type { RpcRequest } from '../../protocol/jsonrpc.ts'
import { isLogLevel } from '../../protocol/log-level.ts'
import { isLegacyRevision, LEGACY_REVISIONS, RPC } from '../../protocol/mcp.ts'
import { countedAs, type Principal } from '../../protocol/principal.ts'
import type { ChannelUpstream } from '../../upstreams/upstream.ts'
import { sendRpc } from '../answer.ts'
import type { Edit } from '../filter.ts'
import type { McpHead } from '../headers.ts'
import { askable } from '../held/askable.ts'
import type { CallStream, ClientQuestions } from '../held/client-questions.ts'
import { refusedQuestion } from '../held/refused-question.ts'
import type { Incoming } from '../message.ts'
import type { Ending } from '../relay.ts'
import { sendFailure } from '../reply.ts'
import { checkLegacySpoken } from '../revision.ts'
import { type SessionPlace, type Sessions, sessionNotFound } from '../session.ts'
import type { StreamLimits, Streams } from '../streams.ts'
import type { Subscriptions } from '../subscriptions.ts'
import { answerCall } from './call.ts'
import { openListening } from './listening.ts'
import { type ChannelSession, createChannelSessions } from './sessions.ts'

export interface ChannelVisit {
  readonly exchange: Exchange
  readonly upstream: ChannelUpstream
  readonly principal: Principal
  readonly head: McpHead
}

export type ChannelLimits = Pick<StreamLimits, 'streamBuffer' | 'streamKeepAlive'>

interface ChannelNeeds {
  /** This replica and boot: a session of another one is not here. */
  readonly self: string
  readonly sessions: Sessions
  readonly streams: Streams
  readonly asking: Pick<ClientQuestions, 'askOn' | 'answer'>
  /** Those of all addresses that lead to such a server. */
  readonly subscriptions: Subscriptions
  readonly limits: ChannelLimits
}

export interface ChannelRoute {
  post(visit: ChannelVisit, incoming: Incoming, edit: Edit | undefined): Promise<Ending>
  listen(visit: ChannelVisit, mayHear: (uri: string) => boolean): Promise<Ending>
  end(visit: ChannelVisit): Promise<Ending>
}

const ANSWERED: Ending = { status: 200, outcome: 'answered', fault: undefined }

export function createChannelRoute(needs: ChannelNeeds): ChannelRoute {
  const { sessions, self, streams, subscriptions, asking, limits } = needs
  const known = createChannelSessions((id) => void subscriptions.end(id))

  async function openSession({ head, principal, upstream }: ChannelVisit) {
    if (head.session === undefined)
      throw new RpcError(RPC.legacyServerError, 'session_missing', 'Bad Request: Mcp-Session-Id is missing')
    checkLegacySpoken(head)
    const opened = await sessions.open(placeOf(principal, upstream), head.session)
    if (opened.owner !== self) throw sessionNotFound()
    return { id: head.session, opened, session: known.find(upstream.id, opened.upstream) }
  }

  return {
    async post(visit, incoming, edit) {
      if (incoming.method === 'initialize' && incoming.kind === 'request')
        return answerInitialize(visit, incoming, needs).catch((error: unknown) =>
          sendFailure(visit.exchange, incoming.id, error),
        )
      const { session, opened, id: sealedId } = await openSession(visit)
      const { principal, exchange } = visit
      const whose = countedAs(principal, exchange.address)
      const client = { subject: principal.subject, session: sealedId, whose }
      if (incoming.kind === 'response') asking.answer(client, incoming.message)
      if (incoming.kind !== 'request') return accept(visit, incoming, session)
      if (incoming.method === 'ping') return answer(visit, { jsonrpc: '2.0', id: incoming.id, result: {} })
      const { id, message } = incoming
      if (incoming.method === 'logging/setLevel') return setLogLevel(visit, message, session)
      const uri = message.params?.['uri']
      if (incoming.method === 'resources/unsubscribe' && typeof uri === 'string') {
        subscriptions.remove(session.id, visit.upstream.id, uri)
        // It knows one subscriber; the others still want to hear.
        if (subscriptions.isWanted(visit.upstream.id, uri)) return answer(visit, { jsonrpc: '2.0', id, result: {} })
      }
      const declared = opened.askable ?? {}
      const mayAsk = ({ method, params }: RpcRequest) => refusedQuestion(method, params, declared) === undefined
      const askOn = (stream: CallStream) => asking.askOn(client, stream, mayAsk)
      return answerCall({ visit, message, session, edit, streams, subscriptions, askOn, limits })
    },
    async listen(visit, mayHear) {
      const place = streams.reserve(visit.principal, visit.exchange.address, visit.exchange.carried)
      try {
        const { session } = await openSession(visit)
        const hears = (uri: string) => subscriptions.has(session.id, visit.upstream.id, uri) && mayHear(uri)
        return await openListening({ visit, session, mayHear: hears, place, limits })
      } finally {
        place.release()
      }
    },
    async end(visit) {
      const { id, opened } = await openSession(visit)
      await sessions.end(id, opened)
      known.end(visit.upstream.id, opened.upstream)
      visit.exchange.res.writeHead(200, ['content-length', '0']).end()
      return ANSWERED
    },
  }
}

const placeOf = ({ subject }: Principal, { id }: ChannelUpstream): SessionPlace => ({ subject, server: id })
const methodNotFound = () => new RpcError(RPC.methodNotFound, 'not_offered', 'Method not found', { status: 200 })

function answer({ exchange }: ChannelVisit, message: Parameters<typeof sendRpc>[2]): Ending {
  sendRpc(exchange.res, 200, message)
  return ANSWERED
}

/** One log level for everybody: where callers share the channel, nobody may set it for the others (the capability is not offered). */
async function setLogLevel(visit: ChannelVisit, { id, params }: RpcRequest, session: ChannelSession): Promise<Ending> {
  const { exchange, upstream } = visit
  if (upstream.wantLogs === undefined) throw methodNotFound()
  const level = params?.['level']
  if (!isLogLevel(level)) throw new RpcError(RPC.invalidParams, 'bad_params', 'Invalid params: level', { status: 200 })
  try {
    const { capabilities } = await upstream.initialize()
    if (capabilities['logging'] === undefined) throw methodNotFound()
    session.logLevel = level
    await upstream.wantLogs(level)
  } catch (error) {
    return sendFailure(exchange, id, error)
  }
  return answer(visit, { jsonrpc: '2.0', id, result: {} })
}

/** It was initialized once, by us; what it said then is what every client is told. Rejects with UpstreamError. */
async function answerInitialize(
  visit: ChannelVisit,
  { id, message }: Incoming & { kind: 'request' },
  { sessions, self }: ChannelNeeds,
): Promise<Ending> {
  const { exchange, upstream, principal } = visit
  const { protocolVersion, capabilities, serverInfo, instructions } = await upstream.initialize()
  const asked = message.params?.['protocolVersion']
  const revision = isLegacyRevision(asked) ? asked : settled(protocolVersion)
  const { logging, tasks: _, ...rest } = capabilities
  const offered = upstream.wantLogs === undefined || logging === undefined ? rest : { ...rest, logging }
  const result = { protocolVersion: revision, capabilities: offered, serverInfo }
  const declared = message.params?.['capabilities']
  const able = askable(isRecord(declared) ? declared : {})
  const opened = { upstream: randomUUID(), revision, owner: self, askable: able }
  const sealed = sessions.seal(placeOf(principal, upstream), opened)
  sendRpc(
    exchange.res,
    200,
    { jsonrpc: '2.0', id, result: instructions === undefined ? result : { ...result, instructions } },
    ['mcp-session-id', sealed],
  )
  return ANSWERED
}

const settled = (version: string): string => (isLegacyRevision(version) ? version : LEGACY_REVISIONS[0])

/** Notifications and responses: 202 without a body. */
function accept({ exchange, upstream }: ChannelVisit, incoming: Incoming, session: ChannelSession): Ending {
  if (incoming.kind === 'notification') {
    const requestId = incoming.message.params?.['requestId']
    // Only what this session runs: another's id is another's call.
    if (incoming.method === 'notifications/cancelled') {
      if (typeof requestId === 'string' || typeof requestId === 'number') session.running.get(requestId)?.abort()
    } else upstream.notify(incoming.message)
  }
  exchange.res.writeHead(202, ['content-length', '0']).end()
  return { ...ANSWERED, status: 202 }
}
