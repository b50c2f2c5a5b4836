// Talking to a server ourselves, to learn what it offers: MCP 2026-07-28 first, the handshake of 2025-11-25 where that is not understood.
import type { Dispatcher } from 'undici'
import { isRecord } from '../protocol/json.ts'
import type { RpcId } from '../protocol/jsonrpc.ts'
import {
  HEADER_METHOD,
  HEADER_PROTOCOL_VERSION,
  HEADER_SESSION,
  LEGACY_REVISIONS,
  META_CLIENT_CAPABILITIES,
  META_PROTOCOL_VERSION,
  MODERN_REVISION,
  RPC,
} from '../protocol/mcp.ts'
import { type RemoteUpstream, type StdioUpstream, type Upstream, UpstreamError } from '../upstreams/upstream.ts'
import { readJson } from './answer.ts'
import { readEvent, splitEvents } from './events.ts'
import { FAULTS, type Fault, faultOfError, faultOfHead } from './fault.ts'
import { mediaType } from './headers.ts'

const CLIENT = { name: 'portcullis', version: '1' }

export type Result = Readonly<Record<string, unknown>>

export interface Dialogue {
  readonly era: 'modern' | 'legacy'
  /** What it said of itself: `server/discover` or the answer to `initialize`. */
  readonly introduction: Result
  /** Rejects with UpstreamError; `unknown_method` where the server does not have the method. */
  ask(method: string, params: Record<string, unknown>): Promise<Result>
  end(): void
}

/** Rejects with UpstreamError. */
export async function openDialogue(upstream: Upstream, signal: AbortSignal): Promise<Dialogue> {
  if (upstream.kind === 'stdio') return openChild(upstream, signal)
  const ask = askModern(upstream, signal)
  const introduction = await ask('server/discover', {}).catch((error: unknown) => {
    if (error instanceof NotModern || isUnknownMethod(error)) return undefined
    throw error
  })
  if (introduction === undefined) return shakeHands(upstream, signal)
  return { era: 'modern', introduction, ask, end: () => undefined }
}

async function openChild(upstream: StdioUpstream, signal: AbortSignal): Promise<Dialogue> {
  const { capabilities, serverInfo, instructions } = await upstream.initialize()
  return {
    era: 'legacy',
    introduction: { capabilities, serverInfo, instructions },
    async ask(method, params) {
      const request = { jsonrpc: '2.0' as const, id: 1, method, params }
      const { result, error } = await upstream.request(request, { signal, onNotification: () => undefined })
      return checkResult(error === undefined ? { result } : { error })
    },
    end: () => undefined,
  }
}

/** The server does not take the request as it stands; it may still know the handshake. */
class NotModern extends Error {}

function askModern(upstream: RemoteUpstream, signal: AbortSignal): Dialogue['ask'] {
  const meta = { [META_PROTOCOL_VERSION]: MODERN_REVISION, [META_CLIENT_CAPABILITIES]: {} }
  return async (method, params) => {
    const headers = { [HEADER_PROTOCOL_VERSION]: MODERN_REVISION, [HEADER_METHOD]: method }
    const message = { jsonrpc: '2.0', id: 1, method, params: { ...params, _meta: meta } }
    const { status, message: answer } = await post(upstream, { message, headers, signal })
    const result = answer?.['result']
    if (status === 200 && isRecord(result)) return result
    if (isUnknown(answer)) throw unknownMethod()
    if (isModernError(answer) || status >= 500) throw failure(FAULTS.upstream_error)
    throw new NotModern()
  }
}

/** MCP 2026-07-28, Transports: what a server of that revision says is no reason to shake hands. */
function isModernError(answer: Result | undefined): boolean {
  const error = answer?.['error']
  const code = isRecord(error) ? error['code'] : undefined
  return code === RPC.headerMismatch || code === RPC.missingCapability || code === RPC.unsupportedVersion
}

