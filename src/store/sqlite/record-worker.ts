// The worker thread that writes the audit record: a FULL commit and a checkpoint cost this thread time, not the requests.
import { parentPort, workerData } from 'node:worker_threads'
import { openConnection } from './connection.ts'
import { storeFailure } from './failure.ts'
import { recordWriter } from './record-file.ts'
import { type Order, parsePath, splitLines } from './record-order.ts'

if (parentPort === null) throw new Error('This file is the start of a worker thread.')
const port = parentPort
const database = openConnection(parsePath(workerData), 'FULL')
const writer = recordWriter(database)

port.on('message', (order: Order) => {
  if (order.act === 'close') {
    database.close()
    port.close()
    return
  }
  port.postMessage({ failure: failureOf(order) })
})

function failureOf(order: Exclude<Order, { act: 'close' }>): string | undefined {
  try {
    if (order.act === 'check') writer.check()
    else writer[order.act](splitLines(order.text))
    return undefined
  } catch (error) {
    const failure = storeFailure(error)
    return failure instanceof Error ? failure.message : String(failure)
  }
}
