// The token a caller came with, where it may be shown to its own authorization server. Everywhere else it stays here (catalogue row C11).
import type { Caller } from '../caller.ts'
import { CredentialFailed } from '../credential.ts'

/** `issuer`: whom it is to be shown to, where that is written. Throws CredentialFailed. */
export type PresentedToken = (caller: Caller, issuer?: string) => string

interface Needs {
  /** The field that carries bearer tokens, lower case, as the door reads it. */
  readonly header: string
  /** Whose tokens are taken (`auth.issuers`). */
  readonly issuers: ReadonlySet<string>
}

export function presentedToken({ header, issuers }: Needs): PresentedToken {
  return ({ principal, rawHeaders }, issuer) => {
    // Our own tokens are for us alone (RFC 8707 §2): exchanged elsewhere, they would be shown to somebody else.
    if (principal.method !== 'external_token')
      throw new CredentialFailed(
        'not_presented',
        `A caller known by ${principal.method} has no token that can be exchanged: only tokens of auth.issuers can.`,
      )
    // One issuer's tokens are not for another. One that is no issuer here may know ours under a name of its own.
    if (issuer !== undefined && issuers.has(issuer) && principal.issuer !== issuer)
      throw new CredentialFailed('other_issuer', `A token of ${principal.issuer} is not shown to ${issuer}.`)
    const line = fieldOf(rawHeaders, header)
    if (line === undefined || !/^bearer [^\s]+$/i.test(line))
      throw new CredentialFailed('not_presented', `The field ${header} holds no token.`)
    return line.slice('bearer '.length)
  }
}

/** Of a field that comes once; of one that comes twice nobody can say which is meant. */
export function fieldOf(rawHeaders: readonly string[], name: string): string | undefined {
  let found: string | undefined
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.toLowerCase() !== name) continue
    if (found !== undefined) throw new CredentialFailed('field_twice', `The field ${name} comes twice.`)
    found = rawHeaders[at + 1] ?? ''
  }
  return found
}
