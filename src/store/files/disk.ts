// Waiting for the disk, outside of the event loop.
import { accessSync, close, fdatasync, fsync, open } from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'

// Descriptors and not FileHandles: whoever writes does so at once, and a handle that is forgotten closes what others use.
const [closeOf, fdatasyncOf, fsyncOf, openOf] = [
  promisify(close),
  promisify(fdatasync),
  promisify(fsync),
  promisify(open),
]

export interface WrittenFile {
  readonly file: number
  /** Where it has to be found afterwards. */
  readonly path: string
  /** Its name must outlast a power cut, too. */
  readonly isNew: boolean
}

/** Resolves when all that was written to the file is on the disk. Rejects with what the system says. */
export async function syncFile({ file, path, isNew }: WrittenFile): Promise<void> {
  await fdatasyncOf(file)
  // A file that was deleted or renamed takes all that is written to it, and nobody will read it. Looked up at once, in a folder that
  // the system has at hand: a way through the pool costs ten times as much.
  accessSync(path)
  if (isNew) await syncFolder(dirname(path))
}

async function syncFolder(path: string): Promise<void> {
  const folder = await openOf(path, 'r')
  try {
    await fsyncOf(folder)
  } finally {
    await closeOf(folder)
  }
}
