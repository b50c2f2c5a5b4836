// The authorization matrix: everybody × every server × every tool × arguments × every door × both eras, through the real gateway. Each
// cell is compared with what the table of rules below says by a reading of its own, and in each: not listed ⇒ every call is refused,
// listed ⇒ some call is allowed. Catalogue rows E21 and E44. A door that is added is one entry.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { adminApi, adminApiOf, basic } from '../support/admin-api.ts'
import { decisionsAs } from '../support/authzen.ts'
import { type Canary, startCanary } from '../support/canary.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import type { NewUser } from '../support/people.ts'
import { createPerson } from '../support/person.ts'

const SERVERS = ['notes', 'pay'] as const
const TOOLS = ['read_note', 'write_note', 'delete_note'] as const
const ERAS = ['modern', 'legacy'] as const
const ARGUMENTS: readonly Args[] = [
  {},
  { amount: 5 },
  { amount: 5000 },
  { amount: '5' },
  { amount: 50, label: 'secret' },
]

type Era = (typeof ERAS)[number]
type Args = Readonly<Record<string, unknown>>

interface Who {
  readonly name: string
  readonly groups: readonly string[]
  /** Of their API token. */
  readonly reach?: readonly string[]
}
const EVERYBODY: readonly Who[] = [
  { name: 'ann', groups: ['engineering'] },
  { name: 'bob', groups: ['finance'] },
  { name: 'carl', groups: ['platform', 'engineering', 'finance'] },
  { name: 'dora', groups: [] },
  { name: 'emil', groups: ['engineering', 'finance'], reach: ['notes/read_*', 'pay/write_note'] },
]

/** One thing, at the server it is at home, and through the view that shows it. */
interface Thing {
  readonly server: string
  readonly tool: string
  readonly home?: { readonly server: string; readonly tool: string }
}
const AT_HOME: readonly Thing[] = SERVERS.flatMap((server) => TOOLS.map((tool) => ({ server, tool })))
const IN_VIEW: readonly Thing[] = [
  { server: 'desk', tool: 'read_note', home: { server: 'notes', tool: 'read_note' } },
  { server: 'desk', tool: 'delete_note', home: { server: 'notes', tool: 'delete_note' } },
  { server: 'desk', tool: 'refund', home: { server: 'pay', tool: 'write_note' } },
]

interface Cell {
  readonly who: Who
  readonly era: Era
  readonly args: Args
}
type Truth = boolean | 'unknown'

/** A rule as it is configured, and as a person reads it. `unknown`: the condition cannot be decided. */
interface RuleRow {
  readonly rule: Record<string, unknown>
  readonly about: (thing: Pick<Thing, 'server' | 'tool'>, who: Who) => boolean
  readonly holds: (cell: Cell) => Truth
}
const always = () => true
const amountOf = (cell: Cell, test: (amount: number) => boolean): Truth =>
  typeof cell.args['amount'] === 'number' ? test(cell.args['amount']) : 'unknown'

const RULES: readonly RuleRow[] = [
  {
    rule: { id: 'engineers', allow: ['notes/*'], to: ['group:engineering'] },
    about: ({ server }, { groups }) => server === 'notes' && groups.includes('engineering'),
    holds: always,
  },
  {
    rule: { id: 'readers', allow: ['*/read_note'], to: ['*'], when: 'request.era == "modern"' },
    about: ({ tool }) => tool === 'read_note',
    holds: ({ era }) => era === 'modern',
  },
  {
    rule: { id: 'no-delete', deny: ['notes/delete_note'], to: ['*'], unless: '"admin" in principal.roles' },
    about: ({ server, tool }) => server === 'notes' && tool === 'delete_note',
    holds: ({ who }) => !who.groups.includes('platform'),
  },
  {
    rule: { id: 'small', allow: ['pay/write_note'], to: ['group:finance'], when: 'args.amount <= 1000' },
    about: ({ server, tool }, { groups }) => server === 'pay' && tool === 'write_note' && groups.includes('finance'),
    holds: (cell) => amountOf(cell, (amount) => amount <= 1000),
  },
  {
    rule: { id: 'no-secret', deny: ['pay/*_note'], to: ['*'], when: 'has(args.label) && args.label == "secret"' },
    about: ({ server }) => server === 'pay',
    holds: ({ args }) => args['label'] === 'secret',
  },
  {
    rule: { id: 'desk', allow: ['desk/*'], to: ['group:finance'] },
    about: ({ server }, { groups }) => server === 'desk' && groups.includes('finance'),
    holds: always,
  },
  {
    rule: { id: 'small-refunds', deny: ['desk/refund'], to: ['*'], when: 'args.amount > 100' },
    about: ({ server, tool }) => server === 'desk' && tool === 'refund',
    holds: (cell) => amountOf(cell, (amount) => amount > 100),
  },
]

