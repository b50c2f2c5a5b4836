// What a gate must have to be sent requests, and what it merely tells of those behind it.
import { type Check, checkOf } from './health.ts'

interface Parts {
  checkStore(): Promise<void>
  auditState(): { readonly healthy: boolean; readonly reason?: string }
  revocationsStale(): boolean
  upstreamHealth(): readonly {
    readonly id: string
    readonly state: 'unknown' | 'up' | 'down' | 'resting'
    readonly reason?: string
    readonly since?: number
  }[]
}

export function readinessOf({
  checkStore,
  auditState,
  revocationsStale,
  upstreamHealth,
}: Parts): () => Promise<Check[]> {
  return async () => {
    const { healthy, reason = '' } = auditState()
    return [
      await checkOf('store', checkStore),
      { name: 'audit', ok: healthy, ...(healthy ? {} : { reason }) },
      revocationsStale() ? { name: 'revocations', ok: false, reason: 'stale' } : { name: 'revocations', ok: true },
      ...upstreamHealth().map(({ id, state, reason: cause, since }) => ({
        name: `server:${id}`,
        // Not tried yet is neither: it is said, and counts as fit.
        ok: state === 'up' || state === 'unknown',
        state,
        ...(state === 'up' ? {} : { reason: cause ?? state }),
        ...(since !== undefined && { since: new Date(since).toISOString() }),
        detail: true,
      })),
    ]
  }
}
