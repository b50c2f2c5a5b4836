// A call between its decision and its outcome, and those of them that have no outcome yet.
import type { CallEvent, RecordedCall } from './event.ts'

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
  /** What is recorded of it, until it has its outcome. */
  decided: CallEvent | undefined

  constructor(id: string, decided: CallEvent | undefined) {
    super()
    this.id = id
    this.decided = decided
  }
}

type Kind<Call> = abstract new (...given: never) => Call

/** Oldest first. */
export class Undecided<Call extends PendingCall> extends Place {
  size = 0
  readonly #kind: Kind<Call>

  constructor(kind: Kind<Call>) {
    super()
    this.#kind = kind
  }

  add(call: Call): void {
    call.after = this
    call.before = this.before
    this.before.after = call
    this.before = call
    this.size += 1
  }

  /** `false` when it was not among them. */
  remove(call: Call): boolean {
    if (call.after === call) return false
    call.leave()
    this.size -= 1
    return true
  }

  first(): Call | undefined {
    return this.after instanceof this.#kind ? this.after : undefined
  }
}
