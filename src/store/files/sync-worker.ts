// The worker thread that waits until the record is on the disk. Files belong to the process: the thread is told their number.
import { accessSync, closeSync, fdatasyncSync, fsyncSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { parentPort } from 'node:worker_threads'
import type { Answer, Order, SyncOrder } from './sync-order.ts'

if (parentPort === null) throw new Error('This file is the start of a worker thread.')
const port = parentPort

port.on('message', (order: Order) => {
  if (order.act === 'close') port.close()
  else port.postMessage({ failure: sync(order) } satisfies Answer)
})

function sync({ file, path, isNew }: SyncOrder): string | undefined {
  try {
    fdatasyncSync(file)
    // A file that was deleted or renamed takes all that is written to it, and nobody will read it.
    accessSync(path)
    if (isNew) syncFolder(dirname(path))
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function syncFolder(path: string): void {
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}
