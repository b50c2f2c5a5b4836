// Lists as this principal may see them: the same decision that a call would meet, entry by entry.
// MCP 2026-07-28, Caching: a list that depends on who asks is `private`.
import type { Decision, TargetKind } from '../protocol/decision.ts'
import { isRecord } from '../protocol/json.ts'

interface ListShape {
  readonly items: string
  readonly kind: TargetKind
  readonly key: string
}

const LISTS: ReadonlyMap<string, ListShape> = new Map([
  ['tools/list', { items: 'tools', kind: 'tool', key: 'name' }],
  ['prompts/list', { items: 'prompts', kind: 'prompt', key: 'name' }],
  ['resources/list', { items: 'resources', kind: 'resource', key: 'uri' }],
  ['resources/templates/list', { items: 'resourceTemplates', kind: 'resource', key: 'uriTemplate' }],
])

export const isList = (method: string): boolean => LISTS.has(method)

/** Rewrites a response. `undefined`: it is not the shape of such a list, and what cannot be filtered must not pass. */
export type Edit = (message: unknown) => object | undefined

export function listFilter(needs: {
  method: string
  era: 'modern' | 'legacy'
  decide(kind: TargetKind, name: string): Decision
}): Edit | undefined {
  const shape = LISTS.get(needs.method)
  if (shape === undefined) return undefined
  return (message) => {
    if (!isRecord(message) || 'method' in message) return undefined
    const { result } = message
    if (result === undefined) return isRecord(message['error']) ? message : undefined
    if (!isRecord(result)) return undefined
    const entries = result[shape.items]
    if (!Array.isArray(entries)) return undefined
    const visible = entries.filter((entry) => isVisible(entry, shape, needs.decide))
    const scope = needs.era === 'modern' || 'cacheScope' in result ? { cacheScope: 'private' } : {}
    return { ...message, result: { ...result, [shape.items]: visible, ...scope } }
  }
}

/** A template is judged as it is written: a rule for `file:///docs/*` shows `file:///docs/{path}`. */
function isVisible(entry: unknown, { kind, key }: ListShape, decide: (kind: TargetKind, name: string) => Decision) {
  if (!isRecord(entry)) return false
  const name = entry[key]
  return typeof name === 'string' && decide(kind, name).effect === 'allow'
}
