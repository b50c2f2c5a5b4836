// One source for as many as listen: opened for the first, closed after the last, and nobody's slowness is another's.
import type { Hear, Source } from './sources.ts'

interface Running {
  readonly stop: AbortController
  readonly ended: Promise<void>
  /** It listens, or cannot. */
  readonly opened: Promise<void>
}

export function shareSource(source: Source): Source {
  const listeners = new Set<Hear>()
  let running: Running | undefined

  function start(): Running {
    const stop = new AbortController()
    const opened = Promise.withResolvers<void>()
    const tellAll: Hear = (message) => {
      for (const hear of [...listeners]) void hear(message)
      return undefined
    }
    const ended = source.run(tellAll, stop.signal, opened.resolve).finally(() => {
      opened.resolve()
      if (running?.stop === stop) running = undefined
    })
    return { stop, ended, opened: opened.promise }
  }

  return {
    ...source,
    async run(hear, signal, onOpen) {
      if (signal.aborted) return
      // One for each listener, even where two of them are the same function.
      const listener: Hear = (message) => hear(message)
      listeners.add(listener)
      running ??= start()
      const { stop, ended, opened } = running
      void opened.then(onOpen)
      try {
        await Promise.race([ended, aborted(signal)])
      } finally {
        listeners.delete(listener)
        if (listeners.size === 0) {
          if (running?.stop === stop) running = undefined
          stop.abort()
        }
      }
    },
  }
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
