// Where a server behind us is, as far as a person's account there goes: what was connected is sent to that origin and to no other, also when
// the configuration has another address for the server later.
import type { UpstreamConfig } from '../config/servers.ts'

/** Of a server that is reached over no address. */
const PROGRAM = 'program'

/** The origin of its address, of a WebSocket that of its HTTP half. */
export const homeOf = (server: UpstreamConfig): string =>
  'url' in server ? new URL(server.url.replace(/^ws/, 'http')).origin : PROGRAM
