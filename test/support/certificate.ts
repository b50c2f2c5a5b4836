// A self-signed certificate for 127.0.0.1 and localhost, made on the spot: X.509 (RFC 5280 §4.1) in the few bytes it takes.
import { createAuthority } from './authority.ts'

export interface Certificate {
  readonly key: string
  readonly cert: string
}

/** It is its own issuer: whoever trusts it trusts it as one. */
export const createCertificate = (): Certificate =>
  createAuthority('localhost', { sans: { dns: ['localhost'], ip: ['127.0.0.1'] } })
