// What a caller is told of a thing that policy hides: the words an MCP server has for a thing it does not know, whatever the upstream's
// own words are, so that hidden and unknown answer alike. MCP 2025-11-25 and 2026-07-28, Server features: error handling.
import { limitError } from '../policy/limits.ts'
import { type Denials, explicitDenial } from '../protocol/denials.ts'
import { RequestError, RpcError } from '../protocol/errors.ts'
import { isRecord } from '../protocol/json.ts'
import { type RpcId, type RpcResponse, rpcError } from '../protocol/jsonrpc.ts'
import { LEGACY_RPC, RPC } from '../protocol/mcp.ts'
import { TASKS_CLOSED, type Verdict } from './decide.ts'
import type { Era } from './era.ts'
import type { Target } from './target.ts'

/** A server that is not there, and one that the caller may use nothing of. */
export const unknownServer = () => new RequestError(404, 'unknown_server', 'There is no such server.')

/** A server that the caller may use nothing of. */
export const unseenServer = (denials: Denials): RequestError =>
  denials === 'explicit' ? explicitDenial('server', 'no_rule_allows') : unknownServer()

/** What the caller of a refused call is told. What is listed is refused aloud, so that a model can read it and change the call. */
export function deniedError(verdict: Verdict, era: Era, denials: Denials): RpcError | RequestError {
  const { target, reason, listed, retryAfter } = verdict
  if (retryAfter !== undefined) return limitError(reason, retryAfter)
  if (denials === 'explicit' && reason !== TASKS_CLOSED) return explicitDenial(target.kind, reason)
  if (!listed) return hiddenError(target, era, reason)
  return new RpcError(RPC.invalidParams, reason, 'Not allowed with these arguments.', { status: 200 })
}

/** `reason` is policy's own, for the record; it stays inside. */
export function hiddenError(target: Target, era: Era, reason: string): RpcError {
  const { kind, name } = target
  if (kind === 'tool') return new RpcError(RPC.invalidParams, reason, `Unknown tool: ${name}`, { status: 200 })
  if (kind === 'prompt') return new RpcError(RPC.invalidParams, reason, `Unknown prompt: ${name}`, { status: 200 })
  if (kind === 'resource') {
    // MCP 2026-07-28: -32002 must not be emitted any more.
    const code = era === 'modern' ? RPC.invalidParams : LEGACY_RPC.resourceNotFound
    return new RpcError(code, reason, 'Resource not found', { status: 200, data: { uri: name } })
  }
  // MCP 2026-07-28, Transports: an unknown method is 404; the handshake era says it in-band.
  return new RpcError(RPC.methodNotFound, reason, 'Method not found', { status: era === 'modern' ? 404 : 200 })
}

/** What servers say of a name they do not know, the name itself and the marks around it taken out. */
const UNKNOWN =
  /^(?:mcp error -?\d+ )?(?:(?:unknown|invalid|no such) (?:tool|prompt|resource)|(?:tool|prompt|resource)(?: with (?:name|uri))? (?:is )?(?:not found|unknown|does not exist))$/

/**
 * Turns a server's own answer for an unknown name into ours, for callers from whom something is hidden: two wordings would tell
 * them which names exist. `undefined`: the answer says something else and passes as it is.
 */
export function unknownInOurWords(asked: {
  target: Target
  era: Era
  id: RpcId
}): (message: unknown) => RpcResponse | undefined {
  const { target, era, id } = asked
  return (message) => {
    const text = isRecord(message) ? refusalText(message) : undefined
    if (text === undefined || !UNKNOWN.test(bareWords(text, target.name))) return undefined
    const { code, message: words, data } = hiddenError(target, era, 'unknown')
    return rpcError(id, { code, message: words, data })
  }
}

/** SDKs answer a call of an unknown tool with an error, or with a result that is one (MCP, Tools: error handling). */
function refusalText({ error, result }: Record<string, unknown>): string | undefined {
  if (isRecord(error)) return typeof error['message'] === 'string' ? error['message'] : undefined
  if (!isRecord(result) || result['isError'] !== true || !Array.isArray(result['content'])) return undefined
  const [only, second]: unknown[] = result['content']
  return second === undefined && isRecord(only) && typeof only['text'] === 'string' ? only['text'] : undefined
}

function bareWords(text: string, name: string): string {
  return text
    .slice(0, 10_000)
    .replaceAll(name, ' ')
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, ' ')
    .trim()
}
