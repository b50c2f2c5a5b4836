// Is this one of our API tokens, and alive? What was proved is asked for again after some seconds and after every revocation, so that
// what happened to it at another replica counts here as soon.
import { hash, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../protocol/clock.ts'
import { BearerError, RequestError } from '../protocol/errors.ts'
import type { ApiTokenRecord, ApiTokens } from '../store/api-tokens.ts'
import { hashApiToken, isApiTokenForm, secretIdOf } from './api-token.ts'
import type { RevocationList } from './revocations.ts'

/** Longest time a rotation elsewhere goes unseen. */
const FRESH = 5_000
const MOST_HELD = 20_000
/** The last use is kept to the minute. */
const USE_STEP = 60_000

export interface LiveApiToken {
  readonly token: ApiTokenRecord
  /** Of the two secrets a rotation leaves, the one that was shown. */
  readonly secretId: string
  /** When that secret ends. */
  readonly endsAt: number
}

export interface ApiTokenVerifier {
  /** A token that was proved before, and that nothing is known to have happened to since. */
  recall(secret: string): LiveApiToken | undefined
  /** Throws BearerError `invalid_token`, RequestError 503 while revocations cannot be read. */
  verify(secret: string): Promise<LiveApiToken>
  /** Behind the answer, at most once a minute. */
  markUsed(live: LiveApiToken): void
  /** After a rotation of our own. */
  forget(): void
}

interface Held {
  readonly live: LiveApiToken
  readonly epoch: number
  readonly at: number
}

interface Needs {
  readonly tokens: Pick<ApiTokens, 'findBySecret' | 'markUsed'>
  readonly revocations: Pick<RevocationList, 'epoch' | 'isRevoked' | 'isStale'>
  secretKey(): string
  readonly clock: Clock
  onError(error: unknown): void
}

export function apiTokenVerifier({ tokens, revocations, secretKey, clock, onError }: Needs): ApiTokenVerifier {
  // By a digest: a comparison of what somebody guessed with what somebody holds would tell by its time how much of it is right.
  const held = new Map<string, Held>()
  const marked = new Map<string, number>()
  const keyOf = (secret: string): string => hash('sha256', secret, 'base64url')

  async function read(secret: string): Promise<LiveApiToken> {
    const hashed = hashApiToken(secret, secretKey())
    const token = await tokens.findBySecret(hashed)
    if (token === undefined) throw invalid('unknown_token')
    const secretId = secretIdOf(hashed)
    const { id: family, issuedAt } = token
    // Not by its person: signing somebody out everywhere takes no API token away.
    const isRevoked = revocations.isRevoked({ jti: secretId, family, client: '', subject: '', issuedAt })
    if (isRevoked || token.revokedAt !== undefined) throw invalid('revoked')
    const live = { token, secretId, endsAt: endOf(token, hashed) }
    if (live.endsAt <= clock()) throw invalid('expired')
    return live
  }

  function keep(key: string, entry: Held): void {
    // Read anew goes to the end, so that what nobody uses is forgotten first.
    held.delete(key)
    if (held.size >= MOST_HELD) held.delete(held.keys().next().value ?? '')
    held.set(key, entry)
  }

  return {
    recall(secret) {
      const known = held.get(keyOf(secret))
      if (known === undefined || known.epoch !== revocations.epoch() || revocations.isStale()) return undefined
      const now = clock()
      const age = now - known.at
      // Read later than now: the clock was set back, and its age cannot be told.
      return age >= 0 && age < FRESH && known.live.endsAt > now ? known.live : undefined
    },
    async verify(secret) {
      if (!isApiTokenForm(secret)) throw invalid('malformed')
      if (revocations.isStale())
        throw new RequestError(503, 'revocations_stale', 'The gate cannot reach its store. Try again shortly.', {
          retryAfter: 5,
        })
      const [epoch, at, key] = [revocations.epoch(), clock(), keyOf(secret)]
      try {
        const live = await read(secret)
        keep(key, { live, epoch, at })
        return live
      } catch (error) {
        held.delete(key)
        throw error
      }
    },
    markUsed({ token }) {
      const now = clock()
      const before = marked.get(token.id) ?? token.lastUsedAt ?? 0
      if (now - before < USE_STEP) return
      if (marked.size >= MOST_HELD) marked.clear()
      marked.set(token.id, now)
      setImmediate(() => void tokens.markUsed(token.id, now).catch(onError))
    },
    forget: () => held.clear(),
  }
}

/** The old secret of a rotation ends with its transition. */
function endOf({ secretHash, previousUntil, expiresAt }: ApiTokenRecord, hashed: string): number {
  if (timingSafeEqual(Buffer.from(hashed), Buffer.from(secretHash))) return expiresAt
  return previousUntil ?? 0
}

// One sentence for every cause: which check failed is for the operator, not for the caller.
const invalid = (reason: string) => new BearerError('invalid_token', reason, 'The access token is not valid here.')
