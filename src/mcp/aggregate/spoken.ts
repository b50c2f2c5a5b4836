// The era in which a server is spoken to for a client: the client's own where the server speaks both. What is asked of the client in
// between has a way of its own in each era, and no other way leads through.
import type { Clock } from '../../protocol/clock.ts'
import { type RemoteUpstream, type Upstream, UpstreamError } from '../../upstreams/upstream.ts'
import { closeUpstreamSession, HandshakeRefused, openUpstreamSession } from '../bridge/handshake.ts'
import { OUR_HELLO } from '../bridge/hello.ts'
import { openingSignal, unlessAborted } from '../bridge/patience.ts'
import type { UpstreamEras } from '../bridge/upstream-era.ts'
import type { Era } from '../era.ts'

/** Rejects with UpstreamError. */
export type SpokenEra = (upstream: Upstream, client: Era, signal: AbortSignal) => Promise<Era>

const BELIEVED = 10 * 60_000

export function createSpokenEra({ eraOf, clock }: Pick<UpstreamEras, 'eraOf'> & { readonly clock: Clock }): SpokenEra {
  const known = new WeakMap<RemoteUpstream, { era: Promise<Era>; until: number }>()

  function besides(upstream: RemoteUpstream): Promise<Era> {
    const held = known.get(upstream)
    if (held !== undefined && clock() < held.until) return held.era
    const asked = { era: shakesHands(upstream), until: clock() + BELIEVED }
    known.set(upstream, asked)
    // A failure decides nothing.
    asked.era.catch(() => {
      if (known.get(upstream) === asked) known.delete(upstream)
    })
    return asked.era
  }

  return async (upstream, client, signal) => {
    const era = await eraOf(upstream, signal)
    if (era === client || client === 'modern' || upstream.kind === 'stdio') return era
    return unlessAborted(besides(upstream), signal)
  }
}

async function shakesHands(upstream: RemoteUpstream): Promise<Era> {
  try {
    closeUpstreamSession(upstream, await openUpstreamSession(upstream, OUR_HELLO, openingSignal(upstream)))
    return 'legacy'
  } catch (error) {
    // `protocol`: it settled on a revision that is not spoken here. A server that fails has decided nothing.
    if (error instanceof HandshakeRefused || (error instanceof UpstreamError && error.reason === 'protocol'))
      return 'modern'
    throw error
  }
}
