// Which token of a person is exchanged for another: the one they came with, or one that their provider gave at sign-in.
import type { Caller } from '../caller.ts'
import { nobody, personOf } from './person.ts'
import type { PresentedToken } from './presented.ts'
import type { SignIns, SignInToken } from './sign-in-tokens.ts'

export interface SubjectNeeds {
  readonly presented: PresentedToken
  readonly signIns: SignIns
  /** Id of the identity provider that is this issuer, if one is. */
  providerAt(issuer: string): string | undefined
}

interface Which {
  readonly subject: 'presented' | 'sign-in'
  readonly type: SignInToken
  /** Whom it is to be shown to, where that is written. */
  readonly issuer: string | undefined
}

/** Good for as long as it names the same thing: the token itself, or who the person is. */
export interface SubjectToken {
  readonly key: string
  read(): string | Promise<string>
}

/** Throws CredentialFailed. */
export function subjectToken(
  { subject, type, issuer }: Which,
  { presented, signIns, providerAt }: SubjectNeeds,
): (caller: Caller | undefined) => SubjectToken {
  const provider = issuer === undefined ? undefined : providerAt(issuer)
  return (caller) => {
    if (caller === undefined) throw nobody()
    const { principal } = caller
    if (subject === 'sign-in') {
      personOf(caller)
      return { key: principal.subject, read: () => signIns.tokenOf(principal.subject, provider, type) }
    }
    const token = presented(caller, issuer)
    return { key: `${principal.subject} ${token}`, read: () => token }
  }
}
