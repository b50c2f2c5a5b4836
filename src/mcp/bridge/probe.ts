// Which era a remote server speaks: MCP 2026-07-28, Versioning and Transports (backwards compatibility). Asked the modern way first;
// the handshake is for whoever does not understand that.
import { isRecord } from '../../protocol/json.ts'
import {
  HEADER_METHOD,
  HEADER_PROTOCOL_VERSION,
  isLegacyRevision,
  META_CLIENT_CAPABILITIES,
  META_CLIENT_INFO,
  META_PROTOCOL_VERSION,
  MODERN_REVISION,
  RPC,
} from '../../protocol/mcp.ts'
import type { RemoteUpstream } from '../../upstreams/upstream.ts'
import type { Era } from '../era.ts'
import { FAULTS } from '../fault.ts'
import { failure } from './answer-events.ts'
import { OUR_HELLO } from './hello.ts'
import { type Posted, post } from './post.ts'

const METHOD = 'server/discover'
/** What a server of 2026-07-28 says, and no other: no reason to shake hands. */
const MODERN_ERRORS: ReadonlySet<number> = new Set([RPC.headerMismatch, RPC.missingCapability])

/** Rejects with UpstreamError where nothing can be said: a server that fails, or cannot be reached, has not told its era. */
export async function probeEra(upstream: RemoteUpstream, signal: AbortSignal): Promise<Era> {
  const meta = {
    [META_PROTOCOL_VERSION]: MODERN_REVISION,
    [META_CLIENT_CAPABILITIES]: {},
    [META_CLIENT_INFO]: OUR_HELLO.clientInfo,
  }
  const posted = await post(upstream, {
    message: { jsonrpc: '2.0', id: 1, method: METHOD, params: { _meta: meta } },
    headers: { [HEADER_PROTOCOL_VERSION]: MODERN_REVISION, [HEADER_METHOD]: METHOD },
    signal,
  })
  if (posted.status >= 500 || posted.status === 429) throw failure(FAULTS.upstream_error)
  return eraOfAnswer(posted)
}

function eraOfAnswer({ status, response }: Posted): Era {
  const { result, error } = response ?? {}
  if (status === 200 && isRecord(result)) return isDiscovery(result) ? 'modern' : 'legacy'
  if (error?.code === RPC.unsupportedVersion) return offersHandshake(error.data) ? 'legacy' : 'modern'
  return error !== undefined && MODERN_ERRORS.has(error.code) ? 'modern' : 'legacy'
}

/** MCP 2026-07-28, Discovery. There are servers of the handshake revisions that answer `{}` to whatever they do not know. */
const isDiscovery = (result: Readonly<Record<string, unknown>>): boolean =>
  Array.isArray(result['supportedVersions']) || isRecord(result['capabilities'])

/** It names the revisions that it does speak: where ours is not among them, one of the handshake era may be. */
function offersHandshake(data: unknown): boolean {
  const supported = isRecord(data) ? data['supported'] : undefined
  if (!Array.isArray(supported) || supported.includes(MODERN_REVISION)) return false
  return supported.some(isLegacyRevision)
}
