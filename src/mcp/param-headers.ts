// Fields that repeat single arguments (`Mcp-Param-*`, MCP 2026-07-28, Transports: schema extension). Policy reads the body alone; what
// stands between us and the server may go by the fields, so where the tool's definition is known they must say what the body says.
// Fields of no known parameter pass unchanged, as the standard asks.
import type { Definition, InformNeeds } from '../policy/informed.ts'
import { decodeHeaderValue } from '../protocol/header-value.ts'
import { isRecord } from '../protocol/json.ts'
import { HEADER_PARAM_PREFIX } from '../protocol/mcp.ts'
import { type McpHead, mismatch } from './headers.ts'
import type { Target } from './target.ts'

/** A schema is the server's own word, as deep as it likes. */
const DEEPEST = 32

interface Said {
  readonly head: McpHead
  readonly server: string
  readonly target: Target
  readonly params: Readonly<Record<string, unknown>> | undefined
}

/** At once where no such field came. Throws RpcError -32020. */
export function checkParamHeaders(definitionOf: InformNeeds['definitionOf'], said: Said): Promise<void> | undefined {
  const { head, server, target, params } = said
  const given = target.kind === 'tool' ? paramFields(head) : []
  if (given.length === 0) return undefined
  return Promise.resolve(definitionOf?.(server, target.name)).then((tool) =>
    compare(given, tool, params?.['arguments']),
  )
}

type Field = readonly [name: string, value: string]

function paramFields({ passed }: McpHead): Field[] {
  const found: Field[] = []
  for (let at = 0; at < passed.length; at += 2) {
    const name = passed[at] ?? ''
    if (name.startsWith(HEADER_PARAM_PREFIX)) found.push([name.slice(HEADER_PARAM_PREFIX.length), passed[at + 1] ?? ''])
  }
  return found
}

function compare(given: readonly Field[], tool: Definition | undefined, args: unknown): void {
  const declared = new Map<string, unknown>()
  collect(tool?.['inputSchema'], args, declared)
  for (const [name, value] of given) {
    if (!declared.has(name)) continue
    // Without its end the mark is plain text here: the conformance suite's reading of SEP-2243.
    const said = decodeHeaderValue(value) ?? (value.endsWith('?=') ? undefined : value)
    if (said === undefined || said !== textOf(declared.get(name)))
      throw mismatch('param_mismatch', 'An Mcp-Param field differs from the body.')
  }
}

/** By the name of the field, in small letters, the argument it repeats. Parameters are reached by way of `properties` alone. */
function collect(schema: unknown, value: unknown, declared: Map<string, unknown>, depth = 0): void {
  if (!isRecord(schema) || depth > DEEPEST) return
  const name = schema['x-mcp-header']
  if (typeof name === 'string') declared.set(name.toLowerCase(), value)
  const { properties } = schema
  if (!isRecord(properties)) return
  for (const [key, inner] of Object.entries(properties))
    collect(inner, isRecord(value) && Object.hasOwn(value, key) ? value[key] : undefined, declared, depth + 1)
}

/** Strings as they are, numbers and booleans as JSON writes them. `undefined`: there is nothing to repeat. */
const textOf = (value: unknown): string | undefined =>
  typeof value === 'string'
    ? value
    : typeof value === 'number' || typeof value === 'boolean'
      ? String(value)
      : undefined
