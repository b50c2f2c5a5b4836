// A sign of life on a stream whose events are each written whole: a comment now and then keeps what is on the way from closing it.
import type { ServerResponse } from 'node:http'

/** HTML standard §9.2.6: a line that begins with a colon is a comment. */
export const ALIVE = ':\n\n'

/** Every so many milliseconds, until the stream ends; 0 is never. */
export function keepAlive(res: ServerResponse, every: number): void {
  if (every === 0 || res.closed) return
  const timer = setInterval(() => {
    // Who has not read what was said before is not waiting for this.
    if (res.writableLength === 0 && !res.writableEnded) res.write(ALIVE)
  }, every).unref()
  res.once('close', () => clearInterval(timer))
}