async function shakeHands(upstream: RemoteUpstream, signal: AbortSignal): Promise<Dialogue> {
  const [protocolVersion] = LEGACY_REVISIONS
  const params = { protocolVersion, capabilities: {}, clientInfo: CLIENT }
  const hello = { jsonrpc: '2.0', id: 0, method: 'initialize', params }
  const opened = await post(upstream, { message: hello, headers: {}, signal })
  const introduction = checkResult(opened.message)
  const { protocolVersion: agreed } = introduction
  const headers = {
    [HEADER_PROTOCOL_VERSION]: typeof agreed === 'string' ? agreed : protocolVersion,
    ...(opened.session !== undefined && { [HEADER_SESSION]: opened.session }),
  }
  await post(upstream, { message: { jsonrpc: '2.0', method: 'notifications/initialized' }, headers, signal })
  let last = 0
  return {
    era: 'legacy',
    introduction,
    async ask(method, params) {
      last += 1
      const message = { jsonrpc: '2.0', id: last, method, params }
      return checkResult((await post(upstream, { message, headers, signal })).message)
    },
    end() {
      if (opened.session !== undefined) endSession(upstream, headers)
    },
  }
}

/** Nobody waits for it: a server that does not end sessions ends them by itself one day. */
function endSession(upstream: RemoteUpstream, headers: Readonly<Record<string, string>>): void {
  const options = {
    path: upstream.path,
    method: 'DELETE' as const,
    headers: { ...headers, ...upstream.credentialHeaders },
  }
  upstream.pool.request({ ...options, headersTimeout: 5000 }).then(
    ({ body }) => body.dump(),
    () => undefined,
  )
}

interface Posted {
  readonly status: number
  readonly session: string | undefined
  /** The answer to the request; `undefined` for a notification, and where the body holds none. */
  readonly message: Result | undefined
}

interface Posting {
  readonly message: Readonly<Record<string, unknown>> & { readonly id?: RpcId }
  readonly headers: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

async function post(upstream: RemoteUpstream, { message, headers, signal }: Posting): Promise<Posted> {
  try {
    const answer = await upstream.pool.request({
      path: upstream.path,
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...headers,
        // Last, over everything else, as for every caller.
        ...upstream.credentialHeaders,
      },
      body: JSON.stringify(message),
      headersTimeout: upstream.requestTimeout,
      bodyTimeout: upstream.requestTimeout,
      signal,
    })
    return await readAnswer(answer, message.id, upstream.maxAnswer)
  } catch (error) {
    if (error instanceof UpstreamError || !(error instanceof Error)) throw error
    throw failure(signal.aborted ? FAULTS.timeout : faultOfError(error), error)
  }
}

async function readAnswer(answer: Dispatcher.ResponseData, id: RpcId | undefined, most: number): Promise<Posted> {
  const { statusCode: status, headers, body } = answer
  const fault = faultOfHead(status, headers)
  const session = headers[HEADER_SESSION]
  const streamed = mediaType(headers) === 'text/event-stream'
  if (fault !== undefined || id === undefined) await body.dump()
  if (fault !== undefined) throw failure(fault)
  const message = id === undefined ? undefined : await readMessage(body, { id, most, streamed })
  return { status, session: typeof session === 'string' ? session : undefined, message }
}

/** Reads no further than to the answer: a server may keep its stream open behind it. */
async function readMessage(
  body: Dispatcher.ResponseData['body'],
  { id, most, streamed }: { id: RpcId; most: number; streamed: boolean },
): Promise<Result | undefined> {
  const chunks: Buffer[] = []
  let found: Result | undefined
  const take = (text: Buffer | undefined): void => {
    const message = text === undefined ? undefined : readJson(text)
    if (isRecord(message) && !('method' in message) && (message['id'] === id || 'error' in message)) found = message
  }
  const splitter = splitEvents(most, (event) => take(readEvent(event).data))
  let size = 0
  for await (const chunk of body) {
    const bytes: Buffer = chunk
    size += bytes.length
    // Leaving the loop ends the connection.
    if (size > most) throw failure(FAULTS.too_large)
    if (streamed) splitter.push(bytes)
    else chunks.push(bytes)
    if (found !== undefined) return found
  }
  if (!streamed) take(Buffer.concat(chunks))
  return found
}

function checkResult(answer: Result | undefined): Result {
  const result = answer?.['result']
  if (isRecord(result)) return result
  throw isUnknown(answer) ? unknownMethod() : failure(FAULTS.upstream_error)
}

function isUnknown(answer: Result | undefined): boolean {
  const error = answer?.['error']
  return isRecord(error) && error['code'] === RPC.methodNotFound
}

const unknownMethod = () => new UpstreamError('unknown_method', 'The server does not have the method.')
export const isUnknownMethod = (error: unknown): boolean =>
  error instanceof UpstreamError && error.reason === 'unknown_method'

export const failure = ({ reason, message }: Fault, cause?: unknown) => new UpstreamError(reason, message, { cause })
