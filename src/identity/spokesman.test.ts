// Whose word counts, by where it stands: a signature wherever no proxy is named, a plain word only from those who are trusted.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openEdge } from '../../test/support/edge-way.ts'
import { type Edges, startEdges } from '../../test/support/edges.ts'
import { proxy } from '../config/auth-proxy.ts'
import { OperatorError } from '../protocol/errors.ts'
import type { Principal } from '../protocol/principal.ts'
import { spokesmen } from './spokesman.ts'

let edges: Edges
beforeAll(async () => {
  edges = await startEdges(Date.now)
})
afterAll(() => edges?.close())

const NAMES = ['cloudflare', 'aws', 'google', 'pomerium'] as const

describe.each(NAMES)('%s', (name) => {
  const fields = () => ({ [edges[name].field]: edges[name].assertion() })

  it('counts from the proxies that are named, and from nobody else then', async () => {
    const way = openEdge(edges[name].settings, { named: true })
    expect(await way.judge(fields(), true)).toMatchObject(edges[name].ann)
    expect(await way.judge(fields(), false)).toBe('nobody')
    expect(way.whyNobody(fields(), false)).toBe('proxy_header_untrusted')
    expect(way.told).toEqual([expect.stringContaining('Add 192.0.2.1 to server.trustedProxies')])
    // What is not looked at is not refused either: somebody may only be passing it on.
    expect(await way.judge({ [edges[name].field]: ['x', 'y'] }, false)).toBe('nobody')
  })

  it('counts from anybody where no proxy is named: the signature says who says it', async () => {
    const way = openEdge(edges[name].settings, { named: false })
    for (const trusted of [true, false]) {
      expect(await way.judge(fields(), trusted)).toMatchObject(edges[name].ann)
      expect(await way.judge({ [edges[name].field]: 'x' }, trusted)).toBe('malformed')
      expect(await way.judge({ [edges[name].field]: ['x', 'y'] }, trusted)).toBe('identity_header_repeated')
      expect(await way.judge({}, trusted)).toBe('nobody')
    }
    expect(way.told).toEqual([])
  })

  it('says why there is nobody', () => {
    const way = openEdge(edges[name].settings)
    expect(way.whyNobody({}, true)).toBe('proxy_header_missing')
    expect(way.whyNobody({}, false)).toBe('no_credential')
  })
})

it.each(['istio', 'oauth2-proxy', 'authelia', 'kong', 'azure-easyauth', 'tailscale', undefined])(
  'a plain word of %s never counts from somebody else',
  async (preset) => {
    const payload = Buffer.from('{"sub":"ann"}').toString('base64url')
    const fields = {
      'X-User-Id': payload,
      'X-Forwarded-User': 'ann',
      'Remote-User': 'ann',
      'X-Consumer-Username': 'ann',
      'X-MS-CLIENT-PRINCIPAL-ID': 'ann',
      'Tailscale-User-Login': 'ann',
      'X-Authenticated-User': 'ann',
    }
    for (const named of [true, false]) {
      const way = openEdge({ preset }, { named })
      expect(await way.judge(fields, false)).toBe('nobody')
      expect(await way.judge(fields, true)).toMatchObject({ identity: 'ann', method: 'proxy' })
    }
  },
)

describe('one proxy before several servers', () => {
  const needs = (asked: string[]) => ({
    general: undefined,
    nobodyNamed: false,
    kept: { claims: [], organisation: undefined },
    fetch: async (url: string) => {
      asked.push(url)
      return { status: 200, headers: new Headers(), body: Buffer.from(JSON.stringify(edges.keys.keySet)) }
    },
    admit: (vouched: unknown) => vouched as Principal,
    isEmailAdmitted: () => true,
    clock: Date.now,
    log: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
  })

  it('is one way, with its keys fetched once', async () => {
    const asked: string[] = []
    const waysOf = spokesmen(needs(asked))
    const settings = proxy.parse(edges.pomerium.settings)
    expect(waysOf(settings)).toBe(waysOf(settings))
    expect(waysOf(proxy.parse(edges.pomerium.settings))).not.toBe(waysOf(settings))
    expect(asked).toEqual([])
  })

  it('is refused at the start where a setting is missing without which anybody’s assertion would do', () => {
    expect(() => spokesmen(needs([]))(proxy.parse({ preset: 'google-iap' }))).toThrow(OperatorError)
  })
})
