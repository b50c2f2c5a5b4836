// Deadlines of many requests on one timer: nearly all are met, and a timer of Node's for each costs more than a place in a list.

/** How late a deadline may be noticed, milliseconds. */
const TICK = 50

/** By length: those of one length come due in the order in which they were set. */
const lists = new Map<number, Set<Deadline>>()
let ticking = false

function tick(): void {
  if (ticking) return
  ticking = true
  setTimeout(check, TICK).unref()
}

export class Deadline {
  private readonly list: Set<Deadline>
  private readonly onDue: () => void
  readonly due: number

  /** Calls `onDue` once when `ms` have passed, unless it is cancelled before. Keeps no process alive. */
  constructor(ms: number, onDue: () => void) {
    const list = lists.get(ms) ?? new Set()
    lists.set(ms, list)
    this.list = list
    this.onDue = onDue
    this.due = performance.now() + ms
    list.add(this)
    tick()
  }

  cancel(): void {
    this.list.delete(this)
  }

  fall(): void {
    this.list.delete(this)
    this.onDue()
  }
}

function check(): void {
  ticking = false
  const now = performance.now()
  for (const [ms, list] of lists) {
    for (const deadline of list) {
      if (deadline.due > now) break
      deadline.fall()
    }
    if (list.size === 0) lists.delete(ms)
  }
  if (lists.size > 0) tick()
}
