// Arguments that a tool's definition wants repeated in the head: `x-mcp-header` in its input schema (MCP 2026-07-28, Transports: schema
// extension, SEP-2243). The same for who checks such fields and for who writes them.
import { isRecord } from '../protocol/json.ts'

type Values = Readonly<Record<string, unknown>>

/** A schema is its server's own word, as deep as it likes. */
const DEEPEST = 32

/** By the field's name behind `Mcp-Param-`, in small letters, what it repeats; `undefined` where the call has nothing to repeat. */
export function mirroredArguments(
  definition: Values | undefined,
  args: unknown,
): ReadonlyMap<string, string | undefined> {
  const mirrored = new Map<string, string | undefined>()
  collect(definition?.['inputSchema'], args, mirrored)
  return mirrored
}

/** By way of `properties` alone: what a branch of the schema says may not hold for these arguments. */
function collect(schema: unknown, value: unknown, mirrored: Map<string, string | undefined>, depth = 0): void {
  if (!isRecord(schema) || depth > DEEPEST) return
  const { properties, 'x-mcp-header': name } = schema
  if (typeof name === 'string') mirrored.set(name.toLowerCase(), textOf(value))
  if (!isRecord(properties)) return
  for (const [key, inner] of Object.entries(properties))
    collect(inner, isRecord(value) && Object.hasOwn(value, key) ? value[key] : undefined, mirrored, depth + 1)
}

/** RFC 9110 §5.6.2: token. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const PRIMITIVE: ReadonlySet<unknown> = new Set(['string', 'integer', 'boolean'])

/** A client MUST NOT use a tool that names its fields otherwise: each a token, on a primitive, and no two alike in any case of letters. */
export function mirrorsAsAllowed(definition: Values): boolean {
  return areAllowed(definition['inputSchema'], new Set())
}

function areAllowed(schema: unknown, taken: Set<string>, depth = 0): boolean {
  if (!isRecord(schema) || depth > DEEPEST) return true
  const { properties, type, 'x-mcp-header': name } = schema
  if (name !== undefined) {
    if (typeof name !== 'string' || !TOKEN.test(name) || !PRIMITIVE.has(type)) return false
    const before = taken.size
    if (taken.add(name.toLowerCase()).size === before) return false
  }
  return !isRecord(properties) || Object.values(properties).every((inner) => areAllowed(inner, taken, depth + 1))
}

/** Strings as they are, numbers and booleans as JSON writes them. */
function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined
}
