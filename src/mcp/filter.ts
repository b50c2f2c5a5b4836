// Lists as this principal may see them: the judgement of the calls that they offer, entry by entry.
// MCP 2026-07-28, Caching: a list that depends on who asks is `private`.
import type { Decision, TargetKind } from '../protocol/decision.ts'
import { isRecord } from '../protocol/json.ts'
import type { Era } from './era.ts'
import { LIST_FORMS, type ListKind } from './list-forms.ts'

/** Could some call of this be allowed? A tool comes with what its server says of it. */
export type Shows = (kind: TargetKind, name: string, tool: Readonly<Record<string, unknown>> | undefined) => Decision

/** Rewrites a response. `undefined`: it is not the shape of such a list, and what cannot be filtered must not pass. */
export type Edit = (message: unknown) => object | undefined

export function listFilter({ list, era, shows }: { list: ListKind; era: Era; shows: Shows }): Edit {
  return (message) => {
    if (!isRecord(message) || 'method' in message) return undefined
    const { result } = message
    if (result === undefined) return isRecord(message['error']) ? message : undefined
    if (!isRecord(result)) return undefined
    const entries = result[list]
    if (!Array.isArray(entries)) return undefined
    const visible = entries.filter((entry) => isVisible(entry, list, shows))
    const scope = era === 'modern' || 'cacheScope' in result ? { cacheScope: 'private' } : {}
    return { ...message, result: { ...result, [list]: visible, ...scope } }
  }
}

/**
 * What a server calls `public` was the same for everybody who asked it; here it depends on who may ask, and a cache that callers share
 * would give it to others (MCP 2026-07-28, Caching). `undefined`: nothing of the kind is said.
 */
export function keptPrivate(message: unknown): object | undefined {
  const result = isRecord(message) ? message['result'] : undefined
  if (!isRecord(message) || !isRecord(result) || result['cacheScope'] !== 'public') return undefined
  return { ...message, result: { ...result, cacheScope: 'private' } }
}

/** A template is judged as it is written: a rule for `file:///docs/*` shows `file:///docs/{path}`. */
function isVisible(entry: unknown, list: ListKind, shows: Shows): boolean {
  if (!isRecord(entry)) return false
  const { key, target } = LIST_FORMS[list]
  const name = entry[key]
  return typeof name === 'string' && shows(target, name, target === 'tool' ? entry : undefined).effect === 'allow'
}
