// Words and numbers of the Model Context Protocol, both wire eras.

export const MODERN_REVISION = '2026-07-28'
/** Revisions of the handshake era that we speak over Streamable HTTP. */
export const LEGACY_REVISIONS = ['2025-11-25', '2025-06-18', '2025-03-26'] as const

export const isLegacyRevision = (revision: unknown): revision is (typeof LEGACY_REVISIONS)[number] =>
  LEGACY_REVISIONS.some((known) => known === revision)

export type Revision = typeof MODERN_REVISION | (typeof LEGACY_REVISIONS)[number]

export const META_PROTOCOL_VERSION = 'io.modelcontextprotocol/protocolVersion'
export const META_CLIENT_CAPABILITIES = 'io.modelcontextprotocol/clientCapabilities'
export const META_CLIENT_INFO = 'io.modelcontextprotocol/clientInfo'
export const META_LOG_LEVEL = 'io.modelcontextprotocol/logLevel'
export const META_SERVER_INFO = 'io.modelcontextprotocol/serverInfo'
/** Keys of `_meta` in what clients send, which are nobody else's. */
export const REQUEST_META: ReadonlySet<string> = new Set([
  'progressToken',
  META_PROTOCOL_VERSION,
  META_CLIENT_CAPABILITIES,
  META_CLIENT_INFO,
  META_LOG_LEVEL,
])

/** Who we say we are, as a client of servers and as a server of clients (`Implementation`). */
export const OUR_INFO = { name: 'portcullis', version: '0.1.0' } as const

export const HEADER_PROTOCOL_VERSION = 'mcp-protocol-version'
export const HEADER_METHOD = 'mcp-method'
export const HEADER_NAME = 'mcp-name'
export const HEADER_PARAM_PREFIX = 'mcp-param-'
export const HEADER_SESSION = 'mcp-session-id'
export const HEADER_LAST_EVENT = 'last-event-id'

/** JSON-RPC 2.0 §5.1 and the codes MCP 2026-07-28 reserves. */
export const RPC = {
  parseError: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internalError: -32603,
  /** Legacy range: an era the route does not speak, a session it does not know. */
  legacyServerError: -32000,
  headerMismatch: -32020,
  missingCapability: -32021,
  unsupportedVersion: -32022,
  /** An implementation's own codes lie outside what JSON-RPC reserves (MCP 2026-07-28, Error codes); this is HTTP's number. */
  tooManyRequests: 429,
} as const

/** Codes of the handshake era that MCP 2026-07-28 must not emit any more, and one that its servers say without being told to. */
export const LEGACY_RPC = {
  sessionNotFound: -32001,
  resourceNotFound: -32002,
  /** MCP 2025-11-25, Elicitation: links have to be followed first. */
  urlElicitationRequired: -32042,
} as const
