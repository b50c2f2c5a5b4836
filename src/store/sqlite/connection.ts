// One connection to one SQLite file.
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

export const MEMORY = ':memory:'

/** Milliseconds. The wait blocks the event loop: long enough for another process's commit, too short to be felt. */
const BUSY_TIMEOUT = 250

/** FULL is on the disk when a commit returns; NORMAL may lose the last commits to a power cut, and nothing to a crash. */
export type Durability = 'FULL' | 'NORMAL'

export function openConnection(path: string, durability: Durability): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT })
  database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${durability}`)
  return database
}

/** The file holds our keys: its owner alone may read it, and SQLite gives its -wal and -shm the same mode. */
export function createFile(path: string): void {
  if (path === MEMORY) return
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  closeSync(openSync(path, 'a', 0o600))
}
