// What a client can be asked, as far as a server is told of it on the client's behalf: sampling, elicitation, roots, and nothing else.
// In one form, so that two requests that declare the same share a session. MCP 2025-11-25, Lifecycle; MCP 2026-07-28, Client features.
import { isRecord } from '../../protocol/json.ts'

/** Capabilities in one spelling and one order. */
export type Askable = Readonly<Record<string, Readonly<Record<string, object>>>>

/** By capability, the parts of it that change what may be asked. `listChanged` of roots is none: a stateless client tells of nothing. */
const PARTS: Readonly<Record<string, readonly string[]>> = {
  elicitation: ['form', 'url'],
  roots: [],
  sampling: ['tools'],
}

export function askable(declared: Readonly<Record<string, unknown>>): Askable {
  const kept: Record<string, Readonly<Record<string, object>>> = {}
  for (const [name, parts] of Object.entries(PARTS)) {
    const said = declared[name]
    if (!isRecord(said)) continue
    kept[name] = Object.fromEntries(parts.filter((part) => isRecord(said[part])).map((part) => [part, {}]))
  }
  return kept
}

export const isAskable = (capabilities: Askable): boolean => Object.keys(capabilities).length > 0
