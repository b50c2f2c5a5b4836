// Refresh token rotation, RFC 9700 §4.14.2: one compare-and-set per rotation, and a client that did not hear the answer may ask
// once more. Relies on the library's order: find → every check → rotateRefreshToken → consume → save → sign (asserted in test/rfc/6749).
import { createHmac, randomBytes } from 'node:crypto'
import type Provider from 'oidc-provider'
import { type Adapter, errors, type KoaContextWithOIDC } from 'oidc-provider'
import type { Clock } from '../protocol/clock.ts'
import type { RefreshTokens } from '../store/durable.ts'
import { currentCall } from './call.ts'
import { sha256 } from './hash.ts'
import { parsePayload, storedPayload } from './payload.ts'

/** Consumed at or after this time, a token may be presented again. Counted from the start of the process too, so that an outage logs nobody out. */
function retryWindowStart(now: number, window: number, startedAt: number): number {
  return now - startedAt <= window ? 0 : now - window
}

interface Needs {
  readonly refreshTokens: RefreshTokens
  readonly clock: Clock
  readonly retryWindow: number
  readonly startedAt: number
  revokeFamily(family: string, reason: string): Promise<void>
}

export function refreshAdapter({ refreshTokens, clock, retryWindow, startedAt, revokeFamily }: Needs): Adapter {
  async function rotate(
    spent: { id: string; record: { family: string; familySecret: string } },
    next: Parameters<RefreshTokens['add']>[0],
  ): Promise<void> {
    const now = clock()
    const { status } = await refreshTokens.rotate({
      oldHash: sha256(spent.id),
      next,
      now,
      windowStart: retryWindowStart(now, retryWindow, startedAt),
    })
    if (status === 'rotated' || status === 'retried') return
    if (status === 'reused') await revokeFamily(spent.record.family, 'refresh_token_reused')
    throw new errors.InvalidGrant()
  }

  return {
    async upsert(id, payload, ttl) {
      const spent = currentCall()?.refresh
      const record = {
        idHash: sha256(id),
        family: payload.grantId ?? '',
        payload: storedPayload(payload),
        familySecret: spent?.spent ? spent.record.familySecret : randomBytes(32).toString('base64url'),
        expiresAt: clock() + (ttl ?? 0) * 1000,
      }
      if (spent?.spent) await rotate(spent, record)
      else await refreshTokens.add(record)
    },
    async find(id) {
      const now = clock()
      const record = await refreshTokens.find(sha256(id), now)
      if (!record) return undefined
      const call = currentCall()
      if (call) call.refresh = { id, record, spent: false }
      const payload = parsePayload(record.payload, id)
      const { consumedAt, successorUsed } = record
      const isRetry =
        consumedAt !== undefined && !successorUsed && consumedAt >= retryWindowStart(now, retryWindow, startedAt)
      // The library revokes the family of a consumed token; inside the window, while the successor is unused, it does not hear of it.
      return consumedAt === undefined || isRetry ? payload : { ...payload, consumed: Math.floor(consumedAt / 1000) }
    },
    async consume(id) {
      const refresh = currentCall()?.refresh
      if (refresh?.id !== id) throw new TypeError('the library spent a refresh token that it had not read')
      // Deferred: consuming the old one and adding its successor are one act of the store.
      refresh.spent = true
    },
    // The family is revoked with it, in one transaction that takes its refresh tokens along.
    async destroy() {},
    async revokeByGrantId() {},
    async findByUid() {},
    async findByUserCode() {},
  }
}

/** May this refresh token be spent? RFC 8707 §2.2. */
export function rotateRefreshToken(ctx: KoaContextWithOIDC): boolean {
  const asked = ctx.oidc.params?.['resource']
  // The library spends the token before it looks at `resource`: a wrong one would cost the client its family.
  if (typeof asked === 'string' && !ctx.oidc.entities.RefreshToken?.resourceIndicators.has(asked))
    throw new errors.InvalidTarget()
  return true
}

/** Every racer with the same token derives the same successor, so that a retry can be answered without storing a token. */
export function deriveSuccessors(provider: Provider, secret: () => string): void {
  // A documented member of the library's models that its types leave out.
  const prototype: { generateTokenId(): string } = Object.assign(provider.RefreshToken.prototype)
  const random = prototype.generateTokenId
  prototype.generateTokenId = function generateTokenId() {
    const spent = currentCall()?.refresh
    if (!spent?.spent) return random.call(this)
    return createHmac('sha256', secret()).update(`${spent.record.familySecret}\0${spent.id}`).digest('base64url')
  }
}
