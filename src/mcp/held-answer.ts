// An answer that is held whole: is it one to this request, and what of it does its caller get?
import type { RpcId } from '../protocol/jsonrpc.ts'
import { answering, readJson, refusing } from './answer.ts'
import type { Screen } from './screen.ts'

/**
 * `undefined`: nothing. What could not be read could not be judged, and does not pass where it had to be. `wordless`: that it is refused, in
 * other words than the server's, which are no JSON-RPC.
 */
export function heldAnswer(
  chunks: readonly Buffer[],
  { id, screen, status }: { readonly id: RpcId | undefined; readonly screen: Screen; readonly status: number },
): Buffer | 'wordless' | undefined {
  const { edit, reword, concerns } = screen
  const [first] = chunks
  const body = chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks)
  const refused = status === 200 ? undefined : refusing(body, id)
  if (refused === 'wordless') return refused
  if (refused === 'stranger') return undefined
  if (refused === undefined && id !== undefined && answering(body, id) !== 'answer') return undefined
  const exchange = edit ?? (concerns?.(body) === false ? undefined : reword)
  if (exchange === undefined) return body
  const message = readJson(body)
  const edited = exchange(message)
  if (edited === undefined) return edit === undefined && message !== undefined ? body : undefined
  return Buffer.from(JSON.stringify(edited))
}
