// What a trusted proxy's signed list confines a caller to, beside and below what policy allows. Whatever lies outside does not exist.
import type { Call, Decision } from '../protocol/decision.ts'

const OUTSIDE: Decision = { effect: 'deny', reason: 'outside_capabilities', rule: undefined }

/** `names`: what the list may call the server, one of which must have it. */
export function confined(decision: Decision, { principal, kind, name }: Call, names: readonly string[]): Decision {
  const { capabilities } = principal
  if (capabilities === undefined || decision.effect === 'deny') return decision
  const { tools, prompts } = capabilities
  if (tools === undefined && prompts === undefined) return OUTSIDE
  const listed = kind === 'tool' ? tools : kind === 'prompt' ? prompts : undefined
  if (listed === undefined || names.some((server) => listed.get(server)?.has(name))) return decision
  return OUTSIDE
}
