// Answers that say what a server offers, without tasks, which are closed at the gate: MCP 2025-11-25, Tasks; SEP-2663, the extension.

import { isRecord } from '../protocol/json.ts'
import type { Edit } from './filter.ts'

const EXTENSION = 'io.modelcontextprotocol/tasks'
const OFFERS = new Set(['initialize', 'server/discover'])

/** `undefined` for every other method: their answers are not read for this. */
export function withoutTasks(method: string): Edit | undefined {
  return OFFERS.has(method) ? untasked : undefined
}

/** `undefined`: there was nothing to take out, and the answer passes as it is. */
function untasked(message: unknown): object | undefined {
  const result = isRecord(message) ? message['result'] : undefined
  const offered = isRecord(result) ? result['capabilities'] : undefined
  if (!isRecord(message) || !isRecord(result) || !isRecord(offered)) return undefined
  const { tasks, extensions, ...rest } = offered
  const extended = isRecord(extensions) && EXTENSION in extensions
  if (tasks === undefined && !extended) return undefined
  const kept = extended ? Object.entries(extensions).filter(([name]) => name !== EXTENSION) : undefined
  const left = kept === undefined ? extensions : Object.fromEntries(kept)
  const capabilities = left === undefined ? rest : { ...rest, extensions: left }
  return { ...message, result: { ...result, capabilities } }
}
