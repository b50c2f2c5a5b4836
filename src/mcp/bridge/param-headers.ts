// Arguments that a tool wants mirrored in the head: `x-mcp-header` in its input schema (MCP 2026-07-28, Transports, SEP-2243).
import { encodeHeaderValue } from '../../protocol/header-value.ts'
import { isRecord } from '../../protocol/json.ts'
import { HEADER_PARAM_PREFIX } from '../../protocol/mcp.ts'

type Values = Readonly<Record<string, unknown>>

const KEY = 'x-mcp-header'
/** RFC 9110 §5.6.2: token. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$/
const DEEPEST = 16
const MOST = 64

/** Absent and null arguments have no header. A definition that says it wrongly is left to its server, which checks. */
export function paramHeaders(definition: Values | undefined, args: unknown): Record<string, string> {
  const headers: Record<string, string> = {}
  collect(definition?.['inputSchema'], args, DEEPEST, headers)
  return headers
}

/** Only what is reached through `properties`: what a branch of the schema says may not hold for these arguments. */
function collect(schema: unknown, value: unknown, depth: number, headers: Record<string, string>): void {
  const properties = isRecord(schema) ? schema['properties'] : undefined
  if (!isRecord(properties) || !isRecord(value) || depth === 0) return
  for (const [name, property] of Object.entries(properties)) {
    if (!isRecord(property) || !Object.hasOwn(value, name)) continue
    const written = headerValue(property, value[name])
    const header = property[KEY]
    if (written !== undefined && typeof header === 'string' && TOKEN.test(header) && Object.keys(headers).length < MOST)
      headers[HEADER_PARAM_PREFIX + header.toLowerCase()] = written
    collect(property, value[name], depth - 1, headers)
  }
}

function headerValue({ [KEY]: header }: Values, value: unknown): string | undefined {
  if (header === undefined) return undefined
  if (typeof value === 'string') return encodeHeaderValue(value)
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined
}
