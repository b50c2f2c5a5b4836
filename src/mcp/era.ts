// Which wire era a message speaks, and whether its head says what its body says: MCP 2026-07-28, Transports, header validation.
// Refused here is what a reader of the head and a reader of the body would judge differently; unsupported versions are the upstream's to answer.
import { RpcError } from '../protocol/errors.ts'
import { decodeHeaderValue } from '../protocol/header-value.ts'
import { isRecord } from '../protocol/json.ts'
import { META_CLIENT_CAPABILITIES, META_PROTOCOL_VERSION, MODERN_REVISION, RPC } from '../protocol/mcp.ts'
import { type McpHead, mismatch } from './headers.ts'
import type { Incoming } from './message.ts'

export type Era = 'modern' | 'legacy'

/** Where `Mcp-Name` comes from. The tasks rows are the extension's (SEP-2663). */
const NAME_SOURCE: ReadonlyMap<string, string> = new Map([
  ['tools/call', 'name'],
  ['prompts/get', 'name'],
  ['resources/read', 'uri'],
  ['tasks/get', 'taskId'],
  ['tasks/update', 'taskId'],
  ['tasks/cancel', 'taskId'],
])
/** Methods outside the table may mirror one of these; a name that is none of them contradicts the body. */
const NAME_KEYS = ['name', 'uri', 'taskId']

/** Revisions are dates, so later ones sort behind. */
const isModern = (version: string): boolean => /^\d{4}-\d\d-\d\d$/.test(version) && version >= MODERN_REVISION

/** Era of a request that has no body to tell (GET, DELETE). */
export function eraOfHead({ version }: McpHead): Era {
  return version !== undefined && isModern(version) ? 'modern' : 'legacy'
}

/** Era as the message claims it, before anything is checked: what a route that speaks only one era goes by. */
function claimedEra(incoming: Incoming, head: McpHead): Era {
  if (incoming.kind !== 'response' && metaOf(incoming)?.[META_PROTOCOL_VERSION] !== undefined) return 'modern'
  return eraOfHead(head)
}

/** Throws RpcError with status 400: -32020, or -32602 for a modern request without its `_meta`. */
export function checkEra(incoming: Incoming, head: McpHead): Era {
  const era = claimedEra(incoming, head)
  if (incoming.kind === 'response') {
    if (era === 'modern')
      throw new RpcError(RPC.invalidRequest, 'response_in_modern', 'A client sends no responses in this revision.')
    return era
  }
  if (era === 'modern') checkModern(incoming, head)
  checkMethod(incoming, head)
  checkName(incoming, head)
  return era
}

function checkModern(incoming: Incoming & { method: string }, head: McpHead): void {
  const meta = metaOf(incoming)
  const version = meta?.[META_PROTOCOL_VERSION]
  // The handshake under a modern head: one reader opens a session, the other serves one request.
  if (incoming.method === 'initialize' && version === undefined)
    throw mismatch('version_mismatch', 'MCP-Protocol-Version does not fit an initialize request.')
  if (version !== undefined && typeof version !== 'string') throw invalidMeta(META_PROTOCOL_VERSION)
  if (version !== undefined && head.version !== undefined && head.version !== version)
    throw mismatch('version_mismatch', 'MCP-Protocol-Version differs from the body.')
  if (incoming.kind === 'notification') return
  if (version === undefined) throw invalidMeta(META_PROTOCOL_VERSION)
  if (!isRecord(meta?.[META_CLIENT_CAPABILITIES])) throw invalidMeta(META_CLIENT_CAPABILITIES)
  if (head.version === undefined) throw mismatch('version_missing', 'MCP-Protocol-Version is missing.')
  if (head.method === undefined) throw mismatch('method_missing', 'Mcp-Method is missing.')
  const source = NAME_SOURCE.get(incoming.method)
  if (source !== undefined && head.name === undefined && typeof incoming.message.params?.[source] === 'string')
    throw mismatch('name_missing', 'Mcp-Name is missing.')
}

/** Held in both eras: a legacy body under a head that names another call is still two calls in one. */
function checkMethod({ method }: Incoming, head: McpHead): void {
  if (head.method !== undefined && head.method !== method)
    throw mismatch('method_mismatch', 'Mcp-Method differs from the body.')
}

function checkName(incoming: Incoming & { method: string }, head: McpHead): void {
  if (head.name === undefined) return
  const name = decodeHeaderValue(head.name)
  if (name === undefined) throw mismatch('name_encoding', 'Mcp-Name is not a well-formed value.')
  const source = NAME_SOURCE.get(incoming.method)
  const keys = source === undefined ? NAME_KEYS : [source]
  if (!keys.some((key) => incoming.message.params?.[key] === name))
    throw mismatch('name_mismatch', 'Mcp-Name differs from the body.')
}

function metaOf(incoming: Incoming & { method: string }): Record<string, unknown> | undefined {
  const meta = incoming.message.params?.['_meta']
  if (meta === undefined) return undefined
  if (!isRecord(meta)) throw invalidMeta('_meta')
  return meta
}

const invalidMeta = (key: string) =>
  new RpcError(RPC.invalidParams, 'bad_meta', `Invalid params: _meta needs ${key} in this revision.`)
