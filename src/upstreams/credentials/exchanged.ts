// A credential that a person's token is exchanged for: had once a token, used while it lasts, never another person's.
import { createHash } from 'node:crypto'
import type { TokenNeeds } from '../authorization-server/token-endpoint.ts'
import type { Caller } from '../caller.ts'
import type { Credential } from '../credential.ts'
import { type Had, heldEach } from '../held.ts'
import type { Given } from '../upstream.ts'
import type { SubjectToken } from './subject-token.ts'

export function exchangedCredential(
  needs: Pick<TokenNeeds, 'clock' | 'onFailure'>,
  subjectOf: (caller: Caller | undefined) => SubjectToken,
  exchange: (token: string) => Promise<Had<Given>>,
): Credential {
  const heldFor = heldEach<Given>(needs)
  // Of a token its digest alone is kept.
  const digest = (key: string) => createHash('sha256').update(key).digest('base64url')
  return {
    personal: true,
    given(caller) {
      const { key, read } = subjectOf(caller)
      return heldFor(digest(key)).get(async () => exchange(await read()))
    },
    async renewed(caller, given) {
      const { key, read } = subjectOf(caller)
      return heldFor(digest(key)).replace(given, async () => exchange(await read()))
    },
  }
}
