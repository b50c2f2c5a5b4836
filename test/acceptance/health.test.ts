// Acceptance case 8: /health and /ready answer without credentials, /ready with its causes; /metrics has the names of the seed's
// dashboards, and they move after failures.
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type Canary, startCanary } from '../support/canary.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { callTool, listTools } from '../support/mcp.ts'
import { parseSeries, type Series, sumOf } from '../support/scrape.ts'
import { freePort } from '../support/upstream.ts'

let canary: Canary
let gateway: TestGateway
beforeAll(async () => {
  canary = await startCanary()
  gateway = await startGateway({ store: 'file', servers: [{ id: 'canary', url: canary.url }] })
})
afterAll(async () => {
  await gateway?.close()
  await canary?.close()
})

const get = (path: string, headers: Record<string, string> = {}) => fetch(`${gateway.url}${path}`, { headers })

interface Readiness {
  readonly status: number
  readonly message: string
  readonly state: string
  readonly checks: readonly { readonly name: string; readonly ok: boolean; readonly reason?: string }[]
}

/** Answers of /ready are shared for a second. */
async function readiness(of = gateway): Promise<Readiness> {
  of.clock.advance('2s')
  const answer = await fetch(`${of.url}/ready`)
  const body = (await answer.json()) as Readiness
  expect(body.status).toBe(answer.status)
  return body
}

describe('/health', () => {
  it.each(['/health', '/healthz', '/livez'])('%s is 200 without credentials', async (path) => {
    const answer = await get(path)
    expect([answer.status, await answer.json()]).toEqual([200, { status: 200, message: 'OK', state: 'healthy' }])
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(answer.headers.get('www-authenticate')).toBeNull()
  })

  it('is not asked for one either when a bad one comes', async () => {
    expect((await get('/health', { authorization: 'Bearer rubbish' })).status).toBe(200)
  })

  it('is read, not written', async () => {
    expect((await fetch(`${gateway.url}/health`, { method: 'POST' })).status).toBe(405)
    const head = await fetch(`${gateway.url}/health`, { method: 'HEAD' })
    expect([head.status, await head.text()]).toEqual([200, ''])
  })
})

describe('/ready', () => {
  it.each(['/ready', '/readyz'])('%s is 200 without credentials, with what was checked', async (path) => {
    const answer = await get(path)
    const body = (await answer.json()) as Readiness
    expect([answer.status, body.status, body.state]).toEqual([200, 200, 'ready'])
    const names = body.checks.map(({ name }) => name)
    expect(names).toEqual(expect.arrayContaining(['store', 'audit', 'revocations', 'server:canary']))
    expect(body.checks.filter(({ ok }) => !ok)).toEqual([])
  })

  it('is 503 with the cause while the store takes no writes, and 200 again after; /health stays 200', async () => {
    const other = new DatabaseSync(gateway.config.store.url.slice('sqlite:'.length))
    other.exec('BEGIN IMMEDIATE')
    const refused = await readiness()
    const health = await get('/health')
    other.exec('ROLLBACK')
    other.close()
    expect([refused.status, refused.state, health.status]).toEqual([503, 'not_ready', 200])
    expect(refused.checks).toContainEqual({ name: 'store', ok: false, reason: 'store_unavailable' })
    expect(await readiness()).toMatchObject({ status: 200, state: 'ready' })
  })

  it('is 503 when the revocations of the last minute are not known, and the door refuses by then', async () => {
    const cut = await startGateway({ servers: [{ id: 'canary', url: canary.url }] })
    const token = await cut.tokenFor('canary')
    expect((await listTools(cut.resource('canary'), token)).status).toBe(200)
    expect(await readiness(cut)).toMatchObject({ status: 200 })
    await cut.store.close()
    // The list's age is told by the monotonic clock, which nobody sets.
    const now = performance.now.bind(performance)
    const monotonic = vi.spyOn(performance, 'now').mockImplementation(() => now() + 61_000)
    const [refused, call] = [await readiness(cut), await listTools(cut.resource('canary'), token)]
    monotonic.mockRestore()
    expect([refused.status, call.status]).toEqual([503, 503])
    expect(refused.checks).toContainEqual({ name: 'revocations', ok: false, reason: 'stale' })
    await cut.close()
  })

  it('names a server that is down, and stays 200: the gate itself is fit', async () => {
    const nobody = await freePort()
    const gate = await startGateway({ servers: [{ id: 'gone', url: `http://127.0.0.1:${nobody}/mcp` }] })
    const token = await gate.tokenFor('gone')
    for (let call = 0; call < 5; call++) await callTool(gate.resource('gone'), token, 'anything')
    const body = await readiness(gate)
    expect(body.status).toBe(200)
    expect(body.checks).toContainEqual(expect.objectContaining({ name: 'server:gone', ok: false }))
    await gate.close()
  })
})

