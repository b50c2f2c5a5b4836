// The writing thread as its orderer sees it. When it dies, what it has not answered has failed, and the next order starts another.
import { getCompileCacheDir } from 'node:module'
import { Worker } from 'node:worker_threads'
import { StoreUnavailable } from '../../protocol/errors.ts'
import type { RecordLine } from '../record-log.ts'
import { type Answer, joinLines, type Order } from './record-order.ts'

const WORKER = new URL('./record-worker.ts', import.meta.url)

export const startThread = (path: string): Worker =>
  new Worker(WORKER, {
    workerData: path,
    env: environment(),
    // One batch at a time is young; a small nursery keeps the thread small.
    resourceLimits: { maxYoungGenerationSizeMb: 4 },
  })

/** Nothing but the compile cache: a thread has a module loader of its own, which without it loads the type stripper (20 MB). */
function environment(): Record<string, string> {
  const cache = getCompileCacheDir()
  return cache === undefined ? {} : { NODE_COMPILE_CACHE: cache }
}

export interface RecordThread {
  write(act: 'append' | 'restore', lines: readonly RecordLine[]): Promise<void>
  check(): Promise<void>
  close(): Promise<void>
}

interface Waiting {
  resolve(): void
  reject(error: unknown): void
}

export function recordThread(start: () => Worker): RecordThread {
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
    else first?.reject(new StoreUnavailable(failure))
  }

  async function give(order: Order): Promise<void> {
    const thread = running()
    await new Promise<void>((resolve, reject) => {
      waiting.push({ resolve, reject })
      thread.postMessage(order)
    })
  }

  return {
    write: (act, lines) => give({ act, text: joinLines(lines) }),
    check: () => give({ act: 'check' }),
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
