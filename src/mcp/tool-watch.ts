// What a server says its tools are is looked at as it passes, and passes as it is.
import { isRecord } from '../protocol/json.ts'
import type { Edit } from './filter.ts'
import type { Screen } from './screen.ts'

/** Long ones too: a server could write its list longer than what is looked at. */
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
  return edit === undefined ? { ...screen, reword: looked(reword), whole: true } : { ...screen, edit: looked(edit) }
}
