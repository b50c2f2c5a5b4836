// Starts the thread that writes the audit record. Plain JavaScript, and first: a thread has a module loader of its own, which
// without the process's compile cache would load the type stripper again (12 MB).
import { enableCompileCache } from 'node:module'
import { workerData } from 'node:worker_threads'

if (workerData.cache !== undefined) enableCompileCache(workerData.cache)
await import('./record-worker.ts')
