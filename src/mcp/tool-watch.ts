// What a server says its tools are is looked at as it passes, and passes as it is.
import { isRecord } from '../protocol/json.ts'
import type { Edit } from './filter.ts'
import type { Screen } from './screen.ts'

/** Answers that are too long to be held are not seen: their server's list is read by the gate itself now and then. */
export function watchingTools(screen: Screen, onTools: (tools: readonly unknown[]) => void): Screen {
  const { edit, reword } = screen
  const look = (message: unknown): void => {
    const result = isRecord(message) ? message['result'] : undefined
    const tools = isRecord(result) ? result['tools'] : undefined
    if (Array.isArray(tools)) onTools(tools)
  }
  const looked = (pass: Edit | undefined): Edit => {
    return (message) => {
      look(message)
      return pass?.(message)
    }
  }
  return edit === undefined ? { ...screen, reword: looked(reword) } : { ...screen, edit: looked(edit) }
}
