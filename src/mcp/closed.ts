// When the answer to a client is over, whoever ended it.
import type { ServerResponse } from 'node:http'

/** A client may have left before its stream began, and is not told of twice. */
export const untilClosed = (res: ServerResponse): Promise<void> =>
  res.closed ? Promise.resolve() : new Promise((resolve) => void res.once('close', resolve))