describe('/metrics', () => {
  const scrape = async (): Promise<Series[]> => parseSeries(await gateway.metrics())
  const sum = (series: readonly Series[], name: string, labels?: Record<string, string>) =>
    sumOf(series, name, labels) ?? 0

  it('is Prometheus text with the names of the seed, before anything happened', async () => {
    const fresh = await startGateway()
    const answer = await fetch(`${fresh.url}/metrics`)
    expect(answer.headers.get('content-type')).toMatch(/^text\/plain; ?version=0\.0\.4/)
    const text = await answer.text()
    for (const [name, type] of [
      ['mcp_auth_attempts_total', 'counter'],
      ['mcp_auth_success_total', 'counter'],
      ['mcp_auth_failures_total', 'counter'],
      ['mcp_auth_latency_seconds', 'histogram'],
      ['mcp_proxy_header_missing', 'counter'],
      ['mcp_authenticated_requests_total', 'counter'],
    ])
      expect(text).toContain(`# TYPE ${name} ${type}\n`)
    const series = parseSeries(text)
    for (const name of ['mcp_auth_attempts_total', 'mcp_auth_success_total', 'mcp_proxy_header_missing'])
      expect([name, sumOf(series, name)]).toEqual([name, 0])
    await fresh.close()
  })

  it.each([
    ['no_credential', 401, undefined],
    ['malformed', 401, 'rubbish'],
    ['bad_token', 401, 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4ifQ.AAAA'],
  ])('counts a failure as %s', async (reason, status, token) => {
    const before = await scrape()
    expect((await listTools(gateway.resource('canary'), token)).status).toBe(status)
    const after = await scrape()
    const moved = (name: string, labels?: Record<string, string>) =>
      sum(after, name, labels) - sum(before, name, labels)
    expect(moved('mcp_auth_attempts_total')).toBe(1)
    expect(moved('mcp_auth_failures_total', { reason })).toBe(1)
    expect(moved('mcp_auth_failures_total')).toBe(1)
    expect(moved('mcp_auth_latency_seconds_count')).toBe(1)
    expect(moved('mcp_auth_success_total')).toBe(0)
    expect(moved('mcp_authenticated_requests_total')).toBe(0)
  })

  it('counts a success, and for whom', async () => {
    const token = await gateway.tokenFor('canary')
    const before = await scrape()
    expect((await listTools(gateway.resource('canary'), token)).status).toBe(200)
    const after = await scrape()
    const moved = (name: string, labels?: Record<string, string>) =>
      sum(after, name, labels) - sum(before, name, labels)
    expect(moved('mcp_auth_attempts_total')).toBe(1)
    expect(moved('mcp_auth_success_total')).toBe(1)
    expect(moved('mcp_auth_failures_total')).toBe(0)
    expect(moved('mcp_authenticated_requests_total', { user: 'ann@example.com' })).toBe(1)
    expect(moved('mcp_auth_latency_seconds_count')).toBe(1)
  })

  it('counts what policy refuses, with its reason', async () => {
    const strict = await startGateway({ servers: [{ id: 'canary', url: canary.url }], policy: { rules: [] } })
    const token = await strict.tokenFor('canary')
    await callTool(strict.resource('canary'), token, 'read_note')
    const series = parseSeries(await strict.metrics())
    expect(sumOf(series, 'portcullis_decisions_total', { decision: 'deny', server: 'canary' })).toBe(1)
    expect(sumOf(series, 'portcullis_decisions_total', { decision: 'allow' })).toBeUndefined()
    await strict.close()
  })

  it('answers the Grafana expression of the success rate', async () => {
    // rate(mcp_auth_success_total[5m]) / rate(mcp_auth_attempts_total[5m]): both sides have the same labels, or nothing matches.
    const series = await scrape()
    const side = (name: string) => series.filter((one) => one.name === name)
    const [success, attempts] = [side('mcp_auth_success_total'), side('mcp_auth_attempts_total')]
    expect(success.map(({ labels }) => labels)).toEqual([{}])
    expect(attempts.map(({ labels }) => labels)).toEqual([{}])
    const rate = (success[0]?.value ?? 0) / (attempts[0]?.value ?? 0)
    expect(rate).toBeGreaterThan(0)
    expect(rate).toBeLessThan(1)
  })

  it('answers the Grafana expression of the users', async () => {
    await listTools(gateway.resource('canary'), await gateway.tokenFor('canary', { user: await gateway.person('bob') }))
    // count by (user) (mcp_authenticated_requests_total)
    const users = (await scrape())
      .filter(({ name }) => name === 'mcp_authenticated_requests_total')
      .map(({ labels }) => labels)
    expect(users).toEqual(expect.arrayContaining([{ user: 'ann@example.com' }, { user: 'bob@example.com' }]))
    expect(users.length).toBe(new Set(users.map(({ user }) => user)).size)
  })

  it('is 404 to whom metrics.allow does not name', async () => {
    const closed = await startGateway({ metrics: { allow: ['192.0.2.0/24'] } })
    const unknown = await fetch(`${closed.url}/there-is-nothing-here`)
    const hidden = await fetch(`${closed.url}/metrics`)
    expect([hidden.status, await hidden.text()]).toEqual([404, await unknown.text()])
    // What is behind the gate is told to the same people only; readiness itself to everyone.
    expect((await fetch(`${closed.url}/ready`)).status).toBe(200)
    await closed.close()
  })
})
