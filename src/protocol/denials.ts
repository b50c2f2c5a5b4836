// How a refusal by policy is told to callers (`policy.denials`), and the words of Kuadrant's guides for `explicit`: for tools those of the
// authorization guide of early 2026, for the rest those that came with prompts.
import type { TargetKind } from './decision.ts'
import { RequestError } from './errors.ts'

/** `hidden`: what could not be allowed answers as what does not exist. `explicit`: HTTP 403, and it says so. */
export type Denials = 'hidden' | 'explicit'

const OF_TOOLS = 'MCP Tool Access denied. Insufficient permissions for this tool.'
const OF_OTHERS = 'MCP Access denied: Insufficient permissions.'

/** `reason` is policy's own, for the record; it stays inside. */
export const explicitDenial = (kind: TargetKind | 'server', reason: string): RequestError =>
  new RequestError(403, reason, kind === 'tool' ? OF_TOOLS : OF_OTHERS)
