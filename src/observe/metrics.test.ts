// Names and movements of the numbers.
import { describe, expect, it } from 'vitest'
import { createMetrics } from './metrics.ts'

const value = (text: string, series: string) =>
  text
    .split('\n')
    .find((line) => line.startsWith(`${series} `))
    ?.split(' ')[1]

describe('createMetrics', () => {
  it('has the names of the dashboards before anything happened', async () => {
    const { contentType, text } = await createMetrics({ users: 'plain' }).expose()
    expect(contentType).toMatch(/^text\/plain/)
    for (const name of [
      'mcp_auth_attempts_total',
      'mcp_auth_success_total',
      'mcp_auth_failures_total',
      'mcp_proxy_header_missing',
      'mcp_auth_latency_seconds',
      'mcp_authenticated_requests_total',
      'portcullis_decisions_total',
      'process_resident_memory_bytes',
      'process_cpu_seconds_total',
    ])
      expect(text).toContain(`# TYPE ${name} `)
    expect(value(text, 'mcp_auth_attempts_total')).toBe('0')
    expect(value(text, 'mcp_proxy_header_missing')).toBe('0')
    expect(Number(value(text, 'process_resident_memory_bytes'))).toBeGreaterThan(1e6)
  })

  it('moves with attempts', async () => {
    const metrics = createMetrics({ users: 'plain' })
    metrics.authAttempt('success', 0.002, 'ann@example.com')
    metrics.authAttempt('expired', 0.001)
    metrics.authAttempt('expired', 0.001, 'never@example.com')
    metrics.proxyHeaderMissing()
    const { text } = await metrics.expose()
    expect(value(text, 'mcp_auth_attempts_total')).toBe('3')
    expect(value(text, 'mcp_auth_success_total')).toBe('1')
    expect(value(text, 'mcp_auth_failures_total{reason="expired"}')).toBe('2')
    expect(value(text, 'mcp_auth_latency_seconds_count')).toBe('3')
    expect(value(text, 'mcp_authenticated_requests_total{user="ann@example.com"}')).toBe('1')
    expect(value(text, 'mcp_proxy_header_missing')).toBe('1')
    expect(text).not.toContain('never@')
  })

  it('moves with decisions, requests and upstreams, and reads gauges when asked', async () => {
    const metrics = createMetrics({ users: 'off' })
    let open = 1
    metrics.watch({ streamsOpen: () => open, auditWaiting: () => 7 })
    metrics.decision('deny', 'no_rule_allows', 'github')
    metrics.request('mcp', 403, 0.004)
    metrics.upstream('github', 'answered')
    open = 5
    const { text } = await metrics.expose()
    expect(value(text, 'portcullis_decisions_total{decision="deny",reason="no_rule_allows",server="github"}')).toBe('1')
    expect(value(text, 'portcullis_requests_total{door="mcp",status="403"}')).toBe('1')
    expect(value(text, 'portcullis_request_duration_seconds_bucket{le="0.005",door="mcp"}')).toBe('1')
    expect(value(text, 'portcullis_upstream_requests_total{server="github",outcome="answered"}')).toBe('1')
    expect(value(text, 'portcullis_streams_open')).toBe('5')
    expect(value(text, 'portcullis_audit_waiting')).toBe('7')
  })

  it.each([
    ['plain', 'ann@example.com', true],
    ['hashed', 'ann@example.com', false],
    ['off', 'ann@example.com', false],
  ] as const)('names users %s', async (users, user, named) => {
    const metrics = createMetrics({ users })
    metrics.authAttempt('success', 0.001, user)
    const { text } = await metrics.expose()
    expect(text.includes(user)).toBe(named)
    expect(/mcp_authenticated_requests_total\{user="[0-9a-f]{16}"\} 1/.test(text)).toBe(users === 'hashed')
    expect(text.includes('mcp_authenticated_requests_total{')).toBe(users !== 'off')
  })

  it('names a thousand users and no more', async () => {
    const metrics = createMetrics({ users: 'plain' })
    for (let number = 0; number < 1010; number++) metrics.authAttempt('success', 0.001, `u${number}`)
    metrics.authAttempt('success', 0.001, 'u0')
    const { text } = await metrics.expose()
    expect(text.match(/^mcp_authenticated_requests_total\{/gm)).toHaveLength(1001)
    expect(value(text, 'mcp_authenticated_requests_total{user="other"}')).toBe('10')
    expect(value(text, 'mcp_authenticated_requests_total{user="u0"}')).toBe('2')
  })
})

it('servers behind the gate are told of as they are when it is asked', async () => {
  const metrics = createMetrics({ users: 'plain' })
  const figures = {
    inFlight: 3,
    queued: 1,
    breaker: 'half-open' as const,
    refused: { busy: 7, busy_principal: 8, resting: 9 },
  }
  metrics.watch({
    upstreams: () => [
      { id: 'a', figures },
      { id: 'b', figures: { ...figures, inFlight: 0, breaker: 'open' } },
    ],
  })
  const { text } = await metrics.expose()
  expect(text.split('\n').filter((line) => line.startsWith('mcp_upstream'))).toEqual([
    'mcp_upstream_in_flight{server="a"} 3',
    'mcp_upstream_in_flight{server="b"} 0',
    'mcp_upstream_queued{server="a"} 1',
    'mcp_upstream_queued{server="b"} 1',
    'mcp_upstream_breaker_state{server="a"} 1',
    'mcp_upstream_breaker_state{server="b"} 2',
    'mcp_upstream_refused_total{server="a",reason="busy"} 7',
    'mcp_upstream_refused_total{server="a",reason="busy_principal"} 8',
    'mcp_upstream_refused_total{server="a",reason="resting"} 9',
    'mcp_upstream_refused_total{server="b",reason="busy"} 7',
    'mcp_upstream_refused_total{server="b",reason="busy_principal"} 8',
    'mcp_upstream_refused_total{server="b",reason="resting"} 9',
  ])
  expect(text).toContain('# TYPE mcp_upstream_refused_total counter')
})
