// The oldest revision that callers may speak to a server (`servers[].minimumRevision`): a rule that leans on what newer revisions require
// must not be slipped past by speaking an older one. MCP 2025-11-25, Lifecycle: version negotiation; Transports: protocol version header.
import { RpcError } from '../protocol/errors.ts'
import { LEGACY_REVISIONS, MODERN_REVISION, type Revision, RPC } from '../protocol/mcp.ts'
import type { Era } from './era.ts'
import type { McpHead } from './headers.ts'
import type { Incoming } from './message.ts'

/** MCP 2025-06-18, Transports: what is meant where nothing is said. */
const UNSAID = '2025-03-26'

const REVISIONS = [MODERN_REVISION, ...LEGACY_REVISIONS]

/** Throws RpcError with status 400, in the words of the handshake era: whoever speaks the other one is not below anything. */
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
