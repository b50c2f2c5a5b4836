// What a server says a tool is, as the model and the person who agreed to it read it: whoever changes that changes the tool.
import { createHash } from 'node:crypto'
import { canonicalJson } from '../../protocol/canonical-json.ts'
import { isRecord } from '../../protocol/json.ts'

/** Everything that shapes what a model does with it. Icons and `_meta` do not: they may differ from one answer to the next. */
const DEFINING = ['name', 'title', 'description', 'inputSchema', 'outputSchema', 'annotations', 'execution'] as const

/** Kept for people to compare; a longer one is told by its digest alone. */
const LONGEST_KEPT = 64 * 1024

export interface ToolDefinition {
  readonly name: string
  /** SHA-256 of its canonical form, base64url. */
  readonly digest: string
  /** Canonical JSON; empty where it is too long to be kept. */
  readonly text: string
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const NAME = /^[^\u0000-\u001f\u007f]{1,1024}$/

/** `undefined` for what is no tool, or cannot be written down. */
export function definitionOf(tool: unknown): ToolDefinition | undefined {
  if (!isRecord(tool) || typeof tool['name'] !== 'string' || !NAME.test(tool['name'])) return undefined
  const defining = Object.fromEntries(DEFINING.filter((key) => tool[key] !== undefined).map((key) => [key, tool[key]]))
  try {
    const text = canonicalJson(defining)
    const digest = createHash('sha256').update(text).digest('base64url')
    return { name: tool['name'], digest, text: text.length <= LONGEST_KEPT ? text : '' }
  } catch (error) {
    if (error instanceof TypeError) return undefined
    throw error
  }
}

/** Which members differ between two definitions as they are kept. */
export function differingMembers(before: string, now: string): string[] {
  const [one, other] = [membersOf(before), membersOf(now)]
  return DEFINING.filter((key) => canonicalJson(one[key]) !== canonicalJson(other[key]))
}

function membersOf(text: string): Record<string, unknown> {
  const value: unknown = text === '' ? {} : JSON.parse(text)
  return isRecord(value) ? value : {}
}
