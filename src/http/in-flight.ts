// How many requests a handler still answers: what is replaced may go when the last of them has ended.
import type { IncomingMessage, ServerResponse } from 'node:http'

export type Handle = (req: IncomingMessage, res: ServerResponse) => void

export interface InFlight {
  readonly handle: Handle
  /** Resolves when nothing is answered any more, or after `grace` milliseconds; tells which. */
  ended(grace: number): Promise<boolean>
}

export function countInFlight(handle: Handle): InFlight {
  let count = 0
  let onEnd: (() => void) | undefined
  return {
    handle(req, res) {
      count += 1
      res.on('close', () => {
        count -= 1
        if (count === 0) onEnd?.()
      })
      handle(req, res)
    },
    ended: (grace) =>
      new Promise((resolve) => {
        if (count === 0) return resolve(true)
        const timer = setTimeout(() => resolve(false), grace)
        onEnd = () => {
          clearTimeout(timer)
          resolve(true)
        }
      }),
  }
}
