// What a caller was shown last is shown again while it holds, and no longer: another list, another account, another rule.
import { expect, it } from 'vitest'
import { Config } from '../../../config/schema.ts'
import { upstreamsOf } from '../../../config/servers.ts'
import { ANONYMOUS, type Principal } from '../../../protocol/principal.ts'
import type { Caller } from '../../../upstreams/caller.ts'
import type { Offer } from '../catalog/offer.ts'
import { createSlots } from '../catalog/slots.ts'
import { createCompose, FRESH, personKey } from './caller-composition.ts'
import { aggregateView } from './view.ts'

const URL = 'http://127.0.0.1:9/mcp'
const ann: Principal = { ...ANONYMOUS, kind: 'person', subject: 'usr_ann', method: 'access_token' }

const offering = (...tools: string[]): Offer => {
  const none = { entries: [] }
  const listed = { entries: tools.map((name) => ({ name, inputSchema: { type: 'object' } })) }
  const lists = { tools: listed, prompts: none, resources: none, resourceTemplates: none }
  return { era: 'modern', capabilities: {}, instructions: undefined, lists, ttl: undefined }
}

/** The account is named in the head of each request, as under `credentials: caller`. */
const contextOf = (server: string, { principal, rawHeaders }: Caller): string | undefined =>
  server === 'desk' ? `${principal.subject} ${rawHeaders[1]}` : undefined
const asAnn = (account: string): Caller => ({ principal: ann, rawHeaders: ['account', account] })

function start() {
  const config = Config.parse({
    servers: [
      { id: 'desk', url: URL },
      { id: 'notes', url: URL },
    ],
  })
  let [now, versions] = [0, 0]
  const hidden = new Set<string>()
  const slots = createSlots({ contextOf, now: () => now })
  const asked: { until: Promise<void> | undefined } = { until: undefined }
  const known = (servers: readonly string[], caller: Caller | undefined) =>
    servers.map((server) => slots.of(server, caller).known)
  const compose = createCompose({
    catalog: {
      read: (servers, caller) => asked.until?.then(() => known(servers, caller)) ?? known(servers, caller),
      known,
      changes: () => 0,
    },
    policy: { view: (_principal, server) => (hidden.has(server) ? 'none' : 'all') },
    denials: 'hidden',
    clock: () => now,
    onLeftOut: () => undefined,
  })
  const view = aggregateView(upstreamsOf(config.servers), { ...config.aggregate, naming: 'none' }, 'All')
  return {
    hidden,
    asked,
    inHaste: (caller: Caller) => compose(view, caller, 'haste'),
    learn(server: string, caller: Caller, ...tools: string[]): void {
      const slot = slots.of(server, caller)
      slot.known = { ...slot.known, offer: offering(...tools), version: ++versions }
    },
    pass(milliseconds: number): void {
      now += milliseconds
    },
    async shownTo(caller: Caller) {
      const composed = await compose(view, caller)
      return { composed, has: (name: string) => composed.composition.find('tools', name) !== undefined }
    },
  }
}

it('shows the same again, and another list of the same person at once', async () => {
  const { learn, shownTo } = start()
  learn('desk', asAnn('work'), 'old')
  const first = await shownTo(asAnn('work'))
  expect(first.has('old')).toBe(true)
  expect((await shownTo(asAnn('work'))).composed).toBe(first.composed)
  learn('desk', asAnn('work'), 'new')
  const second = await shownTo(asAnn('work'))
  expect([second.has('old'), second.has('new')]).toEqual([false, true])
})

it('shows no list of another account of the same person, in either order', async () => {
  const { learn, shownTo } = start()
  learn('desk', asAnn('work'), 'of_work')
  learn('desk', asAnn('home'), 'of_home')
  for (const [account, tool, other] of [
    ['work', 'of_work', 'of_home'],
    ['home', 'of_home', 'of_work'],
    ['work', 'of_work', 'of_home'],
  ] as const) {
    const shown = await shownTo(asAnn(account))
    expect([shown.has(tool), shown.has(other)]).toEqual([true, false])
  }
})

it('believes what rules say for a moment, and not for longer', async () => {
  const { learn, shownTo, hidden, pass } = start()
  learn('desk', asAnn('work'), 'write')
  learn('notes', asAnn('work'), 'read')
  expect((await shownTo(asAnn('work'))).has('read')).toBe(true)
  hidden.add('notes')
  pass(FRESH)
  const shown = await shownTo(asAnn('work'))
  expect([shown.has('write'), shown.has('read')]).toEqual([true, false])
})

it('says what was made in haste, of lists that are asked for again', async () => {
  const { learn, asked, inHaste, shownTo } = start()
  const { promise, resolve } = Promise.withResolvers<void>()
  learn('desk', asAnn('work'), 'old')
  learn('notes', asAnn('work'), 'read')
  expect(await inHaste(asAnn('work'))).not.toHaveProperty('hasty')
  asked.until = promise
  expect(await inHaste(asAnn('work'))).toMatchObject({ hasty: true })
  learn('desk', asAnn('work'), 'new')
  resolve()
  const shown = await shownTo(asAnn('work'))
  expect([shown.composed.hasty, shown.has('old'), shown.has('new')]).toEqual([undefined, false, true])
})

it('knows a caller by all that rules can read, and whoever was signed for one request by nothing', () => {
  const key = personKey(ann)
  expect([personKey(ann), personKey({ ...ann })]).toEqual([key, key])
  expect(personKey({ ...ann, groups: ['ops'] })).not.toBe(key)
  expect(personKey({ ...ann, capabilities: [] as never })).toBeUndefined()
})
