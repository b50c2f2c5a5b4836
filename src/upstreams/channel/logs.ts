// What one caller's own instance writes to its log, and from which level on. MCP 2025-11-25, Logging: one level for all that the caller
// does there, so it is told the least severe that was asked for, and everybody who listens takes of it what they asked for.
import type { RpcNotification } from '../../protocol/jsonrpc.ts'
import { isAtLeast } from '../../protocol/log-level.ts'
import type { ChannelCall } from '../upstream.ts'

type LogHearer = NonNullable<ChannelCall['logs']>

export interface Logs {
  /** The least severe that was asked for; `undefined`: nobody asked. */
  level(): string | undefined
  want(level: string): void
  /** For the time of a call. Answers its end. */
  begin(hearer: LogHearer): () => void
  /** A message of the log names no call: the oldest that asked for it has it. */
  accept(message: RpcNotification): void
}

export function createLogs(): Logs {
  const hearers = new Set<LogHearer>()
  let least: string | undefined
  /** It only gets less severe: what another asked for is not taken away. */
  function want(level: string): void {
    if (least === undefined || !isAtLeast(level, least)) least = level
  }
  return {
    level: () => least,
    want,
    begin(hearer) {
      want(hearer.level)
      // A call has an entry of its own, even where two have one hearer.
      const own = { ...hearer }
      hearers.add(own)
      return () => hearers.delete(own)
    },
    accept(message) {
      if (message.method !== 'notifications/message') return
      for (const { level, hear } of hearers) if (isAtLeast(message.params?.['level'], level)) return hear(message)
    },
  }
}
