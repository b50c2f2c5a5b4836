// The decision record on stdout. Node writes to a pipe synchronously, so a reader that stands still would stop the gate:
// lines go through an asynchronous writer with a bound, and beyond it they are dropped here. The store still has them.
import { destination } from 'pino'

const MOST_BYTES = 16 * 1024 ** 2

export interface LineSink {
  /** One line, without its line feed. */
  write(line: string): void
  close(): Promise<void>
}

/** `fd`: 1 is stdout. `onDrop` hears of dropped lines, once a stretch. */
export function openLineSink({ fd, onDrop }: { fd: number; onDrop: () => void }): LineSink {
  const out = destination({ dest: fd, sync: false, maxLength: MOST_BYTES })
  let dropping = false
  out.on('drop', () => {
    if (!dropping) onDrop()
    dropping = true
  })
  out.on('drain', () => {
    dropping = false
  })
  // A reader that went away (EPIPE) is no reason to stop deciding.
  out.on('error', onDrop)
  return {
    write: (line) => void out.write(`${line}\n`),
    close: () => new Promise((resolve) => out.flush(() => resolve())),
  }
}
