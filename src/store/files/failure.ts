// What an error of the file system means to the record: at the start to the operator, at run time to a caller.
import { OperatorError, StoreUnavailable } from '../../protocol/errors.ts'

const SAYINGS: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the disk is read-only',
  EIO: 'the disk cannot be read or written',
  EMFILE: 'the process has too many files open',
  ENOENT: 'its folder is gone',
  EACCES: 'this user may not write there',
}

export function diskFailure(error: unknown): unknown {
  const code = codeOf(error)
  if (code === undefined) return error
  return new StoreUnavailable(`The record cannot be written now: ${SAYINGS[code] ?? code}.`, { cause: error })
}

export function folderFailure(error: unknown, folder: string): unknown {
  const code = codeOf(error)
  if (code === undefined) return error
  return new OperatorError(
    `The folder ${folder} of the audit record cannot be opened for writing (${pathOf(error)}${code}). Make it exist on a disk with free ` +
      'space, it and all files in it writable for this user, or set store.directory to one that is.',
    { cause: error },
  )
}

export const laterRelease = (folder: string, file: string): OperatorError =>
  new OperatorError(
    `The audit record in ${folder} was written by a later release of Portcullis (${file}). Nothing was changed. Start that release, or ` +
      'set store.directory to another folder.',
  )

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined

const pathOf = (error: unknown): string =>
  error instanceof Error && 'path' in error && typeof error.path === 'string' ? `${error.path}: ` : ''

export function ignoreGone(error: unknown): void {
  if (codeOf(error) !== 'ENOENT') throw error
}
