// The decision record on stdout. Node writes to a pipe synchronously, so a reader that stands still would stop the gate:
// lines go through an asynchronous writer with a bound, and beyond it they are dropped here. The store still has them.
import { destination } from 'pino'
import { inTime } from '../protocol/in-time.ts'

const MOST_BYTES = 16 * 1024 ** 2
/** Milliseconds that a reader who stands still holds up the end. */
const LONGEST_CLOSE = 3000

export interface LineSink {
  /** One line, without its line feed. */
  write(line: string): void
  close(): Promise<void>
}

/** `fd`: 1 is stdout. `onDrop` hears of dropped lines, once a stretch. */
export function openLineSink({ fd, onDrop }: { fd: number; onDrop: () => void }): LineSink {
  const out = destination({ dest: fd, sync: false, maxLength: MOST_BYTES })
  const ended = Promise.withResolvers<boolean>()
  let closed = false
  let dropping = false
  out.on('drop', () => {
    if (!dropping) onDrop()
    dropping = true
  })
  out.on('drain', () => {
    dropping = false
  })
  // A reader that went away (EPIPE) is no reason to stop deciding.
  out.on('error', () => {
    onDrop()
    ended.resolve(true)
  })
  out.on('close', () => ended.resolve(true))
  return {
    write(line) {
      if (!closed) out.write(`${line}\n`)
    },
    async close() {
      closed = true
      out.end()
      if (await inTime(ended.promise, LONGEST_CLOSE, false)) return
      onDrop()
      // Or it would be tried once more at the exit, until somebody reads.
      out.destroy()
    },
  }
}
