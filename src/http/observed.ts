// What is counted and logged of every request, around the doors.
import type { Log } from '../observe/log.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { Clock } from '../protocol/clock.ts'
import { BearerError, RequestError } from '../protocol/errors.ts'
import type { Principal } from '../protocol/principal.ts'
import type { Endpoint, Exchange } from './exchange.ts'
import type { Answer } from './responses.ts'

export function logRefusal(log: Log, exchange: Exchange, answer: Answer, error: unknown): void {
  const { id, path, address } = exchange
  if (answer.unexpected) log.error({ id, reason: answer.reason, path, error }, 'a request failed')
  else log.info({ id, reason: answer.reason, path, address, status: answer.status }, 'refused')
}

/** Who is known at once is answered at once. */
export function measured<Asked extends readonly unknown[]>(
  metrics: Metrics,
  authenticate: (...asked: Asked) => Principal | Promise<Principal>,
): (...asked: Asked) => Principal | Promise<Principal> {
  const proved = (principal: Principal, began: number): Principal => {
    metrics.authAttempt('success', (performance.now() - began) / 1000, principal.email ?? principal.subject)
    return principal
  }
  const refused = (error: unknown, began: number): never => {
    const known = error instanceof BearerError || error instanceof RequestError
    metrics.authAttempt(known ? error.reason : 'internal_error', (performance.now() - began) / 1000)
    throw error
  }
  return (...asked) => {
    const began = performance.now()
    let found: Principal | Promise<Principal>
    try {
      found = authenticate(...asked)
    } catch (error) {
      return refused(error, began)
    }
    if (!(found instanceof Promise)) return proved(found, began)
    return found.then(
      (principal) => proved(principal, began),
      (error: unknown) => refused(error, began),
    )
  }
}

/** Counts the answer when it has ended, a cut-off one included. */
export function counted(metrics: Metrics, door: string, clock: Clock, endpoint: Endpoint): Endpoint {
  return (exchange) => {
    exchange.res.on('close', () => metrics.request(door, exchange.res.statusCode, (clock() - exchange.at) / 1000))
    return endpoint(exchange)
  }
}

interface ReportsUpstreams {
  report(id: string, outcome: { ok: true } | { ok: false; reason: string }): void
}

export function countedUpstreams<T extends ReportsUpstreams>(metrics: Metrics, upstreams: T): T {
  return {
    ...upstreams,
    report(id, outcome) {
      metrics.upstream(id, outcome.ok ? 'ok' : outcome.reason)
      upstreams.report(id, outcome)
    },
  }
}

interface Decided {
  readonly decision: 'allow' | 'deny'
  readonly reason: string
  readonly server: string
}

interface RecordsDecisions<C, E, O> {
  finish(call: C, event: E, outcome: O): void
  record(event: E): Promise<void>
}

export function countedRecorder<C, E extends Decided, O, T extends RecordsDecisions<C, E, O>>(
  metrics: Metrics,
  recorder: T & RecordsDecisions<C, E, O>,
): T {
  const count = ({ decision, reason, server }: Decided) => metrics.decision(decision, reason, server)
  return {
    ...recorder,
    finish(call: C, event: E, outcome: O) {
      count(event)
      recorder.finish(call, event, outcome)
    },
    record(event: E) {
      count(event)
      return recorder.record(event)
    },
  }
}
