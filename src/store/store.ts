// A store: all lifetimes over one backend. What it cannot do now it rejects with StoreUnavailable (protocol/errors.ts).
// Only open.ts knows which backend it is.
import type { Durable } from './durable.ts'
import type { Ephemeral } from './ephemeral.ts'
import type { RecordLog } from './record-log.ts'

export interface Store {
  readonly durable: Durable
  readonly ephemeral: Ephemeral
  readonly records: RecordLog
  /** Resolves when a write would work; throws with the cause otherwise (disk full, connection lost). For /ready. */
  check(): Promise<void>
  /**
   * The process is about to end: from now on nobody waits for a backend that says nothing at all. Within seconds all that was asked of it,
   * and all that will be, is rejected.
   */
  heedSilence(): void
  close(): Promise<void>
}
