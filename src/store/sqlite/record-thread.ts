// The writing thread as its orderer sees it. When it dies, what it has not answered has failed, and the next order starts another.
import { getCompileCacheDir } from 'node:module'
import { Worker } from 'node:worker_threads'
import { StoreUnavailable } from '../../protocol/errors.ts'
import type { RecordLine } from '../record-log.ts'
import type { Answer, Order } from './record-order.ts'

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

interface Pending {
  resolve(): void
  reject(error: unknown): void
}

export function recordThread(start: () => Worker): RecordThread {
  let worker: Worker | undefined
  let closed = false
  let orders = 0
  const pending = new Map<number, Pending>()

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
      for (const waiting of pending.values()) waiting.reject(failed)
      pending.clear()
    })
    worker = started
    return started
  }

  function settle({ number, failure }: Answer): void {
    const waiting = pending.get(number)
    pending.delete(number)
    if (failure === undefined) waiting?.resolve()
    else waiting?.reject(new StoreUnavailable(failure))
  }

  async function give(orderOf: (number: number) => Order): Promise<void> {
    const thread = running()
    const number = ++orders
    await new Promise<void>((resolve, reject) => {
      pending.set(number, { resolve, reject })
      thread.postMessage(orderOf(number))
    })
  }

  return {
    write: (act, lines) => give((number) => ({ number, act, lines })),
    check: () => give((number) => ({ number, act: 'check' })),
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
