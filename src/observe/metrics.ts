// The numbers, in Prometheus text. Names beginning with `mcp_` are those of the seed systems' dashboards and alerts.
import { createHash } from 'node:crypto'
import type { MetricsConfig } from '../config/audit.ts'
import { processFamilies } from './process-metrics.ts'
import { counter, EXPOSITION_TYPE, exposition, type Family, gauge, histogram, readings } from './series.ts'

const MOST_USERS = 1000
/** Servers and reasons come from the configuration and our own words; the cap is for the day one of them does not. */
const MOST_VALUES = 2000
const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

export interface Metrics {
  /** `result` is `success`, or the reason of the refusal. `user` is who succeeded. */
  authAttempt(result: string, seconds: number, user?: string): void
  proxyHeaderMissing(): void
  decision(decision: 'allow' | 'deny', reason: string, server: string): void
  /** `door` is one of ours, or `other`. */
  request(door: string, status: number, seconds: number): void
  upstream(server: string, outcome: string): void
  /** `answer` is `yes`, `no`, or why there was none. */
  decisionPoint(point: string, answer: string): void
  /** Read at every scrape; the last ones given count. */
  watch(gauges: Partial<Gauges>): void
  expose(): Promise<{ contentType: string; text: string }>
}

/** Of one server behind the gate. */
export interface UpstreamFigures {
  readonly id: string
  readonly figures: {
    readonly inFlight: number
    readonly queued: number
    readonly breaker: 'closed' | 'half-open' | 'open'
    readonly refused: Readonly<Record<'busy' | 'busy_principal' | 'resting', number>>
  }
}

interface Gauges {
  upstreams(): readonly UpstreamFigures[]
  streamsOpen(): number
  auditWaiting(): number
  limitsInStore(): number
}

export function createMetrics({ users }: Pick<MetricsConfig, 'users'>): Metrics {
  const attempts = counter('mcp_auth_attempts_total', 'Credentials that were examined.')
  const successes = counter('mcp_auth_success_total', 'Credentials that proved someone.')
  const failures = counter('mcp_auth_failures_total', 'Credentials that were refused, by reason.', ['reason'])
  const latency = histogram('mcp_auth_latency_seconds', 'Time to examine a credential.', SECONDS)
  const missing = counter('mcp_proxy_header_missing', 'Requests of a trusted proxy without its identity header.')
  const byUser = counter('mcp_authenticated_requests_total', 'Requests with a proved identity, by user.', ['user'])
  const decisions = counter('portcullis_decisions_total', 'Answers of policy.', ['decision', 'reason', 'server'])
  const requests = counter('portcullis_requests_total', 'Requests, by door and status.', ['door', 'status'])
  const durations = histogram('portcullis_request_duration_seconds', 'Time to the end of the answer.', SECONDS, 'door')
  const upstreams = counter('portcullis_upstream_requests_total', 'Requests to servers behind the gate.', [
    'server',
    'outcome',
  ])
  const points = counter('portcullis_decision_points_total', 'Questions to decision points outside, by answer.', [
    'point',
    'answer',
  ])
  let gauges: Gauges = { upstreams: () => [], streamsOpen: () => 0, auditWaiting: () => 0, limitsInStore: () => 1 }
  const families = [
    ...[attempts, successes, failures, latency, missing, byUser, decisions, requests, durations, upstreams, points],
    ...processFamilies(),
    gauge('portcullis_streams_open', 'Streams that are open.', () => gauges.streamsOpen()),
    gauge('portcullis_audit_waiting', 'Calls the audit store has not taken yet.', () => gauges.auditWaiting()),
    ...upstreamFamilies(() => gauges.upstreams()),
    gauge('portcullis_limits_in_store', '1; 0 while limits are counted by this replica alone.', () =>
      gauges.limitsInStore(),
    ),
  ]

  const userLabel = cappedLabels(MOST_USERS, users === 'hashed' ? pseudonym : (user) => user)
  const reasonLabel = cappedLabels(MOST_VALUES, (reason) => reason)
  const serverLabel = cappedLabels(MOST_VALUES, (server) => server)

  return {
    authAttempt(result, seconds, user) {
      attempts.count += 1
      latency.observe(seconds)
      if (result !== 'success') {
        failures.at(reasonLabel(result)).count += 1
        return
      }
      successes.count += 1
      if (user !== undefined && users !== 'off') byUser.at(userLabel(user)).count += 1
    },
    proxyHeaderMissing() {
      missing.count += 1
    },
    decision(decision, reason, server) {
      decisions.at(decision).at(reasonLabel(reason)).at(serverLabel(server)).count += 1
    },
    request(door, status, seconds) {
      requests.at(door).at(status).count += 1
      durations.observe(seconds, door)
    },
    upstream(server, outcome) {
      upstreams.at(serverLabel(server)).at(outcome).count += 1
    },
    decisionPoint(point, answer) {
      points.at(point).at(answer).count += 1
    },
    watch(next) {
      gauges = { ...gauges, ...next }
    },
    expose: async () => ({ contentType: EXPOSITION_TYPE, text: exposition(families) }),
  }
}

const BREAKER = { closed: 0, 'half-open': 1, open: 2 } as const

/** How each server behind the gate is kept from taking the others down with it. */
function upstreamFamilies(read: () => readonly UpstreamFigures[]): Family[] {
  const each = (of: (figures: UpstreamFigures['figures']) => number) => () =>
    read().map(({ id, figures }) => [{ server: id }, of(figures)] as const)
  return [
    readings(
      { name: 'mcp_upstream_in_flight', help: 'Calls under way at a server.' },
      each(({ inFlight }) => inFlight),
    ),
    readings(
      { name: 'mcp_upstream_queued', help: 'Calls that wait for a place at it.' },
      each(({ queued }) => queued),
    ),
    readings(
      { name: 'mcp_upstream_breaker_state', help: '0 called, 1 tried by one call, 2 left alone.' },
      each(({ breaker }) => BREAKER[breaker]),
    ),
    readings(
      { name: 'mcp_upstream_refused_total', help: 'Calls sent away without asking it, by reason.', kind: 'counter' },
      () =>
        read().flatMap(({ id, figures: { refused } }) =>
          (['busy', 'busy_principal', 'resting'] as const).map(
            (reason) => [{ server: id, reason }, refused[reason]] as const,
          ),
        ),
    ),
  ]
}

/** The first `most` values as they are made, every later one `other`: a label that grows without end ends the process. */
function cappedLabels(most: number, make: (value: string) => string): (value: string) => string {
  const labels = new Map<string, string>()
  return (value) => {
    const known = labels.get(value)
    if (known !== undefined) return known
    if (labels.size >= most) return 'other'
    const label = make(value)
    labels.set(value, label)
    return label
  }
}

/** The same on every replica and after every start, so that series go on. It hides names from a dashboard, not from a list of them. */
function pseudonym(user: string): string {
  return createHash('sha256').update(user).digest('hex').slice(0, 16)
}
