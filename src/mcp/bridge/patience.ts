// Waiting for what others may wait for too: who leaves, leaves alone.
import { failure } from './answer-events.ts'
import { faultOfAbort } from './post.ts'

/** The outcome, unless the signal ends first: then UpstreamError `timeout` or `cancelled`. What was waited for goes on. */
export async function unlessAborted<T>(outcome: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) {
    outcome.catch(() => undefined)
    throw failure(faultOfAbort(signal))
  }
  const { promise: left, reject } = Promise.withResolvers<never>()
  const leave = () => reject(failure(faultOfAbort(signal)))
  signal.addEventListener('abort', leave)
  try {
    return await Promise.race([outcome, left])
  } finally {
    signal.removeEventListener('abort', leave)
  }
}

/** Longest time that opening, or asking for the era, may take: a server that is slower than this at its first word is not there. */
const LONGEST_OPENING = 30_000

export const openingSignal = ({ requestTimeout }: { readonly requestTimeout: number }): AbortSignal =>
  AbortSignal.timeout(Math.min(requestTimeout, LONGEST_OPENING))
