// Which era a server speaks, and how long that is believed.
import { afterEach, describe, expect, it } from 'vitest'
import { startFixture } from '../../../test/support/fixture-server.ts'
import { probeEra } from './probe.ts'
import { type Answer, error, json, remote, result, startServer } from './servers.support.ts'
import { createUpstreamEras } from './upstream-era.ts'

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})
const NEVER = new AbortController().signal

async function eras(answer: Answer, settings = {}) {
  const server = await startServer(answer, settings)
  closing.push(server.close)
  const state = { now: 1_000_000 }
  const { eraOf, forget } = createUpstreamEras({ probe: probeEra, clock: () => state.now })
  return { server, state, eraOf: () => eraOf(server.upstream, NEVER), forget: () => forget(server.upstream) }
}
const DISCOVERED = { supportedVersions: ['2026-07-28'], capabilities: {} }
const unsupported =
  (supported: unknown): Answer =>
  (m, _q, res) =>
    json(res, { jsonrpc: '2.0', id: m.id, error: { code: -32022, message: 'no', data: { supported } } }, 400)

describe('the era of a server', () => {
  it.each<[string, Answer, string]>([
    ['that discovers', (m, _q, res) => json(res, result(m, DISCOVERED)), 'modern'],
    ['that finds our head wrong', (m, _q, res) => json(res, error(m, -32020), 400), 'modern'],
    ['that wants a capability', (m, _q, res) => json(res, error(m, -32021), 400), 'modern'],
    ['of a later revision', unsupported(['2030-01-01']), 'modern'],
    ['that does not say which', unsupported('all'), 'modern'],
    ['of a revision with a handshake', unsupported(['2025-11-25']), 'legacy'],
    ['that misses a session', (m, _q, res) => json(res, error(m, -32000), 400), 'legacy'],
    ['that does not know the method', (m, _q, res) => json(res, error(m, -32601)), 'legacy'],
    ['that says 404', (_m, _q, res) => void res.writeHead(404).end(), 'legacy'],
    ['that says 405', (_m, _q, res) => void res.writeHead(405).end(), 'legacy'],
    ['that refuses without JSON-RPC', (_m, _q, res) => json(res, { error: 'no' }, 400), 'legacy'],
  ])('%s', async (_what, answer, era) => {
    const { eraOf } = await eras(answer)
    expect(await eraOf()).toBe(era)
  })

  it.each<[string, Answer, string]>([
    ['fails', (m, _q, res) => json(res, error(m, -32603), 503), 'upstream_error'],
    ['has enough', (m, _q, res) => json(res, error(m, -32000), 429), 'upstream_error'],
    ['does not know us', (_m, _q, res) => void res.writeHead(401).end(), 'upstream_unauthorized'],
    ['breaks off', (_m, _q, res) => void res.destroy(), 'reset'],
    ['answers with a page', (_m, _q, res) => void res.setHeader('content-type', 'text/html').end('<p>'), 'protocol'],
    ['says nothing', () => undefined, 'timeout'],
  ])('is not decided while it %s', async (_what, failing, reason) => {
    let healthy = false
    const { eraOf, server } = await eras(
      (m, q, res) => (healthy ? json(res, result(m, DISCOVERED)) : failing(m, q, res)),
      reason === 'timeout' ? { requestTimeout: 500 } : {},
    )
    await expect(eraOf()).rejects.toMatchObject({ name: 'UpstreamError', reason })
    healthy = true
    expect(await eraOf()).toBe('modern')
    expect(server.seen).toHaveLength(2)
  })

  it('is asked for once, by all who want to know, and again after a while or a doubt', async () => {
    const { eraOf, state, server, forget } = await eras((m, _q, res) => json(res, result(m, DISCOVERED)))
    expect(await Promise.all([eraOf(), eraOf(), eraOf()])).toEqual(['modern', 'modern', 'modern'])
    state.now += 599_999
    await eraOf()
    expect(server.seen).toHaveLength(1)
    state.now += 1
    await eraOf()
    expect(server.seen).toHaveLength(2)
    forget()
    await eraOf()
    expect(server.seen).toHaveLength(3)
  })

  it('is still found out when the first to ask leaves', async () => {
    let answer: (() => void) | undefined
    const server = await startServer((m, _q, res) => {
      answer = () => json(res, result(m, DISCOVERED))
    })
    closing.push(server.close)
    const { eraOf } = createUpstreamEras({ probe: probeEra, clock: Date.now })
    const leaving = new AbortController()
    const first = eraOf(server.upstream, leaving.signal)
    const second = eraOf(server.upstream, NEVER)
    await expect.poll(() => answer).toBeDefined()
    leaving.abort()
    await expect(first).rejects.toMatchObject({ reason: 'cancelled' })
    answer?.()
    expect(await second).toBe('modern')
    expect(server.seen).toHaveLength(1)
  })

  it('of our fixture is the modern one, which it speaks beside the other', async () => {
    const fixture = await startFixture()
    const upstream = remote(fixture.url)
    closing.push(fixture.close, upstream.close)
    expect(await probeEra(upstream, NEVER)).toBe('modern')
  })
})
