// A call until its line is committed, and those of them that have no outcome yet.
import type { CallEvent, RecordedCall } from './event.ts'
import type { Segment } from './spool.ts'

/**
 * The undecided are a ring in which each knows its neighbours. No Map: V8 links a map's outgrown table to the next, so that one which
 * has grown old keeps alive everything that came after it, until a collection of the whole heap.
 */
class Place {
  before: Place = this
  after: Place = this

  leave(): void {
    this.before.after = this.after
    this.after.before = this.before
    this.before = this
    this.after = this
  }
}

export class PendingCall extends Place implements RecordedCall {
  readonly id: string
  /** The newest that is known of it. */
  line: string
  /** What the line says, until it has its outcome. */
  decided: CallEvent | undefined
  /** The sweep after which it was decided. */
  readonly sweep: number
  /** The spool segment that holds its decision, and the bytes there. */
  segment: Segment | undefined = undefined
  bytes: number
  /** It waits for a commit, or one is on its way. */
  queued = false

  constructor(id: string, line: string, decided: CallEvent | undefined, sweep: number) {
    super()
    this.id = id
    this.line = line
    this.decided = decided
    this.sweep = sweep
    // Escaped and mostly ASCII: characters are near enough to bytes.
    this.bytes = line.length
  }
}

/** Oldest first. */
export class Undecided extends Place {
  size = 0

  add(call: PendingCall): void {
    call.after = this
    call.before = this.before
    this.before.after = call
    this.before = call
    this.size += 1
  }

  /** `false` when it was not among them. */
  remove(call: PendingCall): boolean {
    if (call.after === call) return false
    call.leave()
    this.size -= 1
    return true
  }

  first(): PendingCall | undefined {
    return this.after instanceof PendingCall ? this.after : undefined
  }
}
