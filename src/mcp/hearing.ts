// Which messages of a stream reach a caller who sees a part of the server: its notifications and questions, never an answer to a
// request that this stream does not belong to. MCP 2025-11-25, Transports: resumability; Resources: subscriptions.

import { isRecord } from '../protocol/json.ts'
import { readJson } from './answer.ts'

/** `false`: the message is left out. */
export type Hears = (message: Buffer) => boolean

export function hearing(mayHear: (uri: string) => boolean): Hears {
  return (text) => {
    const message = readJson(text)
    if (!isRecord(message) || 'result' in message || 'error' in message) return false
    const { method, params } = message
    if (typeof method !== 'string') return false
    if (method !== 'notifications/resources/updated') return true
    const uri = isRecord(params) ? params['uri'] : undefined
    return typeof uri === 'string' && mayHear(uri)
  }
}
