// Where a browser comes back to from the authorization server of a server behind us. Answers of two authorization servers come to one address
// only where each says whose it is: RFC 9700 §4.4.2, RFC 9207.
import { createHash } from 'node:crypto'
import { CONNECTION_CALLBACK_PATH } from '../../protocol/sign-in-client.ts'

export interface RedirectAddresses {
  /** Of all servers: nothing is taken there without `iss`. */
  readonly shared: string
  /** Of this server, at the one authorization server that the administrator has to do with for it. */
  readonly own: string
  /** Of this server at that authorization server, which the server has named: it may name another one later. */
  at(issuer: string): string
}

export const sharedAddress = (gate: string): string => gate + CONNECTION_CALLBACK_PATH

export const ownAddress = (gate: string, server: string): string => `${sharedAddress(gate)}/${server}`

export const redirectAddresses = (gate: string, server: string): RedirectAddresses => ({
  shared: sharedAddress(gate),
  own: ownAddress(gate, server),
  at: (issuer) => `${ownAddress(gate, server)}/${createHash('sha256').update(issuer).digest('base64url')}`,
})
