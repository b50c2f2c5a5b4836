// What is kept of servers that list for each person apart: never another's, never for long, and never too much.
import { describe, expect, it } from 'vitest'
import { ANONYMOUS } from '../../../protocol/principal.ts'
import type { Caller } from '../../../upstreams/caller.ts'
import { ConnectionNeeded } from '../../../upstreams/credential.ts'
import type { Upstream } from '../../../upstreams/upstream.ts'
import { CONNECTION_NEEDED, createCatalog } from './catalog.ts'
import type { Offer } from './offer.ts'

const listing = (name: string): Offer => ({
  era: 'modern',
  capabilities: { tools: {} },
  instructions: undefined,
  ttl: undefined,
  lists: {
    tools: { entries: [{ name }] },
    prompts: { entries: [] },
    resources: { entries: [] },
    resourceTemplates: { entries: [] },
  },
})
const caller = (subject: string): Caller => ({ principal: { ...ANONYMOUS, kind: 'person', subject }, rawHeaders: [] })
const [ann, bob] = [caller('ann'), caller('bob')]

/** `mine` lists what is its caller's, `all` what is everybody's. */
function start() {
  const state = { now: 1_000_000, connected: true, version: 1, size: 1 }
  const asked: string[] = []
  const screened: (string | undefined)[] = []
  const catalog = createCatalog({
    reach(id, asking) {
      const who = asking?.principal.subject ?? 'nobody'
      asked.push(`${id} ${who}`)
      if (id === 'mine' && (!state.connected || asking === undefined)) throw new ConnectionNeeded(id, 'not_connected')
      return { kind: 'channel', id: `${id} ${who}` } as Upstream
    },
    contextOf: (id, { principal }) => (id === 'mine' ? principal.subject : undefined),
    unconnectedOffer: () => listing('connect_account'),
    readOffer: async ({ id }) => listing(`${id} ${state.version}${'.'.repeat(state.size)}`),
    screenTools: async (_, tools, principal) => {
      screened.push(principal?.subject)
      return tools
    },
    clock: () => state.now,
    timeout: 500,
    ttl: 60_000,
    onFailure: (server, reason) => expect.fail(`${server} ${reason}`),
  })
  const names = async (as: Caller | undefined, server = 'mine') =>
    (await catalog.read([server], as)).map(({ offer }) => offer?.lists.tools.entries[0]?.['name'])
  return { state, asked, screened, catalog, names }
}

describe('a list of one person', () => {
  it('is asked for as them, kept for them, and is nobody’s without a caller', async () => {
    const { names, asked, screened } = start()
    expect(await Promise.all([names(ann), names(bob), names(ann)])).toEqual([
      ['mine ann 1.'],
      ['mine bob 1.'],
      ['mine ann 1.'],
    ])
    expect(await names(undefined)).toEqual(['connect_account'])
    expect(asked).toEqual(['mine ann', 'mine bob', 'mine nobody'])
    expect(screened).toEqual(['ann', 'bob'])
  })

  it('is everybody’s where the server lists for everybody, and asked for as nobody', async () => {
    const { names, asked, screened } = start()
    expect([await names(ann, 'all'), await names(bob, 'all')]).toEqual([['all nobody 1.'], ['all nobody 1.']])
    expect(asked).toEqual(['all nobody'])
    expect(screened).toEqual([undefined])
  })

  it('defines their tools, and nobody else’s', async () => {
    const { catalog } = start()
    expect(await catalog.definitionOf('mine', 'mine ann 1.', ann)).toEqual({ name: 'mine ann 1.' })
    expect(await catalog.definitionOf('mine', 'mine ann 1.', bob)).toBeUndefined()
    expect(await catalog.definitionOf('mine', 'mine ann 1.', undefined)).toBeUndefined()
  })

  it('changes for whoever is told so, and for everybody where nobody is named', async () => {
    const { state, names, catalog } = start()
    await Promise.all([names(ann), names(bob)])
    const before = catalog.changes()
    state.version = 2
    catalog.forget('mine', ann)
    expect([await names(ann), await names(bob)]).toEqual([['mine ann 2.'], ['mine bob 1.']])
    expect(catalog.changes()).toBe(before + 1)
    catalog.forget('mine')
    expect(await names(bob)).toEqual(['mine bob 2.'])
  })

  it('is not shown any more when they have no account, and is another when they have another', async () => {
    const { state, names, catalog } = start()
    await Promise.all([names(ann), names(bob)])
    state.connected = false
    state.version = 2
    catalog.forgetPrincipal('mine', 'ann')
    expect(await names(ann)).toEqual(['connect_account'])
    expect(await catalog.read(['mine'], ann)).toMatchObject([{ failure: CONNECTION_NEEDED, context: 'ann' }])
    expect(await names(bob)).toEqual(['mine bob 1.'])
    state.connected = true
    catalog.forgetPrincipal('mine', 'ann')
    expect(await names(ann)).toEqual(['mine ann 2.'])
  })
})

describe('what is kept', () => {
  it('is forgotten when nobody has asked for ten minutes', async () => {
    const { state, names, asked, catalog } = start()
    await Promise.all([names(ann), names(bob), names(ann, 'all')])
    state.now += 9 * 60_000
    await names(ann)
    state.now += 2 * 60_000
    catalog.sweep()
    expect(catalog.known(['mine'], ann)[0]?.version).toBeGreaterThan(0)
    expect(catalog.known(['mine'], bob)[0]?.version).toBe(0)
    expect(catalog.known(['all'], bob)[0]?.version).toBeGreaterThan(0)
    expect(asked.filter((each) => each === 'mine bob')).toHaveLength(1)
  })

  it('is no more than so many people’s: the longest unused go first', async () => {
    const { state, names, catalog } = start()
    for (let at = 0; at < 5001; at++) {
      state.now += 1
      await names(caller(`p${at}`))
    }
    expect(catalog.known(['mine'], caller('p0'))[0]?.version).toBe(0)
    expect(catalog.known(['mine'], caller('p5000'))[0]?.version).toBeGreaterThan(0)
  })

  it('is no more than so much, however large the lists of a server are', async () => {
    const { state, names, catalog } = start()
    state.size = 10 * 1024 * 1024
    for (let at = 0; at < 30; at++) {
      state.now += 1
      await names(caller(`p${at}`))
    }
    catalog.sweep()
    expect(catalog.known(['mine'], caller('p0'))[0]?.version).toBe(0)
    expect(catalog.known(['mine'], caller('p29'))[0]?.version).toBeGreaterThan(0)
  })
})
