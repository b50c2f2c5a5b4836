// Streams end with the credential that opened them: at its expiry, and when it is revoked. Lasting ones, which no answer ends,
// also end when the gate goes away.
import type { Clock } from '../protocol/clock.ts'
import type { Principal } from '../protocol/principal.ts'
import type { RevocationList } from './revocations.ts'

const TICK = 1000

export type Ending = 'expired' | 'revoked' | 'draining'

export interface CredentialWatch {
  /** Calls `onEnd` once when the principal's credential ends, or a `lasting` stream must; answers how to stop watching. */
  watch(principal: Principal, onEnd: (reason: Ending) => void, lasting: boolean): () => void
  /** Ends the lasting streams, because the gate is going away. Answers that are under way run to their end. */
  endLasting(): void
  /** How many are watched: the open streams. */
  size(): number
  close(): void
}

interface Watched {
  readonly principal: Principal
  readonly since: number
  readonly lasting: boolean
  readonly onEnd: (reason: Ending) => void
}

export function openCredentialWatch({
  revocations,
  clock,
}: {
  revocations: Pick<RevocationList, 'isRevoked' | 'onChange'>
  clock: Clock
}): CredentialWatch {
  const watched = new Set<Watched>()
  const end = (reasonOf: (entry: Watched) => Ending | undefined): void => {
    for (const entry of watched) {
      const reason = reasonOf(entry)
      if (reason === undefined) continue
      watched.delete(entry)
      entry.onEnd(reason)
    }
  }
  revocations.onChange(() =>
    end(({ principal, since }) => {
      const { family, client, subject, tokenId } = principal
      return revocations.isRevoked({ jti: tokenId ?? '', family, client: client ?? '', subject, issuedAt: since })
        ? 'revoked'
        : undefined
    }),
  )
  const timer = setInterval(() => {
    const now = clock()
    end(({ principal }) => (principal.expiresAt !== undefined && principal.expiresAt <= now ? 'expired' : undefined))
  }, TICK)
  timer.unref()
  return {
    watch(principal, onEnd, lasting) {
      const entry = { principal, since: principal.issuedAt ?? clock(), onEnd, lasting }
      watched.add(entry)
      return () => void watched.delete(entry)
    },
    endLasting: () => end(({ lasting }) => (lasting ? 'draining' : undefined)),
    size: () => watched.size,
    close: () => clearInterval(timer),
  }
}
