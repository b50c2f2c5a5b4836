// The era of each server, asked once and believed for a while: servers are upgraded, and taken back.
// MCP 2026-07-28, Versioning.
import type { Clock } from '../../protocol/clock.ts'
import type { RemoteUpstream, Upstream } from '../../upstreams/upstream.ts'
import type { Era } from '../era.ts'
import { openingSignal, unlessAborted } from './patience.ts'

export interface UpstreamEras {
  /** Rejects with UpstreamError; a failure decides nothing, and the next one who asks tries again. */
  eraOf(upstream: Upstream, signal: AbortSignal): Promise<Era>
  /** It did not act like a server of its era. */
  forget(upstream: RemoteUpstream): void
}

const BELIEVED = 10 * 60_000

interface Verdict {
  readonly era: Promise<Era>
  readonly until: number
}

export function createUpstreamEras(needs: {
  readonly probe: (upstream: RemoteUpstream, signal: AbortSignal) => Promise<Era>
  readonly clock: Clock
}): UpstreamEras {
  const { probe, clock } = needs
  // By its connections: the same server, whoever it is asked for.
  const verdicts = new WeakMap<RemoteUpstream['pool'], Verdict>()

  function ask(upstream: RemoteUpstream): Promise<Era> {
    const known = verdicts.get(upstream.pool)
    if (known !== undefined && clock() < known.until) return known.era
    const verdict = { era: probe(upstream, openingSignal(upstream)), until: clock() + BELIEVED }
    verdicts.set(upstream.pool, verdict)
    verdict.era.catch(() => {
      if (verdicts.get(upstream.pool) === verdict) verdicts.delete(upstream.pool)
    })
    return verdict.era
  }

  return {
    async eraOf(upstream, signal) {
      // A channel is opened with the handshake.
      return upstream.kind === 'channel' ? 'legacy' : unlessAborted(ask(upstream), signal)
    },
    forget: (upstream) => void verdicts.delete(upstream.pool),
  }
}
