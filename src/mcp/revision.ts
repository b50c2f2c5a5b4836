// Which revisions a caller may speak: those that we know, where we answer for a server, and none older than the server's own minimum.
// MCP 2026-07-28, Versioning; MCP 2025-11-25, Lifecycle: version negotiation; Transports: protocol version header.
import { RpcError } from '../protocol/errors.ts'
import { isRecord } from '../protocol/json.ts'
import {
  isLegacyRevision,
  LEGACY_REVISIONS,
  META_PROTOCOL_VERSION,
  MODERN_REVISION,
  type Revision,
  RPC,
} from '../protocol/mcp.ts'
import type { Era } from './era.ts'
import type { McpHead } from './headers.ts'
import type { Incoming } from './message.ts'

/** MCP 2025-06-18, Transports: what is meant where nothing is said. */
const UNSAID = '2025-03-26'

const REVISIONS = [MODERN_REVISION, ...LEGACY_REVISIONS]

/** MCP 2026-07-28: one that is not known is named, with those that are; MCP 2025-11-25, Transports: it is 400. */
export function checkSpoken(said: {
  readonly era: Era
  readonly head: Pick<McpHead, 'version'>
  readonly params: Readonly<Record<string, unknown>> | undefined
  readonly method: string
}): void {
  const { era, head, params, method } = said
  if (era === 'modern') {
    const meta = params?.['_meta']
    const requested = (isRecord(meta) ? meta[META_PROTOCOL_VERSION] : undefined) ?? head.version
    if (requested === undefined || requested === MODERN_REVISION) return
    throw new RpcError(RPC.unsupportedVersion, 'bad_revision', 'Unsupported protocol version', {
      data: { supported: REVISIONS, requested },
    })
  }
  if (method !== 'initialize') checkLegacySpoken(head)
}

/** The same of any request of the handshake era but the handshake itself, whose revision is settled in its answer. */
export function checkLegacySpoken({ version }: Pick<McpHead, 'version'>): void {
  if (version === undefined || isLegacyRevision(version)) return
  const words = `Bad Request: Unsupported protocol version (supported: ${LEGACY_REVISIONS.join(', ')})`
  throw new RpcError(RPC.legacyServerError, 'bad_revision', words)
}

/**
 * `servers[].minimumRevision`: a rule that leans on what newer revisions require must not be slipped past by speaking an older one.
 * Throws RpcError with status 400, in the words of the handshake era: whoever speaks the other one is not below anything.
 */
export function checkRevision(
  minimum: Revision,
  said: { incoming: Incoming | undefined; head: McpHead; era: Era },
): void {
  const { incoming, head, era } = said
  if (era === 'modern') return
  const opening = incoming?.method === 'initialize'
  const requested = opening ? incoming.message.params?.['protocolVersion'] : (head.version ?? UNSAID)
  // Revisions are dates, so later ones sort behind.
  if (typeof requested === 'string' && /^\d{4}-\d\d-\d\d$/.test(requested) && requested >= minimum) return
  const supported = REVISIONS.filter((revision) => revision >= minimum)
  if (opening)
    throw new RpcError(RPC.invalidParams, 'revision_too_old', 'Unsupported protocol version', {
      data: { supported, requested },
    })
  throw new RpcError(
    RPC.legacyServerError,
    'revision_too_old',
    `Bad Request: Unsupported protocol version (supported versions: ${supported.join(', ')})`,
  )
}
