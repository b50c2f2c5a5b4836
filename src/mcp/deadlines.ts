// Deadlines of many requests on one timer: nearly all are met, and a timer of Node's for each costs more than a place in a ring.
// No Set: V8 links a set's outgrown table to the next, so that one which has grown old keeps alive all requests that came after it.

/** How late a deadline may be noticed, milliseconds. */
const TICK = 50

/** A place in a ring; one of its own begins and ends each ring. */
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

/** By length: those of one length come due in the order in which they were set. */
const rings = new Map<number, Place>()
let ticking = false

function tick(): void {
  if (ticking) return
  ticking = true
  setTimeout(check, TICK).unref()
}

export class Deadline extends Place {
  private readonly onDue: () => void
  readonly due: number

  /** Calls `onDue` once when `ms` have passed, unless it is cancelled before. Keeps no process alive. */
  constructor(ms: number, onDue: () => void) {
    super()
    this.onDue = onDue
    this.due = performance.now() + ms
    const ring = rings.get(ms) ?? new Place()
    if (ring.after === ring) rings.set(ms, ring)
    this.after = ring
    this.before = ring.before
    ring.before.after = this
    ring.before = this
    tick()
  }

  cancel(): void {
    this.leave()
  }

  fall(): void {
    this.leave()
    this.onDue()
  }
}

function check(): void {
  ticking = false
  const now = performance.now()
  for (const [ms, ring] of rings) {
    for (let first = ring.after; first instanceof Deadline && first.due <= now; first = ring.after) first.fall()
    if (ring.after === ring) rings.delete(ms)
  }
  if (rings.size > 0) tick()
}
