// The suites of the listener a second time, over TLS (`npm test -- --project tls`): the same bytes inside, another transport around them.
import type { Socket } from 'node:net'
import { connect } from 'node:tls'
import { createTlsFolder, type TlsFolder, trust } from './tls.ts'

let folder: TlsFolder | undefined

/** `server.tls` of every gate of this process; `undefined` in a usual run. */
export function tlsOfThisRun(): TlsFolder['tls'] | undefined {
  if (process.env['PORTCULLIS_TEST_TLS'] !== '1') return undefined
  if (folder === undefined) {
    folder = createTlsFolder()
    trust(folder.authority)
    process.once('exit', folder.remove)
  }
  return folder.tls
}

/** What is written to the answer goes through the socket, encrypted where this run is. One that is closed meanwhile is handed back closed. */
export async function wrapped(socket: Socket): Promise<Socket> {
  if (folder === undefined) return socket
  // `allowHalfOpen` is missing from the types (Node's documentation of tls.connect has it).
  const options = { socket, ca: folder.authority.cert, servername: 'localhost', allowHalfOpen: true }
  const secure = connect(options)
  secure.on('error', () => undefined)
  await new Promise((resolve) => secure.once('secureConnect', resolve).once('close', resolve))
  return secure
}
