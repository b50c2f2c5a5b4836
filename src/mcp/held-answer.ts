// An answer that is held whole: is it one to this request, and what of it does its caller get?
import type { RpcId } from '../protocol/jsonrpc.ts'
import { answering, readJson } from './answer.ts'
import type { Screen } from './screen.ts'

/** `undefined`: nothing. What could not be read could not be judged, and does not pass where it had to be. */
export function heldAnswer(
  chunks: readonly Buffer[],
  { id, screen, status }: { readonly id: RpcId | undefined; readonly screen: Screen; readonly status: number },
): Buffer | undefined {
  const { edit, reword, concerns, aside } = screen
  const [first] = chunks
  const body = chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks)
  const exchange = edit ?? (concerns?.(body) === false ? undefined : reword)
  const message = exchange && readJson(body)
  const edited = exchange?.(message)
  if (edit !== undefined && edited === undefined) return undefined
  if (status === 200) {
    if (exchange !== undefined && message === undefined) return undefined
    if (id !== undefined && answering(body, id, aside !== undefined) !== 'answer') return undefined
  }
  return edited === undefined ? body : Buffer.from(JSON.stringify(edited))
}
