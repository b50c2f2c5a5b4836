// Fields that repeat single arguments (`Mcp-Param-*`, MCP 2026-07-28, Transports: schema extension). Policy reads the body alone; what
// stands between us and the server may go by the fields, so where the tool's definition is known they must say what the body says.
// Fields of no known parameter pass unchanged, as the standard asks.
import type { Definition, InformNeeds } from '../policy/informed.ts'
import { decodeHeaderValue } from '../protocol/header-value.ts'
import { HEADER_PARAM_PREFIX } from '../protocol/mcp.ts'
import { type McpHead, mismatch } from './headers.ts'
import { mirroredArguments } from './mirrored-arguments.ts'
import type { Target } from './target.ts'

interface Said {
  readonly head: McpHead
  readonly server: string
  readonly target: Target
  readonly params: Readonly<Record<string, unknown>> | undefined
}

/** At once where no such field came. Throws RpcError -32020. */
export function checkParamHeaders(definitionOf: InformNeeds['definitionOf'], said: Said): Promise<void> | undefined {
  const { head, server, target, params } = said
  if (!head.mirrors || target.kind !== 'tool') return undefined
  const given = paramFields(head)
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
  const mirrored = mirroredArguments(tool, args)
  for (const [name, value] of given) {
    if (!mirrored.has(name)) continue
    // Without its end the mark is plain text here: the conformance suite's reading of SEP-2243.
    const said = decodeHeaderValue(value) ?? (value.endsWith('?=') ? undefined : value)
    if (said === undefined || said !== mirrored.get(name))
      throw mismatch('param_mismatch', 'An Mcp-Param field differs from the body.')
  }
}
