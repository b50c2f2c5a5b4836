// The era in which a server is spoken to for a client: the client's own where the server speaks both. What is asked of the client in
// between has a way of its own in each era, and no other way leads through. MCP 2026-07-28, Versioning.
import type { Clock } from '../../protocol/clock.ts'
import { type RemoteUpstream, type Upstream, UpstreamError } from '../../upstreams/upstream.ts'
import { closeUpstreamSession, HandshakeRefused, openUpstreamSession } from '../bridge/handshake.ts'
import { OUR_HELLO } from '../bridge/hello.ts'
import { openingSignal, unlessAborted } from '../bridge/patience.ts'
import type { UpstreamEras } from '../bridge/upstream-era.ts'
import type { Era } from '../era.ts'

export interface SpokenEras {
  /** At once, where it was asked for a moment ago. */
  known(upstream: Upstream, client: Era): Era | undefined
  /** Rejects with UpstreamError. */
  eraFor(upstream: Upstream, client: Era, signal: AbortSignal): Promise<Era>
  /** Whether bytes can go through. Never rejects for what a server does: one that says nothing now fails where it is asked. */
  speaks(upstream: Upstream, client: Era): boolean | Promise<boolean>
}

const BELIEVED = 10 * 60_000
/** Whoever finds out that a server has changed tells `eraOf`, which is asked again so often. */
const AT_ONCE = 5000

export function createSpokenEras({
  eraOf,
  clock,
}: Pick<UpstreamEras, 'eraOf'> & { readonly clock: Clock }): SpokenEras {
  const known = new WeakMap<RemoteUpstream['pool'], { era: Promise<Era>; until: number }>()

  function besides(upstream: RemoteUpstream): Promise<Era> {
    const held = known.get(upstream.pool)
    if (held !== undefined && clock() < held.until) return held.era
    const asked = { era: shakesHands(upstream), until: clock() + BELIEVED }
    known.set(upstream.pool, asked)
    // A failure decides nothing.
    asked.era.catch(() => {
      if (known.get(upstream.pool) === asked) known.delete(upstream.pool)
    })
    return asked.era
  }

  const told = { modern: createTold(clock), legacy: createTold(clock) }

  async function ask(upstream: Upstream, client: Era, signal: AbortSignal): Promise<Era> {
    const era = await eraOf(upstream, signal)
    if (era === client || client === 'modern' || upstream.kind === 'channel') return era
    return unlessAborted(besides(upstream), signal)
  }

  async function eraFor(upstream: Upstream, client: Era, signal: AbortSignal): Promise<Era> {
    const era = await ask(upstream, client, signal)
    told[client].keep(upstream, era)
    return era
  }

  async function asksWhether(upstream: Upstream, client: Era): Promise<boolean> {
    try {
      return (await eraFor(upstream, client, openingSignal(upstream))) === client
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error
      return true
    }
  }

  return {
    known: (upstream, client) => told[client].find(upstream),
    eraFor,
    speaks(upstream, client) {
      if (upstream.kind === 'channel') return client === 'legacy'
      const era = told[client].find(upstream)
      return era === undefined ? asksWhether(upstream, client) : era === client
    },
  }
}

/** By its connections: the same server, whoever it is asked for. */
const keyOf = (upstream: Upstream): object => (upstream.kind === 'remote' ? upstream.pool : upstream)

function createTold(clock: Clock) {
  const eras = new WeakMap<object, { era: Era; at: number }>()
  return {
    keep: (upstream: Upstream, era: Era) => void eras.set(keyOf(upstream), { era, at: clock() }),
    find(upstream: Upstream): Era | undefined {
      const held = eras.get(keyOf(upstream))
      const age = clock() - (held?.at ?? 0)
      return held !== undefined && age >= 0 && age < AT_ONCE ? held.era : undefined
    },
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
