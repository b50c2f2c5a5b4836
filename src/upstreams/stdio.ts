// An MCP server as a child process (MCP 2025-11-25, Transports: stdio): started at its first use, one process for all callers.
import type { StdioServerConfig } from '../config/servers.ts'
import type { Clock } from '../protocol/clock.ts'
import type { RpcNotification } from '../protocol/jsonrpc.ts'
import { createBackoff } from './stdio-backoff.ts'
import { launch, type RunningServer } from './stdio-life.ts'
import type { StdioLog } from './stdio-log.ts'
import { type ChannelUpstream, UpstreamError } from './upstream.ts'

/** Of one client's connection; the child has one connection, which is ours. */
const OURS_ALONE = new Set([
  'notifications/initialized',
  'notifications/cancelled',
  'notifications/progress',
  'notifications/roots/list_changed',
])

export function createStdioUpstream(
  config: StdioServerConfig,
  needs: { log: StdioLog; clock: Clock; report(outcome: { ok: true } | { ok: false; reason: string }): void },
): ChannelUpstream {
  const { clock, log } = needs
  const listeners = new Set<(message: RpcNotification) => void>()
  const backoff = createBackoff()
  let current: RunningServer | undefined
  let lastFailure: UpstreamError | undefined
  let closing = false

  const refusal = (reason: string, message: string) => new UpstreamError(reason, message)

  function running(): RunningServer {
    if (closing) throw refusal('exited', 'The server is being stopped.')
    if (current) return current
    const wait = backoff.wait(clock())
    if (wait > 0)
      throw refusal(
        lastFailure?.reason ?? 'exited',
        `${lastFailure?.message} Next start in ${Math.ceil(wait / 1000)} s.`,
      )
    current = start()
    return current
  }

  function start(): RunningServer {
    const startedAt = clock()
    const server = launch(config, { log, clock, onNotification: publish })
    void server.ended.then((failure) => {
      current = undefined
      if (closing) return
      lastFailure = failure
      backoff.failed(startedAt, clock())
      log.warn({ server: config.id, reason: failure.reason, error: failure }, 'server ended')
      needs.report({ ok: false, reason: failure.reason })
    })
    server.initialization.then(
      () => needs.report({ ok: true }),
      () => log.debug({ server: config.id }, 'no initialization'), // `ended` tells why
    )
    return server
  }

  function publish(message: RpcNotification): void {
    for (const listener of [...listeners]) listener(message)
  }

  return {
    kind: 'channel',
    id: config.id,
    requestTimeout: config.requestTimeout,
    async initialize() {
      return running().initialization
    },
    async request(message, options) {
      // The one initialization is ours; a second would reset the server under everybody.
      if (message.method === 'initialize') throw refusal('protocol', 'This server is initialized already.')
      const server = running()
      await server.initialization
      return server.channel.call(message, options)
    },
    notify(message) {
      if (current && !OURS_ALONE.has(message.method)) current.channel.tell(message)
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async close() {
      closing = true
      await current?.stop()
      listeners.clear()
    },
  }
}
