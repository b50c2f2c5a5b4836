// The token a caller came with, where it may be shown to its own authorization server. Everywhere else it stays here (catalogue row C11).
import type { Caller } from '../caller.ts'
import { CredentialFailed } from '../credential.ts'

export type PresentedToken = (caller: Caller) => string

/** `header`: the field that carries bearer tokens, lower case, as the door reads it. Throws CredentialFailed. */
export function presentedToken(header: string): PresentedToken {
  return ({ principal, rawHeaders }) => {
    // Our own tokens are for us alone (RFC 8707 §2): exchanged elsewhere, they would be shown to somebody else.
    if (principal.method !== 'external_token')
      throw new CredentialFailed(
        'not_presented',
        `A caller known by ${principal.method} has no token that can be exchanged: only tokens of auth.issuers can.`,
      )
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
