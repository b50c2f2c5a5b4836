// What is kept of servers' offers: how long, and who is asked again when.
import { describe, expect, it } from 'vitest'
import type { Upstream } from '../../../upstreams/upstream.ts'
import { UpstreamError } from '../../../upstreams/upstream.ts'
import { createCatalog } from './catalog.ts'
import type { Offer } from './offer.ts'

const offerOf = (names: readonly string[], ttl?: number): Offer => ({
  era: 'modern',
  capabilities: { tools: {} },
  instructions: undefined,
  ttl,
  lists: {
    tools: { entries: names.map((name) => ({ name })) },
    prompts: { entries: [] },
    resources: { entries: [] },
    resourceTemplates: { entries: [] },
  },
})

/** Servers whose answers are given by hand, in the order in which they are asked. */
function start() {
  const time = { now: 1_000_000 }
  const asked: { server: string; answer: PromiseWithResolvers<Offer> }[] = []
  const failures: string[] = []
  const catalog = createCatalog({
    reach: (id) => ({ kind: 'channel', id }) as Upstream,
    contextOf: () => undefined,
    unconnectedOffer: (): Offer => {
      throw new TypeError('nobody is without an account')
    },
    readOffer: ({ id }) => {
      const answer = Promise.withResolvers<Offer>()
      asked.push({ server: id, answer })
      return answer.promise
    },
    screenTools: async (_, tools) => tools.filter(({ name }) => name !== 'quarantined'),
    clock: () => time.now,
    timeout: 500,
    ttl: 60_000,
    onFailure: (server, reason) => failures.push(`${server} ${reason}`),
  })
  const names = async (server = 'a') => {
    const [known] = await catalog.read([server], undefined)
    return known?.offer?.lists.tools.entries.map(({ name }) => name)
  }
  return { time, asked, failures, catalog, names }
}
const settled = () => new Promise((resolve) => setImmediate(resolve))

describe('a list', () => {
  it('is asked for once by however many want it, and kept', async () => {
    const { asked, names, catalog } = start()
    const waiting = Promise.all([names(), names(), names()])
    expect(asked).toHaveLength(1)
    asked[0]?.answer.resolve(offerOf(['x', 'quarantined']))
    expect(await waiting).toEqual([['x'], ['x'], ['x']])
    expect(catalog.read(['a'], undefined)).not.toBeInstanceOf(Promise)
    expect(asked).toHaveLength(1)
  })

  it('that has grown old is shown once more while the next is asked for, and not when it is much too old', async () => {
    const { asked, names, time, catalog } = start()
    const first = names()
    asked[0]?.answer.resolve(offerOf(['x']))
    await first
    time.now += 61_000
    expect(await names()).toEqual(['x'])
    asked[1]?.answer.resolve(offerOf(['y']))
    await settled()
    expect(await names()).toEqual(['y'])
    expect(catalog.changes()).toBe(2)
    time.now += 11 * 60_000
    const late = names()
    asked[2]?.answer.resolve(offerOf(['z']))
    expect(await late).toEqual(['z'])
  })

  it('counts as long as its server says', async () => {
    const { asked, names, time } = start()
    const first = names()
    asked[0]?.answer.resolve(offerOf(['x'], 5000))
    await first
    time.now += 4000
    await names()
    expect(asked).toHaveLength(1)
    time.now += 2000
    await names()
    expect(asked).toHaveLength(2)
  })

  it('that is known to have changed is not shown any more, not even one that was asked for before', async () => {
    const { asked, names, catalog } = start()
    const first = names()
    catalog.forget('a')
    asked[0]?.answer.resolve(offerOf(['before']))
    await first
    const second = names()
    expect(asked).toHaveLength(2)
    asked[1]?.answer.resolve(offerOf(['after']))
    expect(await second).toEqual(['after'])
  })
})

describe('a server that fails', () => {
  it('is not asked again at once, and what it offered before stays', async () => {
    const { asked, names, time, catalog, failures } = start()
    const first = names()
    asked[0]?.answer.resolve(offerOf(['x'], 1000))
    await first
    time.now += 20_000
    const second = names()
    asked[1]?.answer.reject(new UpstreamError('timeout', 'late'))
    expect(await second).toEqual(['x'])
    expect(await catalog.read(['a'], undefined)).toMatchObject([{ failure: 'timeout' }])
    expect([failures, asked.length]).toEqual([['a timeout'], 2])
    time.now += 6000
    expect(await names()).toEqual(['x'])
    asked[2]?.answer.resolve(offerOf(['x']))
    await settled()
    expect(await catalog.read(['a'], undefined)).toMatchObject([{ failure: undefined }])
  })

  it('keeps nobody waiting for another', async () => {
    const { asked, catalog } = start()
    const both = catalog.read(['a', 'b'], undefined)
    asked[0]?.answer.reject(new UpstreamError('connect', 'gone'))
    asked[1]?.answer.resolve(offerOf(['y']))
    expect(await both).toMatchObject([
      { server: 'a', failure: 'connect' },
      { server: 'b', failure: undefined },
    ])
  })

  it('in a way that is our own mistake is told, and is a failure like any other', async () => {
    const { asked, catalog, failures } = start()
    const read = catalog.read(['a'], undefined)
    asked[0]?.answer.reject(new TypeError('a mistake'))
    expect(await read).toMatchObject([{ failure: 'internal_error' }])
    expect(failures).toEqual(['a internal_error'])
  })
})
