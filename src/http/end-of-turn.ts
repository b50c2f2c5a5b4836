// The end of a turn of the event loop. Requests that came in one turn and go on together share what is paid once a turn (the write of
// their decisions), and a small body, which came in one segment with its head, is there by then.

let turn: Promise<void> | undefined

export function endOfTurn(): Promise<void> {
  turn ??= new Promise((resolve) =>
    setImmediate(() => {
      turn = undefined
      resolve()
    }),
  )
  return turn
}
