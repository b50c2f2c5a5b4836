// A server over a channel that is opened at its first use, and opened again, later and later, when it ends by itself.
import type { Clock } from '../../protocol/clock.ts'
import type { RpcNotification, RpcRequest, RpcResponse } from '../../protocol/jsonrpc.ts'
import { type ChannelCall, type ChannelUpstream, type Grant, type Refused, UpstreamError } from '../upstream.ts'
import { createBackoff, type Life } from './backoff.ts'
import { createLogs } from './logs.ts'
import { CredentialRefused } from './remote/refusal.ts'
import { launch, type Patience, type Running } from './running.ts'
import type { ChannelLog } from './said.ts'
import type { OpenTransport } from './transport.ts'

/** Of one client's connection; the server has one connection, which is ours. */
const OURS_ALONE = new Set([
  'notifications/initialized',
  'notifications/cancelled',
  'notifications/progress',
  'notifications/roots/list_changed',
])

const OF_ONE_CALLER = new Set(['exited', 'upstream_unauthorized'])

export interface Channel extends ChannelUpstream {
  /** Something runs, and takes calls. */
  running(): boolean
  /** Processes or connections there are, those that are ending included. */
  open(): number
  /** Calls under way. */
  calls(): number
  /** Somebody listens, or calls. */
  wanted(): boolean
  /** Calls under way end where they are; the next one begins anew. */
  renew(): void
  /** What it failed for is no more: the next one need not wait. */
  forgive(): void
  /** Ends what runs, calls under way included; the next one begins anew. */
  rest(): Promise<void>
}

/** One opened channel and the calls at it. */
interface Held {
  readonly server: Running
  calls: number
  /** No new calls: it ends with the last of those under way. */
  retired: boolean
  /** It was we who ended it. */
  stopped: boolean
  /** The log level that it was told. */
  logLevel: string | undefined
}

