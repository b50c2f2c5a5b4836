// What a client says of itself: in its handshake (MCP 2025-11-25, Lifecycle) or with every request (MCP 2026-07-28, `_meta`).
// All of it is the client's own word: told on to servers, never a ground for a decision.
import { RpcError } from '../../protocol/errors.ts'
import { isRecord } from '../../protocol/json.ts'
import {
  isLegacyRevision,
  LEGACY_REVISIONS,
  META_CLIENT_CAPABILITIES,
  META_CLIENT_INFO,
  META_PROTOCOL_VERSION,
  MODERN_REVISION,
  OUR_INFO,
  RPC,
} from '../../protocol/mcp.ts'

export interface ClientHello {
  readonly revision: string
  readonly capabilities: Readonly<Record<string, unknown>>
  readonly clientInfo: Readonly<Record<string, unknown>>
}

type Params = Readonly<Record<string, unknown>> | undefined

/** Of a session it is kept, and told to every server that the session opens. */
const LARGEST = 8192
const LONGEST_NAME = 256

/** Towards servers that are asked on nobody's behalf, or that could put questions which do not find the client. */
export const OUR_HELLO: ClientHello = {
  revision: LEGACY_REVISIONS[0],
  capabilities: {},
  clientInfo: OUR_INFO,
}

/** Of `initialize`. The revision is the one we answer with. Throws RpcError -32602 for a client that says too much. */
export function helloOfHandshake(params: Params): ClientHello {
  const { protocolVersion, capabilities, clientInfo } = params ?? {}
  return parseHello(isLegacyRevision(protocolVersion) ? protocolVersion : LEGACY_REVISIONS[0], capabilities, clientInfo)
}

/** Of the `_meta` of a request that has been checked to be a modern one. */
export function helloOfRequest(params: Params): ClientHello {
  const meta = isRecord(params?.['_meta']) ? params['_meta'] : {}
  const version = meta[META_PROTOCOL_VERSION]
  const revision = typeof version === 'string' ? version : MODERN_REVISION
  return parseHello(revision, meta[META_CLIENT_CAPABILITIES], meta[META_CLIENT_INFO])
}

/** Revisions are dates, so later ones sort behind. */
export const isModernHello = ({ revision }: ClientHello): boolean => revision >= MODERN_REVISION

function parseHello(revision: string, capabilities: unknown, clientInfo: unknown): ClientHello {
  const declared = isRecord(capabilities) ? capabilities : {}
  if (JSON.stringify(declared).length > LARGEST)
    throw new RpcError(RPC.invalidParams, 'hello_too_large', 'The client declares more than this gateway keeps.')
  return { revision, capabilities: declared, clientInfo: nameOf(clientInfo) }
}

/** Name and version; icons and whatever else a revision adds are for people to look at, and servers are none. */
function nameOf(clientInfo: unknown): ClientHello['clientInfo'] {
  const named = Object.entries(isRecord(clientInfo) ? clientInfo : {}).flatMap(([key, value]) =>
    (key === 'name' || key === 'title' || key === 'version') && typeof value === 'string'
      ? [[key, value.slice(0, LONGEST_NAME)] as const]
      : [],
  )
  return { name: 'unknown', version: '0', ...Object.fromEntries(named) }
}
