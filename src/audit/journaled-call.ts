// A call whose decision is in the journal, in the parts it was written in.
import type { RecordParts } from '../store/record-log.ts'
import type { CallEvent } from './event.ts'
import { callParts } from './event-line.ts'
import { PendingCall } from './pending.ts'

export class JournaledCall extends PendingCall implements RecordParts {
  readonly head: string
  readonly shared: string

  /** `decided`: its outcome follows. */
  constructor(event: CallEvent, decided: CallEvent | undefined) {
    super(event.id, decided)
    const { head, shared } = callParts(event)
    this.head = head
    this.shared = shared
  }

  whole(): string {
    return this.head + this.shared
  }
}
