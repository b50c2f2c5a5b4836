// What an error of SQLite or of the file system means: to the operator at the start, to a caller at run time.
import { OperatorError, StoreUnavailable } from '../../protocol/errors.ts'

// Primary result codes, https://sqlite.org/rescode.html: the low byte of the extended ones.
const CORRUPT = 11
const NOT_A_DATABASE = 26
const BUSY = 5
const LOCKED = 6
const SAYINGS: Readonly<Record<number, string>> = {
  [BUSY]: 'another process holds the database',
  [LOCKED]: 'another connection holds the table',
  7: 'out of memory',
  8: 'the database is read-only',
  10: 'the disk cannot be read or written',
  [CORRUPT]: 'the database file is damaged',
  13: 'the disk is full',
  14: 'the database file cannot be opened',
  [NOT_A_DATABASE]: 'the file is not a database',
}

/** Failures of the disk, the lock or the file become StoreUnavailable; a faulty statement stays the bug that it is. */
export function storeFailure(error: unknown): unknown {
  const saying = SAYINGS[resultCode(error) ?? -1]
  if (saying !== undefined) return new StoreUnavailable(`The store cannot do this now: ${saying}.`, { cause: error })
  // node:sqlite after close(): a request that outlived the shutdown.
  if (systemCode(error) === 'ERR_INVALID_STATE') return new StoreUnavailable('The store is closed.', { cause: error })
  return error
}

/** Somebody else has the lock: a moment later it may be free. */
export const isHeld = (error: unknown): boolean => [BUSY, LOCKED].includes(resultCode(error) ?? -1)

/** What keeps the database from being opened, where, and what to do about it. */
export function openFailure(error: unknown, path: string): unknown {
  if (error instanceof OperatorError) return error
  const code = resultCode(error)
  if (code === CORRUPT || code === NOT_A_DATABASE)
    return new OperatorError(
      `The database file ${path} is damaged, or is not an SQLite database. It was left as it is. Restore it from a ` +
        `backup, or move it away together with ${path}-wal and ${path}-shm to start with an empty one.`,
      { cause: error },
    )
  if (isHeld(error))
    return new OperatorError(
      `The database file ${path} is held by another process. Wait for it to end, or end it, and start again.`,
      { cause: error },
    )
  const what = code === undefined ? systemCode(error) : (SAYINGS[code] ?? messageOf(error))
  if (what === undefined) return error
  return new OperatorError(
    `The database file ${path} cannot be opened for writing (${what}). Make its folder exist on a disk with free ` +
      'space and writable for this user, or set store.url and store.directory to one that is.',
    { cause: error },
  )
}

function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return undefined
  return error.errcode & 0xff
}

function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
