// The thread that waits for the disk, as its orderer sees it: not one of the pool's, which slow names (getaddrinfo) can keep busy for long.
// When it dies, what it has not answered has failed, and the next order starts another.
import { getCompileCacheDir } from 'node:module'
import { Worker } from 'node:worker_threads'
import { StoreUnavailable } from '../../protocol/errors.ts'
import type { Answer, Order, SyncOrder } from './sync-order.ts'

const WORKER = new URL('./sync-worker.ts', import.meta.url)

export const startThread = (): Worker =>
  new Worker(WORKER, { env: environment(), execArgv: [], resourceLimits: { maxYoungGenerationSizeMb: 1 } })

/** Nothing but the compile cache: a thread has a module loader of its own, which without it loads the type stripper (20 MB). */
function environment(): Record<string, string> {
  const cache = getCompileCacheDir()
  return cache === undefined ? {} : { NODE_COMPILE_CACHE: cache }
}

export interface SyncThread {
  /** Resolves when all that was written to the file is on the disk; rejects with StoreUnavailable. */
  sync(order: SyncOrder): Promise<void>
  close(): Promise<void>
}

interface Waiting {
  resolve(): void
  reject(error: unknown): void
}

export function syncThread(start: () => Worker): SyncThread {
  let worker: Worker | undefined
  let closed = false
  let waiting: Waiting[] = []

  function running(): Worker {
    if (closed) throw new StoreUnavailable('The store is closed.')
    if (worker !== undefined) return worker
    const started = start()
    let cause: unknown
    started.on('message', settle)
    started.on('error', (error) => {
      cause = error
    })
    started.on('exit', () => {
      worker = undefined
      const failed = new StoreUnavailable('The thread that writes the audit record has ended.', { cause })
      const unanswered = waiting
      waiting = []
      for (const { reject } of unanswered) reject(failed)
    })
    worker = started
    return started
  }

  function settle({ failure }: Answer): void {
    const first = waiting.shift()
    if (failure === undefined) first?.resolve()
    else first?.reject(new StoreUnavailable(`The record may not be on the disk: ${failure}`))
  }

  return {
    async sync(order) {
      const thread = running()
      await new Promise<void>((resolve, reject) => {
        waiting.push({ resolve, reject })
        thread.postMessage({ act: 'sync', ...order } satisfies Order)
      })
    },
    async close() {
      closed = true
      const last = worker
      if (last === undefined) return
      // Orders already given are before it in the queue, and are carried out.
      const gone = new Promise<void>((resolve) => last.once('exit', () => resolve()))
      last.postMessage({ act: 'close' } satisfies Order)
      await gone
    },
  }
}
