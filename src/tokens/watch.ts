// Streams end with the credential that opened them: at its expiry, and when it is revoked.
import type { Clock } from '../protocol/clock.ts'
import type { Principal } from '../protocol/principal.ts'
import type { RevocationList } from './revocations.ts'

const TICK = 1000

export type Ending = 'expired' | 'revoked' | 'draining'

export interface CredentialWatch {
  /** Calls `onEnd` once when the principal's credential ends; answers how to stop watching. */
  watch(principal: Principal, onEnd: (reason: Ending) => void): () => void
  /** Ends every stream, because the gate is going away. */
  endAll(): void
  /** How many are watched: the open streams. */
  size(): number
  close(): void
}

export function openCredentialWatch({
  revocations,
  clock,
}: {
  revocations: Pick<RevocationList, 'isRevoked' | 'onChange'>
  clock: Clock
}): CredentialWatch {
  const watched = new Set<{ principal: Principal; since: number; onEnd: (reason: Ending) => void }>()
  const end = (reasonOf: (entry: { principal: Principal; since: number }) => Ending | undefined): void => {
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
    watch(principal, onEnd) {
      const entry = { principal, since: principal.issuedAt ?? clock(), onEnd }
      watched.add(entry)
      return () => void watched.delete(entry)
    },
    endAll: () => end(() => 'draining'),
    size: () => watched.size,
    close: () => clearInterval(timer),
  }
}
