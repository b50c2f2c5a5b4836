// Lists as this principal may see them: the judgement of the calls that they offer, entry by entry.
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

/** Could some call of this be allowed? A tool comes with what its server says of it. */
export type Shows = (kind: TargetKind, name: string, tool: Readonly<Record<string, unknown>> | undefined) => Decision

/** Rewrites a response. `undefined`: it is not the shape of such a list, and what cannot be filtered must not pass. */
export type Edit = (message: unknown) => object | undefined

export function listFilter(needs: { method: string; era: 'modern' | 'legacy'; shows: Shows }): Edit | undefined {
  const shape = LISTS.get(needs.method)
  if (shape === undefined) return undefined
  return (message) => {
    if (!isRecord(message) || 'method' in message) return undefined
    const { result } = message
    if (result === undefined) return isRecord(message['error']) ? message : undefined
    if (!isRecord(result)) return undefined
    const entries = result[shape.items]
    if (!Array.isArray(entries)) return undefined
    const visible = entries.filter((entry) => isVisible(entry, shape, needs.shows))
    const scope = needs.era === 'modern' || 'cacheScope' in result ? { cacheScope: 'private' } : {}
    return { ...message, result: { ...result, [shape.items]: visible, ...scope } }
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
function isVisible(entry: unknown, { kind, key }: ListShape, shows: Shows) {
  if (!isRecord(entry)) return false
  const name = entry[key]
  return typeof name === 'string' && shows(kind, name, kind === 'tool' ? entry : undefined).effect === 'allow'
}
