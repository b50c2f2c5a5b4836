// The worker thread that waits until the record is on the disk. Files belong to the process: the thread is told their number.
import { closeSync, fdatasyncSync, fsyncSync, openSync } from 'node:fs'
import { parentPort } from 'node:worker_threads'
import type { Answer, Order } from './sync-order.ts'

if (parentPort === null) throw new Error('This file is the start of a worker thread.')
const port = parentPort

port.on('message', (order: Order) => {
  if (order.act === 'close') port.close()
  else port.postMessage({ failure: sync(order.file, order.folder) } satisfies Answer)
})

function sync(file: number, folder: string | undefined): string | undefined {
  try {
    fdatasyncSync(file)
    if (folder !== undefined) syncFolder(folder)
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
