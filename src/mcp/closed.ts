// When the answer to a client is over, whoever ended it.
import type { ServerResponse } from 'node:http'

/** `close` is told once: of a client that had left before its stream began, never again. */
export const untilClosed = (res: ServerResponse): Promise<void> =>
  res.closed ? Promise.resolve() : new Promise((resolve) => void res.once('close', resolve))
