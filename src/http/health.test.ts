// What load balancers and Prometheus are told, and who is told what.
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { OperatorError, RequestError } from '../protocol/errors.ts'
import { type Check, healthEndpoints, metricsAllow } from './health.ts'

type Needs = Parameters<typeof healthEndpoints>[0]
const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
  vi.useRealTimers()
})

async function serve(over: Partial<Needs> = {}) {
  const clock = { now: 1_790_000_000_000 }
  const endpoints = healthEndpoints({
    checks: async () => [{ name: 'store', ok: true }],
    metrics: {
      expose: async () => ({ contentType: 'text/plain; version=0.0.4', text: 'mcp_auth_attempts_total 0\n' }),
    },
    allow: () => true,
    draining: () => false,
    ...over,
  })
  const server = createServer(async (req, res) => {
    const path = req.url ?? ''
    const exchange = { req, res, path, query: '', id: 'i', address: '127.0.0.1', viaProxy: false, at: clock.now }
    try {
      await endpoints.match(path)?.(exchange)
    } catch (error) {
      if (!(error instanceof RequestError)) throw error
      res.writeHead(error.status).end(error.message)
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(() => server.close())
  const { port } = server.address() as AddressInfo
  const ask = (path: string, method = 'GET') =>
    new Promise<{ status: number | undefined; headers: Record<string, unknown>; text: string }>((resolve, reject) => {
      request({ port, host: '127.0.0.1', path, method, agent: false }, (res) => {
        let text = ''
        res.setEncoding('utf8')
        res.on('data', (piece: string) => (text += piece))
        res.on('end', () => resolve({ status: res.statusCode, headers: res.headers, text }))
      })
        .on('error', reject)
        .end()
    })
  return { endpoints, ask, clock }
}

describe('health', () => {
  it('is 200 whatever happens', async () => {
    const { ask } = await serve({ checks: () => Promise.reject(new Error('away')), draining: () => true })
    for (const path of ['/health', '/healthz', '/livez']) {
      const { status, text, headers } = await ask(path)
      expect(status).toBe(200)
      expect(JSON.parse(text)).toEqual({ status: 200, message: 'OK', state: 'healthy' })
      expect(headers).toMatchObject({ 'cache-control': 'no-store', 'content-type': 'application/json' })
    }
  })

  it('answers GET and HEAD only, exact paths only', async () => {
    const { ask, endpoints } = await serve()
    const head = await ask('/health', 'HEAD')
    expect(head).toMatchObject({ status: 200, text: '' })
    expect(Number(head.headers['content-length'])).toBeGreaterThan(0)
    expect(await ask('/health', 'POST')).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } })
    for (const path of ['/Health', '/health/', '/metrics/x', '/']) expect(endpoints.match(path)).toBeUndefined()
  })
})

