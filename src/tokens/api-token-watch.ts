// What happens to API tokens by itself: they end, their rotation falls due, the old secret of a rotation has had its time.
import type { Clock } from '../protocol/clock.ts'
import type { ApiTokenNotice, ApiTokenRecord, ApiTokens } from '../store/api-tokens.ts'
import type { Revocations } from '../store/durable.ts'
import { endTransition } from './api-token-life.ts'

/** Long enough to look at what a token was; the record keeps its acts anyway. */
const DEAD_KEPT = 90 * 86_400_000

export interface ApiTokenNoticed {
  readonly act: 'token_expires_soon' | 'token_rotation_due'
  readonly token: ApiTokenRecord
}

interface Needs {
  readonly tokens: ApiTokens
  readonly revocations: Pick<Revocations, 'add'>
  /** Milliseconds before a token ends. */
  readonly expiresSoon: number
  record(noticed: ApiTokenNoticed): Promise<void>
  readonly clock: Clock
}

/** One look, for a timer; of several replicas one tells of a token. */
export async function watchApiTokens(needs: Needs): Promise<void> {
  const { tokens, clock, expiresSoon } = needs
  const now = clock()
  await announce(needs, 'expiry', { now, before: now + expiresSoon })
  await announce(needs, 'rotation', { now, before: now })
  for (const token of await tokens.pastTransitions(now)) await endTransition(needs, token)
  await tokens.removeDead(now - DEAD_KEPT)
}

/** Each by itself: what cannot be recorded now is told at the next look. */
async function announce(
  { tokens, record }: Needs,
  notice: ApiTokenNotice,
  when: { now: number; before: number },
): Promise<void> {
  const act = notice === 'expiry' ? 'token_expires_soon' : 'token_rotation_due'
  const failures: unknown[] = []
  for (const token of await tokens.announce(notice, when))
    await record({ act, token }).catch(async (error: unknown) => {
      failures.push(error)
      await tokens.withdraw(notice, token.id)
    })
  if (failures.length > 0) throw failures[0]
}