export function createChannel(
  config: Patience & { readonly id: string },
  needs: {
    readonly open: OpenTransport
    readonly personal: boolean
    /** That questions are answered: by its caller, or, at the gate's own beside those of callers, so that it offers what theirs do. */
    readonly declares: boolean
    /** Called before each opening. Throws UpstreamError. */
    admit(): void
    readonly log: ChannelLog
    readonly clock: Clock
    /** What it is opened with now. */
    granted(): Grant
    /** The server did not take the credential of `before`, and has done nothing: `true` where there is another to try. */
    renewed(refused: Refused, before: Grant): Promise<boolean>
    /** How long a good run is, and how soon it may be followed by another. Default: that of a program. */
    readonly life?: Life
    /** What it says that is no message. */
    onJunk(text: string): void
    report(outcome: { ok: true } | { ok: false; reason: string }): void
  },
): Channel {
  const { clock, log, personal, declares } = needs
  const listeners = new Set<(message: RpcNotification) => void>()
  const logs = createLogs()
  const backoff = createBackoff(needs.life)
  const all = new Set<Held>()
  let current: Held | undefined
  let lastFailure: UpstreamError | undefined
  let closing = false

  const refusal = (reason: string, message: string) => new UpstreamError(reason, message)

  function held(): Held {
    if (closing) throw refusal('exited', 'The server is being stopped.')
    if (current) return current
    const wait = backoff.wait(clock())
    if (wait > 0)
      throw refusal(
        lastFailure?.reason ?? 'exited',
        `${lastFailure?.message} Next start in ${Math.ceil(wait / 1000)} s.`,
      )
    needs.admit()
    current = start()
    return current
  }

  function start(): Held {
    const startedAt = clock()
    const { requestTimeout, idleTimeout } = config
    const { onJunk } = needs
    const server = launch(needs.open, { requestTimeout, idleTimeout, declares, onNotification, onJunk })
    const own: Held = { server, calls: 0, retired: false, stopped: false, logLevel: undefined }
    all.add(own)
    function onNotification(message: RpcNotification): void {
      // The last words of one that was replaced are about what is no more.
      if (own.retired) return
      logs.accept(message)
      for (const listener of [...listeners]) listener(message)
    }
    void server.ended.then((failure) => {
      all.delete(own)
      if (current === own) current = undefined
      if (own.stopped || own.retired) return
      lastFailure = failure
      backoff.failed(startedAt, clock())
      log.warn({ server: config.id, reason: failure.reason, error: failure }, 'server ended')
      // What one person's channel dies of may be that person's credential.
      if (!personal || !OF_ONE_CALLER.has(failure.reason)) needs.report({ ok: false, reason: failure.reason })
    })
    server.initialization.then(
      () => needs.report({ ok: true }),
      () => log.debug({ server: config.id }, 'no initialization'), // `ended` tells why
    )
    return own
  }

  /** A server may refuse it: the call goes on all the same. */
  async function tellLogLevel(own: Held): Promise<void> {
    const { capabilities } = await own.server.initialization
    const level = logs.level()
    if (level === undefined || level === own.logLevel || capabilities['logging'] === undefined) return
    const message = { jsonrpc: '2.0' as const, id: 0, method: 'logging/setLevel', params: { level } }
    await own.server.calls.call(message, { signal: new AbortController().signal, onNotification() {} })
    own.logLevel = level
  }

  async function ask(own: Held, message: RpcRequest, options: ChannelCall): Promise<RpcResponse> {
    own.calls += 1
    try {
      await tellLogLevel(own)
      // It may have been stopped meanwhile, and nobody answers any more.
      if (own.stopped || !all.has(own)) throw refusal('exited', 'The server has ended.')
      return await own.server.calls.call(message, options)
    } finally {
      own.calls -= 1
      if (own.retired && own.calls === 0) void stop(own)
    }
  }

  /** Tried once more, with another credential, where the server did not take the one it was given. */
  async function withAnother<T>(attempt: (own: Held) => Promise<T>): Promise<T> {
    const own = held()
    const before = needs.granted()
    try {
      return await attempt(own)
    } catch (error) {
      if (!(error instanceof CredentialRefused) || !(await needs.renewed(error.refused, before))) throw error
      // Many calls are refused together; the first of them has opened another by now.
      if (current === own) renew()
      backoff.forgive()
      return attempt(held())
    }
  }

  function renew(): void {
    const own = current
    if (own === undefined) return
    current = undefined
    own.retired = true
    if (own.calls === 0) void stop(own)
  }

  function stop(own: Held): Promise<void> {
    own.stopped = true
    if (current === own) current = undefined
    return own.server.stop()
  }

  return {
    kind: 'channel',
    id: config.id,
    requestTimeout: config.requestTimeout,
    personal,
    initialize: () => withAnother((own) => own.server.initialization),
    async request(message, options) {
      // The one initialization is ours; a second would reset the server under everybody.
      if (message.method === 'initialize') throw refusal('protocol', 'This server is initialized already.')
      if (!personal) return withAnother((own) => ask(own, message, { ...options, onRequest: undefined }))
      const end = options.logs && logs.begin(options.logs)
      try {
        return await withAnother((own) => ask(own, message, options))
      } finally {
        end?.()
      }
    },
    ...(personal && {
      async wantLogs(level: string) {
        logs.want(level)
        await withAnother(tellLogLevel)
      },
    }),
    notify(message) {
      if (!OURS_ALONE.has(message.method)) current?.server.calls.tell(message)
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    running: () => current !== undefined,
    open: () => all.size,
    calls: () => current?.calls ?? 0,
    wanted: () => listeners.size > 0 || (current?.calls ?? 0) > 0,
    renew,
    forgive: backoff.forgive,
    async rest() {
      await Promise.all([...all].map(stop))
    },
    async close() {
      closing = true
      listeners.clear()
      await Promise.all([...all].map(stop))
    },
  }
}
