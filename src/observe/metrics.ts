// The numbers, in Prometheus text. Names beginning with `mcp_` are those of the seed systems' dashboards and alerts.
import { createHash } from 'node:crypto'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { MetricsConfig } from '../config/audit.ts'
import { registerProcess } from './process-metrics.ts'

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
  /** Read at every scrape; the last ones given count. */
  watch(gauges: { streamsOpen(): number; auditWaiting(): number }): void
  expose(): Promise<{ contentType: string; text: string }>
}

export function createMetrics({ users }: Pick<MetricsConfig, 'users'>): Metrics {
  const registry = new Registry()
  const counter = <Label extends string>(name: string, help: string, labelNames: readonly Label[]) =>
    new Counter({ name, help, labelNames, registers: [registry] })
  const histogram = <Label extends string>(name: string, help: string, labelNames: readonly Label[]) =>
    new Histogram({ name, help, labelNames, buckets: SECONDS, registers: [registry] })

  const attempts = counter('mcp_auth_attempts_total', 'Credentials that were examined.', [])
  const successes = counter('mcp_auth_success_total', 'Credentials that proved someone.', [])
  const failures = counter('mcp_auth_failures_total', 'Credentials that were refused, by reason.', ['reason'])
  const latency = histogram('mcp_auth_latency_seconds', 'Time to examine a credential.', [])
  const missing = counter('mcp_proxy_header_missing', 'Requests of a trusted proxy without its identity header.', [])
  const byUser = counter('mcp_authenticated_requests_total', 'Requests with a proved identity, by user.', ['user'])
  const decisions = counter('portcullis_decisions_total', 'Answers of policy.', ['decision', 'reason', 'server'])
  const requests = counter('portcullis_requests_total', 'Requests, by door and status.', ['door', 'status'])
  const durations = histogram('portcullis_request_duration_seconds', 'Time to the end of the answer.', ['door'])
  const upstreams = counter('portcullis_upstream_requests_total', 'Requests to servers behind the gate.', [
    'server',
    'outcome',
  ])
  registerProcess(registry)
  let gauges = { streamsOpen: () => 0, auditWaiting: () => 0 }
  watched(registry, 'portcullis_streams_open', 'Streams that are open.', () => gauges.streamsOpen())
  watched(registry, 'portcullis_audit_waiting', 'Calls the audit store has not taken yet.', () => gauges.auditWaiting())

  const userLabel = cappedLabels(MOST_USERS, users === 'hashed' ? pseudonym : (user) => user)
  const reasonLabel = cappedLabels(MOST_VALUES, (reason) => reason)
  const serverLabel = cappedLabels(MOST_VALUES, (server) => server)

  return {
    authAttempt(result, seconds, user) {
      attempts.inc()
      latency.observe(seconds)
      if (result !== 'success') {
        failures.inc({ reason: reasonLabel(result) })
        return
      }
      successes.inc()
      if (user !== undefined && users !== 'off') byUser.inc({ user: userLabel(user) })
    },
    proxyHeaderMissing: () => missing.inc(),
    decision: (decision, reason, server) =>
      decisions.inc({ decision, reason: reasonLabel(reason), server: serverLabel(server) }),
    request(door, status, seconds) {
      requests.inc({ door, status })
      durations.observe({ door }, seconds)
    },
    upstream: (server, outcome) => upstreams.inc({ server: serverLabel(server), outcome }),
    watch(next) {
      gauges = next
    },
    expose: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  }
}

function watched(registry: Registry, name: string, help: string, read: () => number): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(read())
    },
  })
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
