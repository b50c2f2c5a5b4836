// The library's Grant is our family: the tokens of one authorization, and the unit of revocation (RFC 7009 §2.1, RFC 9700 §4.14).
import type { Adapter } from 'oidc-provider'
import type { Clock } from '../protocol/clock.ts'
import type { Durable } from '../store/durable.ts'
import type { Ephemeral } from '../store/ephemeral.ts'
import type { Acts } from './acts.ts'
import { parsePayload, storedPayload } from './payload.ts'

interface Needs {
  readonly families: Durable['families']
  readonly artifacts: Ephemeral['artifacts']
  readonly acts: Acts
  readonly clock: Clock
  readonly accessTokenTtl: number
  /** Makes a revocation of our own count here at once; the other replicas hear of it within their poll. */
  onRevocation(): Promise<void>
}

export type RevokeFamily = (family: string, reason: string) => Promise<void>

export function familyRevoker({ families, artifacts, acts, clock, accessTokenTtl, onRevocation }: Needs): RevokeFamily {
  return async function revokeFamily(id, reason) {
    const now = clock()
    const family = await families.find(id, now)
    // Some access token of it may have been signed a moment ago; none lives longer than this.
    await families.revoke(id, now, now + accessTokenTtl + 60_000)
    await artifacts.removeFamily(id)
    await onRevocation()
    const known = family === undefined ? {} : { subject: family.subject, client: family.client }
    await acts.record({ act: 'family_revoked', decision: 'allow', reason, family: id, ...known })
  }
}

export function familyAdapter({
  families,
  clock,
  revokeFamily,
  reasonNow,
}: Pick<Needs, 'families' | 'clock'> & { revokeFamily: RevokeFamily; reasonNow(): string }): Adapter {
  return {
    async upsert(id, payload, ttl) {
      await families.save({
        id,
        subject: payload.accountId ?? '',
        client: payload.clientId ?? '',
        payload: storedPayload(payload),
        expiresAt: clock() + (ttl ?? 0) * 1000,
      })
    },
    async find(id) {
      const family = await families.find(id, clock())
      return family === undefined ? undefined : parsePayload(family.payload, id)
    },
    destroy: (id) => revokeFamily(id, reasonNow()),
    async consume() {},
    async revokeByGrantId() {},
    async findByUid() {},
    async findByUserCode() {},
  }
}
