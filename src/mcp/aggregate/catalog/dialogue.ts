// Talking to a server for ourselves, to learn what it offers: MCP 2026-07-28 first, the handshake of 2025-11-25 where that is not understood.
import { isRecord } from '../../../protocol/json.ts'
import type { RpcRequest, RpcResponse } from '../../../protocol/jsonrpc.ts'
import { MODERN_REVISION, RPC } from '../../../protocol/mcp.ts'
import { type ChannelUpstream, type RemoteUpstream, type Upstream, UpstreamError } from '../../../upstreams/upstream.ts'
import { failure } from '../../bridge/answer-events.ts'
import { askInSession, closeUpstreamSession, nextId, openUpstreamSession } from '../../bridge/handshake.ts'
import { type ClientHello, OUR_HELLO } from '../../bridge/hello.ts'
import { post } from '../../bridge/post.ts'
import { modernRequest } from '../../bridge/request.ts'
import type { UpstreamEras } from '../../bridge/upstream-era.ts'
import { FAULTS } from '../../fault.ts'

export type Result = Readonly<Record<string, unknown>>

export interface Dialogue {
  readonly era: 'modern' | 'legacy'
  /** What it said of itself: `server/discover` or the answer to `initialize`. */
  readonly introduction: Result
  /** Rejects with UpstreamError; `unknown_method` where the server does not have the method. */
  ask(method: string, params: Record<string, unknown>): Promise<Result>
  end(): void
}

/**
 * Servers keep from a client what it could not answer the questions of. A list is kept for all clients, so that it is that of the one
 * who can answer everything; whoever declares less hears at the call that the server does not have it for them. What is asked here is
 * refused.
 */
const ABLE_HELLO: ClientHello = {
  ...OUR_HELLO,
  capabilities: { roots: {}, sampling: { tools: {} }, elicitation: { form: {}, url: {} } },
}
const MODERN_HELLO: ClientHello = { ...ABLE_HELLO, revision: MODERN_REVISION }

/** No more of a list is kept, and so no more of it is read. */
const LARGEST_PAGE = 16 * 1024 * 1024

/** Rejects with UpstreamError. */
export async function openDialogue(
  upstream: Upstream,
  eraOf: UpstreamEras['eraOf'],
  signal: AbortSignal,
): Promise<Dialogue> {
  if (upstream.kind === 'channel') return openChannel(upstream, signal)
  const era = await eraOf(upstream, signal)
  const asked = { ...upstream, maxAnswer: Math.min(upstream.maxAnswer, LARGEST_PAGE) }
  const modern = era === 'modern' ? await openModern(asked, signal) : undefined
  return modern ?? shakeHands(asked, signal)
}

/** `undefined`: it was one of that revision, and is one no more. */
async function openModern(upstream: RemoteUpstream, signal: AbortSignal): Promise<Dialogue | undefined> {
  const ask = askModern(upstream, signal)
  const introduction = await ask('server/discover', {}).catch((error: unknown) => {
    if (error instanceof NotModern || isUnknownMethod(error)) return undefined
    throw error
  })
  return introduction && { era: 'modern', introduction, ask, end: () => undefined }
}

async function shakeHands(upstream: RemoteUpstream, signal: AbortSignal): Promise<Dialogue> {
  const session = await openUpstreamSession(upstream, ABLE_HELLO, signal)
  const { capabilities, instructions } = session
  return {
    era: 'legacy',
    introduction: { capabilities, instructions },
    ask: async (method, params) =>
      checkResult(await askInSession(upstream, session, { message: requestOf(method, params), signal })),
    end: () => closeUpstreamSession(upstream, session),
  }
}

const requestOf = (method: string, params: Record<string, unknown>): RpcRequest => ({
  jsonrpc: '2.0',
  id: nextId(),
  method,
  params,
})

async function openChannel(upstream: ChannelUpstream, signal: AbortSignal): Promise<Dialogue> {
  const { capabilities, instructions } = await upstream.initialize()
  return {
    era: 'legacy',
    introduction: { capabilities, instructions },
    ask: async (method, params) =>
      checkResult(await upstream.request(requestOf(method, params), { signal, onNotification: () => undefined })),
    end: () => undefined,
  }
}

/** The server does not take the request as it stands; it may still know the handshake. */
class NotModern extends Error {}

function askModern(upstream: RemoteUpstream, signal: AbortSignal): Dialogue['ask'] {
  return async (method, params) => {
    const given = { id: nextId(), hello: MODERN_HELLO, logLevel: undefined, definition: undefined }
    const { message, headers } = modernRequest(requestOf(method, params), given)
    const { status, response } = await post(upstream, { message, headers, signal })
    if (status === 200 && isRecord(response?.result)) return response.result
    if (response?.error?.code === RPC.methodNotFound) throw unknownMethod()
    if (isModernError(response)) throw failure(FAULTS.upstream_error)
    throw new NotModern()
  }
}

/** MCP 2026-07-28, Transports: what a server of that revision says is no reason to shake hands. */
function isModernError(response: RpcResponse | undefined): boolean {
  const code = response?.error?.code
  return code === RPC.headerMismatch || code === RPC.missingCapability || code === RPC.unsupportedVersion
}

function checkResult({ result, error }: RpcResponse): Result {
  if (isRecord(result)) return result
  throw error?.code === RPC.methodNotFound ? unknownMethod() : failure(FAULTS.upstream_error)
}

const unknownMethod = () => new UpstreamError('unknown_method', 'The server does not have the method.')
export const isUnknownMethod = (error: unknown): boolean =>
  error instanceof UpstreamError && error.reason === 'unknown_method'
