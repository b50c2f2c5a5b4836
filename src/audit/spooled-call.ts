// A call until its line is committed, and where in the spool its decision is meanwhile.
import type { CallEvent } from './event.ts'
import { PendingCall } from './pending.ts'
import type { Segment } from './spool.ts'

export class SpooledCall extends PendingCall {
  /** The newest that is known of it. */
  line: string
  /** The sweep after which it was decided. */
  readonly sweep: number
  /** The spool segment that holds its decision, and the bytes there. */
  segment: Segment | undefined = undefined
  bytes: number
  /** It waits for a commit, or one is on its way. */
  queued = false

  constructor(id: string, line: string, decided: CallEvent | undefined, sweep: number) {
    super(id, decided)
    this.line = line
    this.sweep = sweep
    // Escaped and mostly ASCII: characters are near enough to bytes.
    this.bytes = line.length
  }
}
