// Authorization codes, RFC 6749 §4.1.2. Spent last, when what they bring is made and in the record: who was told to try again can.
import Provider, { type Adapter, type KoaContextWithOIDC } from 'oidc-provider'
import type { Clock } from '../protocol/clock.ts'
import type { Artifacts } from '../store/ephemeral.ts'
import { artifactAdapter } from './artifacts.ts'
import { currentCall } from './call.ts'
import type { RevokeFamily } from './families.ts'
import { sha256 } from './hash.ts'

interface Needs {
  readonly artifacts: Artifacts
  readonly clock: Clock
  /** The account is known and a code is about to be stored. */
  settleConsent(ctx: KoaContextWithOIDC): Promise<void>
}

export function codeAdapter({ artifacts, clock, settleConsent }: Needs): Adapter {
  const codes = artifactAdapter('AuthorizationCode', { artifacts, clock })
  return {
    ...codes,
    async upsert(id, payload, ttl) {
      const { ctx } = Provider
      if (!ctx) throw new TypeError('a code outside of an authorization request')
      await settleConsent(ctx)
      await codes.upsert(id, payload, ttl)
    },
    async consume(id) {
      const call = currentCall()
      if (!call) throw new TypeError('a code spent outside of a token request')
      // Deferred: the library spends it first, and what fails after that would have cost the person their sign-in.
      call.spentCode = sha256(id)
    },
  }
}

export interface SpendNeeds {
  readonly artifacts: Pick<Artifacts, 'consume'>
  readonly clock: Clock
  readonly revokeFamily: RevokeFamily
}

/** Spends the code of the answer that is about to leave. `false`: somebody was faster, and nothing may leave. */
export function codeSpender({ artifacts, clock, revokeFamily }: SpendNeeds) {
  return async function spendCode(family: string | undefined): Promise<boolean> {
    const code = currentCall()?.spentCode
    if (code === undefined) return true
    // The library has looked before; only this counts.
    if ((await artifacts.consume('AuthorizationCode', code, clock())) === 'consumed') return true
    // Lost to another replica after that look: as much a replay as one that the library sees itself.
    if (family !== undefined) await revokeFamily(family, 'code_replayed')
    return false
  }
}
