// Whose own credential is asked for: a caller who is somebody.
import type { Caller } from '../caller.ts'
import { CredentialFailed } from '../credential.ts'

/** Throws CredentialFailed: whoever is nobody has none of their own, and what the gate asks for itself it asks without a person. */
export function personOf(caller: Caller | undefined): Caller {
  if (caller === undefined || caller.principal.kind === 'anonymous') throw nobody()
  return caller
}

export const subjectOf = (caller: Caller | undefined): string => personOf(caller).principal.subject

export const nobody = () => new CredentialFailed('nobody', 'There is no person whose credential could be had.')
