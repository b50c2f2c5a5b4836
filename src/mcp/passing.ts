// Phase 4 of one server's endpoint: bound to its caller, the server is sent the client's bytes where both speak one era, and is spoken to
// for the client where they do not. MCP 2026-07-28, Versioning: backwards compatibility.
import type { Policy } from '../policy/policy.ts'
import type { Clock } from '../protocol/clock.ts'
import { isRecord } from '../protocol/json.ts'
import type { Marks } from '../store/ephemeral.ts'
import type { SealKey } from '../tokens/seal.ts'
import type { Binding } from '../upstreams/binding.ts'
import type { Caller } from '../upstreams/caller.ts'
import { UpstreamRefused } from '../upstreams/credential.ts'
import type { Upstream, Upstreams } from '../upstreams/upstream.ts'
import { createChannelRoute } from './channel/route.ts'
import type { Era } from './era.ts'
import { FAULTS } from './fault.ts'
import type { Edit } from './filter.ts'
import { createForward } from './forward.ts'
import type { ClientQuestions } from './held/client-questions.ts'
import type { Passage } from './passage.ts'
import { callerOf } from './reach.ts'
import type { Ending } from './relay.ts'
import { createRemoteRoute } from './remote.ts'
import { withRenewal } from './renewal.ts'
import { sendFault } from './reply.ts'
import { mayHear, type Screen, screenOf } from './screen.ts'
import { createSessions } from './session.ts'
import type { Streams } from './streams.ts'
import type { Subscriptions } from './subscriptions.ts'
import { watchingTools } from './tool-watch.ts'
import type { Visit } from './visit.ts'

export interface PassingNeeds {
  readonly clock: Clock
  readonly policy: Policy
  readonly upstreams: Pick<Upstreams, 'get' | 'report'>
  readonly binding: Binding
  /** Whether the server speaks the client's era; at once, where it was asked for a moment ago. */
  speaks(upstream: Upstream, era: Era): boolean | Promise<boolean>
  /** For a client of the other era. `edit`: what of the server's answer the caller may see. Rejects with UpstreamRefused as `withRenewal` wants it. */
  bridge(visit: Visit, edit: Edit | undefined): Promise<Ending>
  /** A server has told a client what its tools are. */
  onTools?(serverId: string, tools: readonly unknown[], caller: Caller): void
  /** Open ones at all addresses. */
  readonly streams: Streams
  /** To resources, at all addresses. */
  readonly subscriptions: Subscriptions
  readonly marks: Marks
  sealKeys(): readonly SealKey[]
  /** Asks clients of the handshake era what a server at a channel wants to know. */
  readonly asking: ClientQuestions
  /** This replica and boot. */
  readonly self: string
  readonly limits: Passage['limits']
}

export function createPassing(needs: PassingNeeds): (visit: Visit) => Promise<Ending> {
  const { policy, limits, clock, streams, subscriptions } = needs
  const sessions = createSessions({ sealKeys: needs.sealKeys, marks: needs.marks, now: clock })
  const renewal = { binding: needs.binding, report: needs.upstreams.report }
  const remote = createRemoteRoute({ forward: createForward(needs.upstreams), sessions, streams, limits })
  const channel = createChannelRoute({
    self: needs.self,
    asking: needs.asking,
    sessions,
    streams,
    subscriptions,
    limits,
  })

  return (visit) => {
    const bound = needs.binding.bind(visit.upstream, callerOf(visit))
    return bound instanceof Promise ? bound.then((upstream) => going(upstream, visit)) : going(bound, visit)
  }

  /** Most servers are given nothing that could be had anew, and speak the client's era: there nobody has to wait in between. */
  function going(bound: Upstream, visit: Visit): Promise<Ending> {
    if (bound.kind === 'remote' && bound.given !== undefined) return renewing(bound, visit)
    const same = isSame(bound, visit)
    return same === true ? passOn(bound, visit, true) : renewing(bound, visit, same)
  }

  /** `same`: where it was asked already. */
  async function renewing(bound: Upstream, visit: Visit, same?: boolean | Promise<boolean>): Promise<Ending> {
    const use = (upstream: Upstream, last: boolean) => pass(upstream, visit, last, same ?? isSame(upstream, visit))
    try {
      return await withRenewal(renewal, bound, callerOf(visit), use)
    } catch (error) {
      if (!(error instanceof UpstreamRefused)) throw error
      return sendFault(visit.exchange, visit.incoming?.id, FAULTS.upstream_unauthorized)
    }
  }

  /** Bytes go through where client and server speak one era. */
  function pass(upstream: Upstream, visit: Visit, last: boolean, same: boolean | Promise<boolean>): Promise<Ending> {
    if (same === true) return passOn(upstream, visit, last)
    const bridge = () => needs.bridge(visit, wholeEdit(screenFor(upstream, visit)))
    return same === false ? bridge() : same.then((speaks) => (speaks ? passOn(upstream, visit, last) : bridge()))
  }

  /** A session goes on as it began, whatever the server speaks by now; nobody is asked about one that is none. */
  function isSame(upstream: Upstream, { era, head, incoming, principal }: Visit): boolean | Promise<boolean> {
    if (era === 'modern' || head.session === undefined || incoming?.method === 'initialize')
      return needs.speaks(upstream, era)
    return sessions.isOne({ subject: principal.subject, server: upstream.id }, head.session)
  }

  function screenFor(upstream: Upstream, visit: Visit): Screen {
    const { onTools } = needs
    const passing = screenOf(policy, visit)
    return visit.method === 'tools/list' && onTools !== undefined
      ? watchingTools(passing, (tools) => onTools(upstream.id, tools, callerOf(visit)))
      : passing
  }

  function passOn(upstream: Upstream, visit: Visit, last: boolean): Promise<Ending> {
    const { incoming, httpMethod } = visit
    const screen = screenFor(upstream, visit)
    if (upstream.kind === 'remote') return remote(upstream, visit, screen, !last)
    const asked = { ...visit, upstream }
    if (incoming !== undefined) return channel.post(asked, incoming, wholeEdit(screen))
    if (httpMethod === 'DELETE') return channel.end(asked)
    return channel.listen(asked, mayHear(policy, visit))
  }
}

/** Where the answer is ours to write: one that is not exchanged goes on as it is. */
function wholeEdit({ edit, reword }: Screen): Edit | undefined {
  return edit ?? (reword && ((message) => reword(message) ?? (isRecord(message) ? message : undefined)))
}