/** Written for reading, not for speed: a deny needs only not to be false, an allow has to be true. */
function expected(thing: Thing, cell: Cell): boolean {
  const speaking = (effect: 'allow' | 'deny', at: Pick<Thing, 'server' | 'tool'>) =>
    RULES.filter(({ rule, about }) => effect in rule && about(at, cell.who)).map(({ holds }) => holds(cell))
  const places = thing.home === undefined ? [thing] : [thing, thing.home]
  if (places.some((place) => speaking('deny', place).some((truth) => truth !== false))) return false
  if (!speaking('allow', thing).includes(true)) return false
  const { reach } = cell.who
  return reach === undefined || reach.some((one) => matches(one, `${thing.server}/${thing.tool}`))
}
const matches = (pattern: string, text: string) => new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(text)

let canaries: Canary[]
let gateway: TestGateway
const tokens = new Map<string, string>()
let pdp: ReturnType<typeof decisionsAs>

beforeAll(async () => {
  canaries = [await startCanary(), await startCanary()]
  gateway = await startGateway({
    servers: [
      ...SERVERS.map((id, at) => ({ id, url: canaries[at]?.url ?? '' })),
      { id: 'desk', tools: ['notes/read_note', 'notes/delete_note', { from: 'pay/write_note', name: 'refund' }] },
    ],
    policy: { rules: RULES.map(({ rule }) => rule) as never },
    roles: { admin: ['group:platform'] },
    forwardAuth: { resources: SERVERS.map((server) => ({ host: `${server}.example.com`, server })) },
    server: { trustedProxies: ['127.0.0.1'] },
    admin: { user: 'admin', password: 'twelve brave ducks by a pond' },
  })
  for (const { name, groups, reach } of EVERYBODY) {
    const user: NewUser = { username: name, password: `${name} rows across nine quiet lakes`, groups: [...groups] }
    await gateway.addUser(user)
    const api = await adminApiOf(gateway, createPerson(user))
    tokens.set(name, (await api.token({ name: 'matrix', ...(reach && { reach }) })).secret)
  }
  const administration = adminApi(gateway, basic('admin', 'twelve brave ducks by a pond'))
  const { secret } = await administration.token({
    name: 'pep',
    kind: 'service',
    owner: 'ingress',
    scopes: ['portcullis:decide'],
  })
  pdp = decisionsAs(gateway, { authorization: `Bearer ${secret}` })
})
afterAll(async () => {
  await gateway?.close()
  for (const canary of canaries ?? []) await canary.close()
})

interface Door {
  readonly name: string
  readonly things: readonly Thing[]
  /** It judges people, and no token of theirs. */
  readonly withoutTokens?: true
  call(cell: Cell, thing: Thing): Promise<boolean>
  /** Of the things, those that it shows; a door without lists has none. */
  list?(who: Who, era: Era): Promise<readonly Thing[]>
}

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
}

