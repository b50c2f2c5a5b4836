// Holds the PostgreSQL server of a test run, and ends it when the run has ended: node postgres-keeper.ts PID FOLDER
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { startPostgres } from './postgres.ts'

const [run, folder] = [Number(process.argv[2]), String(process.argv[3])]

/** Written aside and renamed: whoever sees the answer sees all of it. */
function answer(words: string): void {
  writeFileSync(join(folder, 'unfinished'), words)
  renameSync(join(folder, 'unfinished'), join(folder, 'answer'))
}

function isRunning(): boolean {
  try {
    process.kill(run, 0)
    return true
  } catch {
    return false
  }
}

async function untilTheRunEnds(): Promise<void> {
  while (isRunning()) await pause(200)
}

try {
  const server = await startPostgres()
  answer(server.url)
  await untilTheRunEnds()
  await server.stop()
} catch (error) {
  answer(String(error))
  await untilTheRunEnds()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
