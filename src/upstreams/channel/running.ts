// One life of a channel: opened, initialized, spoken over by many, ended.
import type { RpcNotification } from '../../protocol/jsonrpc.ts'
import { type ChannelInitialization, UpstreamError } from '../upstream.ts'
import { handshake } from './handshake.ts'
import { type Multiplex, openMultiplex } from './multiplex.ts'
import type { OpenTransport } from './transport.ts'

export interface Running {
  readonly calls: Pick<Multiplex, 'call' | 'tell'>
  /** Rejects with UpstreamError when the server does not get that far. */
  readonly initialization: Promise<ChannelInitialization>
  /** Settles, with the reason, when the channel is closed and every call has its answer. */
  readonly ended: Promise<UpstreamError>
  stop(): Promise<void>
}

export interface Patience {
  /** Longest wait for the first sign of an answer, and the longest silence after it. */
  readonly requestTimeout: number
  readonly idleTimeout: number
}

export function launch(
  open: OpenTransport,
  needs: Patience & {
    readonly declares: boolean
    onNotification(message: RpcNotification): void
    onJunk(text: string): void
  },
): Running {
  const { requestTimeout, idleTimeout, declares, onNotification, onJunk } = needs
  const calls = openMultiplex({
    requestTimeout,
    idleTimeout,
    write: (message, headers) => transport.send(message, headers),
    onNotification,
    onJunk,
  })
  const transport = open(calls)

  let trouble: UpstreamError | undefined
  const ended = transport.ended.then((end) => {
    const failure = trouble ?? end
    calls.fail(failure.reason, failure.message)
    return failure
  })
  const initialization = transport.ready
    .then(() => handshake({ call: calls.call, notify: (message) => transport.send(message), declares }))
    .catch(async (error) => {
      // It runs, but is no use as it is: a fresh one is started after the back-off.
      if (error instanceof UpstreamError && error.reason !== 'exited') trouble ??= error
      void transport.stop()
      throw error instanceof UpstreamError && error.reason === 'exited' ? await ended : error
    })
  return { calls, initialization, ended, stop: transport.stop }
}