function fields(who: Who, era: Era, method: string, name?: string): Record<string, string> {
  return {
    authorization: `Bearer ${tokens.get(who.name)}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': era === 'modern' ? '2026-07-28' : '2025-11-25',
    ...(era === 'modern' && { 'mcp-method': method, ...(name !== undefined && { 'mcp-name': name }) }),
  }
}
const messageOf = (era: Era, method: string, params: object) =>
  JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, ...(era === 'modern' && { _meta: META }) } })

interface RpcAnswer {
  readonly status: number
  readonly session: string | null
  readonly result: { readonly tools?: readonly { readonly name: string }[] } | undefined
}
async function post(path: string, headers: Record<string, string>, body: string): Promise<RpcAnswer> {
  const response = await fetch(`${gateway.url}${path}`, { method: 'POST', headers, body })
  const text = await response.text()
  const data = /^data: ?(.+)$/m.exec(text)?.[1] ?? text
  const { result } = (data === '' ? {} : JSON.parse(data)) as Pick<RpcAnswer, 'result'>
  return { status: response.status, session: response.headers.get('mcp-session-id'), result }
}

/** A door that speaks MCP at one address or several; `named` is what a thing is called there. */
function mcpDoor(
  name: string,
  things: readonly Thing[],
  place: (thing: Thing) => { readonly path: string; readonly named: string },
): Door {
  const sessions = new Map<string, Record<string, string>>()
  // A client of the handshake era shakes hands; an address that has no sessions gives none.
  async function session(who: Who, era: Era, path: string): Promise<Record<string, string>> {
    const key = `${who.name} ${path}`
    const known = sessions.get(key)
    if (era === 'modern' || known !== undefined) return (era === 'legacy' && known) || {}
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'matrix', version: '1' } }
    const opened = await post(path, fields(who, era, 'initialize'), messageOf(era, 'initialize', params))
    const made: Record<string, string> = opened.session === null ? {} : { 'mcp-session-id': opened.session }
    sessions.set(key, made)
    return made
  }
  return {
    name,
    things,
    async call({ who, era, args }, thing) {
      const { path, named } = place(thing)
      const headers = { ...fields(who, era, 'tools/call', named), ...(await session(who, era, path)) }
      const { result } = await post(path, headers, messageOf(era, 'tools/call', { name: named, arguments: args }))
      return result !== undefined
    },
    async list(who, era) {
      const shown: Thing[] = []
      for (const path of new Set(things.map((thing) => place(thing).path))) {
        const headers = { ...fields(who, era, 'tools/list'), ...(await session(who, era, path)) }
        const { result } = await post(path, headers, messageOf(era, 'tools/list', {}))
        const names = result?.tools?.map((tool) => tool.name) ?? []
        const there = things.filter((thing) => place(thing).path === path)
        for (const one of names) expect(there.map((thing) => place(thing).named)).toContain(one)
        shown.push(...there.filter((thing) => names.includes(place(thing).named)))
      }
      return shown
    },
  }
}

const DOORS: readonly Door[] = [
  mcpDoor('the servers’ own addresses', AT_HOME, ({ server, tool }) => ({
    path: `/servers/${server}/mcp`,
    named: tool,
  })),
  mcpDoor('the aggregate', AT_HOME, ({ server, tool }) => ({ path: '/mcp', named: `${server}__${tool}` })),
  mcpDoor('a virtual server', IN_VIEW, ({ server, tool }) => ({ path: `/servers/${server}/mcp`, named: tool })),
  {
    name: 'forward-auth with the message',
    things: AT_HOME,
    async call({ who, era, args }, { server, tool }) {
      const asked = {
        'x-forwarded-method': 'POST',
        'x-forwarded-proto': 'https',
        'x-forwarded-host': `${server}.example.com`,
        'x-forwarded-uri': '/mcp',
      }
      const headers = { ...fields(who, era, 'tools/call', tool), ...asked }
      const body = messageOf(era, 'tools/call', { name: tool, arguments: args })
      const { status } = await fetch(`${gateway.url}/auth`, { method: 'POST', headers, body })
      return status === 200
    },
  },
  {
    name: 'AuthZEN',
    things: AT_HOME,
    withoutTokens: true,
    async call({ who, era, args }, { server, tool }) {
      const { status, body } = await pdp.evaluation({
        subject: { type: 'user', id: who.name },
        action: { name: 'tools/call', properties: { arguments: args } },
        resource: { type: 'tool', id: `${server}/${tool}` },
        context: { address: '127.0.0.1', era },
      })
      expect(status).toBe(200)
      return body.decision
    },
  },
]

describe.each(DOORS)('at $name', (door) => {
  const everybody = EVERYBODY.filter(({ reach }) => reach === undefined || door.withoutTokens === undefined)
  describe.each(everybody)('$name', (who) => {
    it.each(ERAS)('in the %s era may do what the rules say, and sees what they may do', async (era) => {
      const listed = await door.list?.(who, era)
      for (const thing of door.things) {
        const outcomes: boolean[] = []
        for (const args of ARGUMENTS) {
          const cell = { who, era, args }
          const allowed = await door.call(cell, thing)
          const told = `${thing.server}/${thing.tool} ${JSON.stringify(args)}`
          expect({ told, allowed }).toEqual({ told, allowed: expected(thing, cell) })
          outcomes.push(allowed)
        }
        if (listed === undefined) continue
        const told = `${thing.server}/${thing.tool} is listed`
        expect({ told, listed: listed.includes(thing) }).toEqual({ told, listed: outcomes.includes(true) })
      }
    })
  })
})

it('tells people, arguments and eras apart', () => {
  const cells = [...AT_HOME, ...IN_VIEW].flatMap((thing) =>
    EVERYBODY.flatMap((who) => ERAS.flatMap((era) => ARGUMENTS.map((args) => expected(thing, { who, era, args })))),
  )
  expect(cells.length).toBe(9 * 5 * 2 * 5)
  expect(cells.filter((cell) => cell).length).toBeGreaterThan(50)
  expect(cells.filter((cell) => !cell).length).toBeGreaterThan(50)
})
