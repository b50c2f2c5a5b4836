// What a caller is told of a thing that policy hides: the words an MCP server has for a thing it does not know, whatever the upstream's
// own words are, so that hidden and unknown answer alike. MCP 2025-11-25 and 2026-07-28, Server features: error handling.
import { RpcError } from '../protocol/errors.ts'
import { RPC } from '../protocol/mcp.ts'
import type { Era } from './era.ts'
import type { Target } from './target.ts'

const LEGACY_RESOURCE_NOT_FOUND = -32002

/** `reason` is policy's own, for the record; it stays inside. */
export function hiddenError(target: Target, era: Era, reason: string): RpcError {
  const { kind, name } = target
  if (kind === 'tool') return new RpcError(RPC.invalidParams, reason, `Unknown tool: ${name}`, { status: 200 })
  if (kind === 'prompt') return new RpcError(RPC.invalidParams, reason, `Unknown prompt: ${name}`, { status: 200 })
  if (kind === 'resource') {
    // MCP 2026-07-28: -32002 must not be emitted any more.
    const code = era === 'modern' ? RPC.invalidParams : LEGACY_RESOURCE_NOT_FOUND
    return new RpcError(code, reason, 'Resource not found', { status: 200, data: { uri: name } })
  }
  // MCP 2026-07-28, Transports: an unknown method is 404; the handshake era says it in-band.
  return new RpcError(RPC.methodNotFound, reason, 'Method not found', { status: era === 'modern' ? 404 : 200 })
}
