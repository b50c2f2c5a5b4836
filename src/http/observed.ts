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

type AuthenticateAt = (exchange: Exchange, id: string) => Promise<Principal>

export function measured(metrics: Metrics, authenticate: AuthenticateAt): AuthenticateAt {
  return async (exchange, id) => {
    const began = performance.now()
    const seconds = () => (performance.now() - began) / 1000
    try {
      const principal = await authenticate(exchange, id)
      metrics.authAttempt('success', seconds(), principal.email ?? principal.subject)
      return principal
    } catch (error) {
      metrics.authAttempt(
        error instanceof BearerError || error instanceof RequestError ? error.reason : 'internal_error',
        seconds(),
      )
      throw error
    }
  }
}

/** Counts the answer when it has ended, a cut-off one included. */
export function counted(metrics: Metrics, door: string, clock: Clock, endpoint: Endpoint): Endpoint {
  return (exchange) => {
    exchange.res.once('close', () => metrics.request(door, exchange.res.statusCode, (clock() - exchange.at) / 1000))
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

interface FinishesDecisions<E> {
  finish(event: E): void
}

export function countedRecorder<
  E extends { readonly decision: 'allow' | 'deny'; readonly reason: string; readonly server: string },
  T extends FinishesDecisions<E>,
>(metrics: Metrics, recorder: T & FinishesDecisions<E>): T {
  return {
    ...recorder,
    finish(event: E) {
      metrics.decision(event.decision, event.reason, event.server)
      recorder.finish(event)
    },
  }
}
