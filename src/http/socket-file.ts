// A unix socket to listen on: whose file it is, and what to do with one that a crash left behind.
import { lstatSync, unlinkSync } from 'node:fs'
import { connect, type Server } from 'node:net'
import { OperatorError } from '../protocol/errors.ts'

/** Owner and group may connect, nobody else: the file's permissions are who is at the door. */
const MASK = 0o117

/** What else may be in the way, by its code. */
export const SOCKET_FILE_REMEDIES: Readonly<Record<string, string>> = {
  EADDRINUSE: 'There is a file of that name. Choose another path, or move it away.',
  // libuv says the same of both.
  EACCES: 'The folder does not exist, or this account may not write into it.',
}

/** Removes a socket file that nobody answers at. Throws OperatorError for one in use, and for what is no socket. */
export async function clearSocketFile(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return
  if (!found.isSocket())
    throw new OperatorError(
      `Cannot listen on unix:${path}: there is a file that is no socket. Choose another path, or move it away.`,
    )
  const outcome = await knock(path)
  if (outcome === 'answered')
    throw new OperatorError(
      `Cannot listen on unix:${path}: another program already listens there. Stop it, or choose another path.`,
    )
  // Refused: the program that made it is gone. Anything else is not ours to judge.
  if (outcome !== 'ECONNREFUSED' && outcome !== 'ENOENT')
    throw new OperatorError(
      `Cannot listen on unix:${path}: there is a socket that cannot be reached (${outcome}). Remove it if it is stale.`,
    )
  if (outcome === 'ECONNREFUSED') unlinkSync(path)
}

const knock = (path: string): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy()
      resolve('answered')
    })
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
  })

/** Binds at once, so that the file never exists with other permissions. */
export function listenPrivately(server: Server, path: string, onListening: () => void): void {
  const before = process.umask(MASK)
  try {
    server.listen(path, onListening)
  } finally {
    process.umask(before)
  }
}