describe('readiness', () => {
  const ready = async (over: Partial<Needs>) => {
    const { ask } = await serve(over)
    const { status, text } = await ask('/ready')
    return { status, ...JSON.parse(text) }
  }
  const UPSTREAM: Check = { name: 'upstream:github', ok: false, reason: 'connect', detail: true }

  it('says 503 with its causes', async () => {
    const checks = async () => [
      { name: 'store', ok: true },
      { name: 'audit', ok: false, reason: 'spool_full' },
    ]
    expect(await ready({ checks: async () => [{ name: 'store', ok: true }] })).toMatchObject({
      status: 200,
      state: 'ready',
    })
    const { ask } = await serve({ checks })
    const refused = await ask('/readyz')
    expect(refused.status).toBe(503)
    expect(JSON.parse(refused.text)).toEqual({
      status: 503,
      message: 'Service Unavailable',
      state: 'not_ready',
      checks: await checks(),
    })
  })

  it('does not go by a server behind the gate, and names it only to those who may read the metrics', async () => {
    const checks = async () => [{ name: 'store', ok: true }, UPSTREAM]
    const inside = await ready({ checks })
    expect(inside).toMatchObject({ status: 200, state: 'degraded' })
    expect(inside.checks).toContainEqual({ name: 'upstream:github', ok: false, reason: 'connect' })
    const outside = await ready({ checks, allow: () => false })
    expect(outside).toMatchObject({ status: 200, state: 'ready', checks: [{ name: 'store', ok: true }] })
    expect(JSON.stringify(outside)).not.toContain('github')
  })

  it('ends with the drain', async () => {
    expect(await ready({ draining: () => true })).toMatchObject({
      status: 503,
      checks: [{ name: 'store' }, { name: 'drain', ok: false, reason: 'draining' }],
    })
  })

  it('is 503 when the checks themselves fail or never answer', async () => {
    const failing = await ready({ checks: () => Promise.reject(new Error('password is hunter2')) })
    expect(failing).toMatchObject({ status: 503, checks: [{ name: 'checks', reason: 'check_failed' }] })
    expect(JSON.stringify(failing)).not.toContain('hunter2')
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    let begun = () => {}
    const started = new Promise<void>((resolve) => (begun = resolve))
    const hanging = ready({
      checks: () => {
        begun()
        return new Promise(() => undefined)
      },
    })
    await started
    await vi.advanceTimersByTimeAsync(2000)
    expect(await hanging).toMatchObject({ status: 503, checks: [{ name: 'checks', reason: 'timeout' }] })
  })

  it('runs the checks once a second, however many ask', async () => {
    const checks = vi.fn(async (): Promise<Check[]> => [])
    const { ask, clock } = await serve({ checks })
    await Promise.all(Array.from({ length: 10 }, () => ask('/ready')))
    expect(checks).toHaveBeenCalledTimes(1)
    clock.now += 1000
    await ask('/ready')
    expect(checks).toHaveBeenCalledTimes(2)
  })
})

describe('metrics', () => {
  it('are text for those who may, and not there for others, whatever the method', async () => {
    const open = await serve()
    expect(await open.ask('/metrics')).toMatchObject({ status: 200, text: 'mcp_auth_attempts_total 0\n' })
    const shut = await serve({ allow: () => false })
    expect((await shut.ask('/metrics')).status).toBe(404)
    expect((await shut.ask('/metrics', 'POST')).status).toBe(404)
  })

  const from = (address: string, headers = {}, viaProxy = false) =>
    ({ address, viaProxy, req: { headers } }) as Parameters<ReturnType<typeof metricsAllow>>[0]
  const allow = metricsAllow(['loopback', 'private', 'trustedProxies'], ['203.0.113.0/24'])
  it.each([
    ['127.0.0.1', true],
    ['::1', true],
    ['10.1.2.3', true],
    ['172.31.0.1', true],
    ['172.32.0.1', false],
    ['192.168.1.1', true],
    ['::ffff:192.168.1.1', true],
    ['fd00::1', true],
    ['203.0.113.9', true],
    ['198.51.100.1', false],
    ['::ffff:198.51.100.1', false],
    ['2001:db8::1', false],
    ['', false],
    ['not an address', false],
  ])('are open to %j: %s', (address, allowed) => {
    expect(allow(from(address))).toBe(allowed)
  })

  it('are not opened by a proxy that nobody trusts', () => {
    for (const name of ['x-forwarded-for', 'forwarded', 'x-real-ip', 'via'])
      expect(allow(from('10.0.0.9', { [name]: '127.0.0.1' }))).toBe(false)
    expect(allow(from('10.0.0.9', { 'x-forwarded-for': '10.0.0.9' }, true))).toBe(true)
    expect(allow(from('198.51.100.1', { 'x-forwarded-for': '198.51.100.1' }, true))).toBe(false)
  })

  it('take ranges and single addresses, and refuse anything else at start', () => {
    const only = metricsAllow(['198.51.100.0/28', '2001:db8::5'], [])
    expect(only(from('198.51.100.3'))).toBe(true)
    expect(only(from('2001:db8::5'))).toBe(true)
    expect(only(from('127.0.0.1'))).toBe(false)
    expect(metricsAllow([], [])(from('127.0.0.1'))).toBe(false)
    for (const bad of ['everyone', '10.0.0.0/99', '10.0.0/8', 'constructor'])
      expect(() => metricsAllow([bad], [])).toThrow(OperatorError)
  })
})
