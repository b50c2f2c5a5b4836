// The suites of the listener a second time, over TLS (`npm test -- --project tls`): the same bytes inside, another transport around them.
import { writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { connect } from 'node:tls'
import type { TlsConfig } from '../../src/config/server.ts'
import { type Authority, createAuthority, type Issued } from './authority.ts'
import { issueOwn, trust } from './tls.ts'

/** One for all gates of this process; every fetch trusts it. */
let identity: { readonly authority: Authority; readonly own: Issued } | undefined

/** `server.tls` of a gate whose files may stand in that folder; `undefined` in a usual run. */
export function tlsOfThisRun(folder: string): TlsConfig | undefined {
  if (process.env['PORTCULLIS_TEST_TLS'] !== '1') return undefined
  if (identity === undefined) {
    const authority = createAuthority('Test authority')
    identity = { authority, own: issueOwn(authority) }
    trust(authority)
  }
  const { own, authority } = identity
  const write = (name: string, text: string): string => {
    const path = join(folder, name)
    writeFileSync(path, text)
    return path
  }
  return {
    cert: write('gate.crt', own.cert),
    key: write('gate.key', own.key),
    clientCa: write('ca.crt', authority.cert),
    clientCert: 'optional',
    minVersion: 'TLSv1.2',
  }
}

/** What is written to the answer goes through the socket, encrypted where this run is. One that is closed meanwhile is handed back closed. */
export async function wrapped(socket: Socket): Promise<Socket> {
  if (identity === undefined) return socket
  // `allowHalfOpen` is missing from the types (Node's documentation of tls.connect has it).
  const options = { socket, ca: identity.authority.cert, servername: 'localhost', allowHalfOpen: true }
  const secure = connect(options)
  secure.on('error', () => undefined)
  await new Promise((resolve) => secure.once('secureConnect', resolve).once('close', resolve))
  return secure
}
