// What comes before the event loop goes on, handled together: one act for all of them, and one outcome that each waits for.

export interface Turns<T> {
  /** Resolves when the turn it came in is handled; rejects with what the handler threw. */
  add(item: T): Promise<void>
  /** Handles now what this turn has gathered. */
  flush(): void
}

interface Turn<T> {
  readonly items: T[]
  readonly handled: PromiseWithResolvers<void>
}

export function turns<T>(handle: (items: readonly T[]) => void): Turns<T> {
  let turn: Turn<T> | undefined

  function flush(): void {
    if (turn === undefined) return
    const { items, handled } = turn
    turn = undefined
    try {
      handle(items)
      handled.resolve()
    } catch (error) {
      handled.reject(error)
    }
  }

  return {
    add(item) {
      if (turn === undefined) {
        turn = { items: [], handled: Promise.withResolvers() }
        process.nextTick(flush)
      }
      turn.items.push(item)
      return turn.handled.promise
    },
    flush,
  }
}
