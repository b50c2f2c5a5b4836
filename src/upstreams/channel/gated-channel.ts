// The bound on calls, and the rest after failures, for a server that is spoken to over a channel: places are the server's, failures those
// of the instance that failed. One person's process that ends call after call is no reason to leave everybody else's alone.
import { verdictOf } from '../gate.ts'
import { type Ask, type ChannelUpstream, type Gate, UpstreamError, type Verdict } from '../upstream.ts'

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

function through(channel: ChannelUpstream, gate: Gate, own: Gate): ChannelUpstream['request'] {
  return async (message, options) => {
    const places = options.whose === undefined ? gate : gate.of(options.whose)
    await places.enter()
    const { ask: onRequest, end } = apart(options.onRequest, places)
    let verdict: Verdict = 'neither'
    let entered = own === gate
    try {
      if (!entered) await own.enter()
      entered = true
      const response = await channel.request(message, { ...options, onRequest })
      verdict = 'ok'
      return response
    } catch (error) {
      if (entered && error instanceof UpstreamError) verdict = verdictOf(error.reason)
      throw error
    } finally {
      end()
      if (own !== gate && entered) own.leave(verdict)
      places.leave(own === gate ? verdict : 'neither')
    }
  }
}

/**
 * While somebody is asked nothing goes on at the server: the place of the call is another's meanwhile. A channel is there for all calls
 * alike; a server without one keeps a connection for each, and the place with it.
 */
function apart(ask: Ask | undefined, places: Gate): { readonly ask: Ask | undefined; end(): void } {
  if (ask === undefined) return { ask, end: () => undefined }
  let open = 0
  let goOn: (() => void) | undefined
  const end = (): void => {
    goOn?.()
    goOn = undefined
  }
  const settled = (): void => {
    open -= 1
    if (open === 0) end()
  }
  return {
    ask(question, until) {
      const answer = ask(question, until)
      if (answer === undefined) return undefined
      open += 1
      goOn ??= places.aside()
      answer.then(settled, settled)
      return answer
    },
    end,
  }
}
