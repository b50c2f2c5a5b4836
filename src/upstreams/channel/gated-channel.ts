// The bound on calls, and the rest after failures, for a server that is spoken to over a channel: places are the server's, failures those
// of the instance that failed. One person's process that ends call after call is no reason to leave everybody else's alone.
import { verdictOf } from '../gate.ts'
import { type ChannelUpstream, type Gate, UpstreamError, type Verdict } from '../upstream.ts'

interface Needs {
  /** Of the server. */
  readonly gate: Gate
  /** For one caller's own instance, and for the gate's beside them. */
  readonly openGate: () => Gate
}

export function gatedChannel(server: ChannelUpstream, { gate, openGate }: Needs): ChannelUpstream {
  // An instance is the same to everybody who asks for it, wrapped too: who listens to it finds it again.
  const wrapped = new WeakMap<ChannelUpstream, ChannelUpstream>()
  const wrap = (instance: ChannelUpstream): ChannelUpstream => {
    const known = wrapped.get(instance)
    if (known !== undefined) return known
    const own = instance.personal === true ? openGate() : gate
    const made = { ...instance, request: through(instance, gate, own) }
    wrapped.set(instance, made)
    return made
  }
  const { instanceFor } = server
  return {
    ...server,
    request: through(server, gate, server.perPrincipal === true ? openGate() : gate),
    ...(instanceFor && {
      instanceFor: (...asked: Parameters<typeof instanceFor>) => wrap(instanceFor(...asked)),
    }),
  }
}

function through(channel: ChannelUpstream, places: Gate, own: Gate = places): ChannelUpstream['request'] {
  return async (message, options) => {
    await places.enter()
    let verdict: Verdict = 'neither'
    let entered = own === places
    try {
      if (!entered) await own.enter()
      entered = true
      const response = await channel.request(message, options)
      verdict = 'ok'
      return response
    } catch (error) {
      if (entered && error instanceof UpstreamError) verdict = verdictOf(error.reason)
      throw error
    } finally {
      if (own !== places && entered) own.leave(verdict)
      places.leave(own === places ? verdict : 'neither')
    }
  }
}
