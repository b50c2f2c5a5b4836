// The fields that repeat arguments, for a server of 2026-07-28 whose client does not write them (Transports: schema extension, SEP-2243).
import { encodeHeaderValue } from '../../protocol/header-value.ts'
import { HEADER_PARAM_PREFIX } from '../../protocol/mcp.ts'
import { mirroredArguments } from '../mirrored-arguments.ts'

/** RFC 9110 §5.6.2: token. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$/
const MOST = 64

/** Absent and null arguments have no header. A definition that says it wrongly is left to its server, which checks. */
export function paramHeaders(
  definition: Readonly<Record<string, unknown>> | undefined,
  args: unknown,
): Record<string, string> {
  const fields = [...mirroredArguments(definition, args)].flatMap(([name, text]) =>
    text !== undefined && TOKEN.test(name) ? [[HEADER_PARAM_PREFIX + name, encodeHeaderValue(text)] as const] : [],
  )
  return Object.fromEntries(fields.slice(0, MOST))
}
