// Identity headers in every spelling but one: catalogue rows D1, D2, D4, D5, D11.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { IDENTITY_SUFFIXES } from '../../src/protocol/identity-headers.ts'
import { legible } from '../support/legible.ts'
import { CANARY_KEY, cgiNames, ELSEWHERE, proxied, startProxiedRange } from '../support/proxied.ts'
import {
  attackTable,
  type Bend,
  callHead,
  expectNoSecret,
  expectRefusal,
  expectServed,
  MCP_PATH,
  type Range,
  type Refusal,
  shoot,
  toolCall,
} from '../support/range.ts'
import { chunked, converse, rawRequest } from '../support/raw.ts'

let range: Range
beforeAll(async () => {
  range = await startProxiedRange()
})
afterAll(() => range?.close())

const JOHN = { 'X-Forwarded-User': 'john' }
const PATH = /^HTTP_X_(FORWARDED|AUTH)/
/** What this server is told of who calls. */
const OURS = new Set(cgiNames(Object.values(IDENTITY_SUFFIXES).flatMap((suffix) => [`X-Forwarded-${suffix}`, ''])))

/** Who the gate took the caller of the last answer for. */
async function callerOf(answer: Awaited<ReturnType<typeof shoot>>): Promise<string | undefined> {
  const id = answer.header('x-request-id')
  const events = await range.gateway.audit((all) => all.some((event) => event.id === id))
  return events.find((event) => event.id === id)?.subject
}

/** Nothing of the callers' own reaches a server that reads headers loosely; what we send does, of whoever calls, and once. */
function expectOurs(subject: string | undefined): void {
  const { rawHeaders = [] } = range.canary.requests.at(-1) ?? {}
  const names = cgiNames(rawHeaders)
  const told = names.filter((name) => PATH.test(name))
  expect([new Set(told).size, told.filter((name) => !OURS.has(name))]).toEqual([told.length, []])
  expect(rawHeaders[names.indexOf('HTTP_X_FORWARDED_USER_ID') * 2 + 1]).toBe(subject)
  expect(legible(rawHeaders.join('\n'))).not.toContain('root')
  expect(rawHeaders[rawHeaders.findIndex((name) => /^x-canary-key$/i.test(name)) + 1]).toBe(CANARY_KEY)
}

async function expectTwin(): Promise<void> {
  expect(await callerOf(await expectServed(range, { bend: proxied(JOHN) }))).toBe('proxy|john')
  expectOurs('proxy|john')
}

/** From the proxy it is refused, alone and beside the true one; from elsewhere it is air, with a token and without. */
async function expectAlias(alias: Bend, reason: string): Promise<void> {
  for (const bend of [proxied(alias), proxied({ ...JOHN, ...alias }), { ...JOHN, ...alias }])
    await expectRefusal(range, { bend }, { status: 400, reason })
  await expectRefusal(range, { bend: proxied(alias), from: ELSEWHERE }, { status: 401 })
  const beside = await expectServed(range, { bend: alias, from: ELSEWHERE })
  const subject = await callerOf(beside)
  expect(subject).not.toMatch(/root|proxy/)
  expectOurs(subject)
  await expectTwin()
}

/** Every way to write the marks of a name, the right one left out. */
function spellings(name: string, marks: readonly string[]): string[] {
  const [first = '', ...rest] = name.split('-')
  const all = rest.reduce<string[]>(
    (made, part) => made.flatMap((begun) => marks.map((mark) => begun + mark + part)),
    [first],
  )
  return all.filter((spelled) => spelled !== name)
}

describe('D1', () => {
  const names = ['X-Forwarded-User', 'x-forwarded-email', 'X-FORWARDED-GROUPS', 'X-Forwarded-Preferred-Username']
  const rows = names.flatMap((name) => spellings(name, ['-', '_'])).map((id) => ({ id }))
  attackTable('an underscore for a dash', rows, async ({ id }) =>
    expectAlias({ [id]: 'root' }, 'identity_header_alias'),
  )
})

describe('D2', () => {
  const rows = [
    ...spellings('X-Forwarded-User', ['-', '.']),
    'X~Forwarded~User',
    "X'Forwarded`User",
    'X_Forwarded.User',
  ]
  attackTable(
    'a dot, or another mark, for a dash',
    rows.map((id) => ({ id })),
    async ({ id }) => expectAlias({ [id]: 'root' }, 'identity_header_alias'),
  )
})

interface Doubled extends Refusal {
  readonly id: string
  readonly bend: Bend
}

const REPEATED = { status: 400, reason: 'identity_header_repeated' }
const LISTED = { status: 400, reason: 'identity_header_list' }
const ILLEGAL = { status: 400, reason: 'identity_header_illegal' }
const DOUBLED: readonly Doubled[] = [
  { id: 'two users', bend: { 'X-Forwarded-User': ['john', 'root'] }, ...REPEATED },
  { id: 'the same user twice', bend: { 'X-Forwarded-User': ['john', 'john'] }, ...REPEATED },
  { id: 'two cases of the name', bend: { 'X-Forwarded-User': 'john', 'x-forwarded-user': 'root' }, ...REPEATED },
  { id: 'an empty one first', bend: { 'X-Forwarded-User': ['', 'root'] }, ...REPEATED },
  { id: 'two users on a line', bend: { 'X-Forwarded-User': 'john,root' }, ...LISTED },
  { id: 'a list with an end', bend: { 'X-Forwarded-User': 'john,root;' }, ...LISTED },
  { id: 'a comma alone', bend: { 'X-Forwarded-User': ',' }, ...LISTED },
  { id: 'two addresses', bend: { ...JOHN, 'X-Forwarded-Email': 'john@a.example, root@a.example' }, ...LISTED },
  { id: 'two lines of addresses', bend: { ...JOHN, 'X-Forwarded-Email': ['j@a.example', 'r@a.example'] }, ...REPEATED },
  { id: 'two lines of groups', bend: { ...JOHN, 'X-Forwarded-Groups': ['staff', 'admin'] }, ...REPEATED },
  { id: 'a byte beyond ASCII', bend: { 'X-Forwarded-User': '\xa0root' }, ...ILLEGAL },
  { id: 'NEL', bend: { 'X-Forwarded-User': '\x85root' }, ...ILLEGAL },
  { id: 'a tab inside', bend: { 'X-Forwarded-User': 'ro\tot' }, ...ILLEGAL },
]

describe('D4', () => {
  attackTable('two identities in one', DOUBLED, async ({ bend, status, reason }) => {
    await expectRefusal(range, { bend: proxied(bend) }, { status, ...(reason !== undefined && { reason }) })
    // A good token does not make it clear.
    await expectRefusal(range, { bend }, { status, ...(reason !== undefined && { reason }) })
    await expectRefusal(range, { bend: proxied(bend), from: ELSEWHERE }, { status: 401 })
    await expectTwin()
  })

  it('blank is absent, and the blanks around a name are not of it', async () => {
    for (const blank of ['', '   ']) {
      await expectRefusal(range, { bend: proxied({ 'X-Forwarded-User': blank }) }, { status: 401 })
      await expectServed(range, { bend: { 'X-Forwarded-User': blank } })
    }
    const answer = await expectServed(range, { bend: proxied({ 'X-Forwarded-User': '   john  ' }) })
    expect(await callerOf(answer)).toBe('proxy|john')
  })
})

describe('D5', () => {
  const LISTS = [
    'close, X-Forwarded-User',
    'close, x-forwarded-user',
    'CLOSE, X-FORWARDED-USER',
    'X-Forwarded-User,close',
    'close ,\tx-Forwarded-User ',
    'close, X_Forwarded_User',
    'close, X-Forwarded-Groups',
  ].flatMap((value) =>
    ['Connection', 'connection'].map((name) => ({ id: `${name}: ${JSON.stringify(value)}`, name, value })),
  )

  attackTable('Connection lists what a proxy set', LISTS, async ({ name, value }) => {
    const bend = { Connection: undefined, [name]: value }
    for (const more of [proxied(JOHN), JOHN])
      await expectRefusal(range, { bend: { ...more, ...bend } }, { status: 400, reason: 'identity_header_listed' })
    // A stranger's list has nothing to take away.
    const subject = await callerOf(await expectServed(range, { bend, from: ELSEWHERE }))
    expect(subject).not.toMatch(/proxy/)
    expectOurs(subject)
    await expectTwin()
  })

  it.each(['X-Canary-Key', 'x-canary-key', 'Keep-Alive', 'TE', 'Proxy-Connection', 'Authorization', 'Host'])(
    'what we send survives Connection: close, %s',
    async (name) => {
      const bend = {
        Connection: `close, ${name}`,
        'Keep-Alive': 'timeout=5',
        TE: 'trailers',
        'Proxy-Connection': 'close',
      }
      expect(await callerOf(await expectServed(range, { bend: proxied({ ...JOHN, ...bend }) }))).toBe('proxy|john')
      expectOurs('proxy|john')
      const names = cgiNames(range.canary.requests.at(-1)?.rawHeaders ?? [])
      for (const hop of ['HTTP_KEEP_ALIVE', 'HTTP_TE', 'HTTP_PROXY_CONNECTION']) expect(names).not.toContain(hop)
    },
  )
})

describe('D11', () => {
  const body = toolCall('modern')
  async function sendChunked(fields: Bend, trailers: readonly string[], from?: string) {
    const headers = callHead(range, 'modern', { ...fields, 'Transfer-Encoding': 'chunked' })
    const request = rawRequest({ target: MCP_PATH, headers, body: chunked(body, trailers) })
    const { answers, left } = await converse(range.gateway.port, request, ['POST'], from)
    expect([answers.length, left.length]).toEqual([1, 0])
    const [answer] = answers
    if (answer === undefined) throw new TypeError('No answer.')
    return answer
  }
  const ROOT = ['X-Forwarded-User: root', 'X_Forwarded_User: root', 'X-Forwarded-Groups: admin']

  it('names nobody, and replaces nobody', async () => {
    const before = range.canary.requests.length
    for (const from of [undefined, ELSEWHERE])
      expect((await sendChunked({ Authorization: undefined }, ROOT, from)).status).toBe(401)
    expect(range.canary.requests.length).toBe(before)
    expect(await callerOf(await sendChunked(proxied(JOHN), ROOT))).toBe('proxy|john')
    expect(await callerOf(await sendChunked({}, ROOT))).not.toMatch(/root|proxy/)
    expect(range.canary.requests.length).toBe(before + 2)
    for (const { rawHeaders, trailers } of range.canary.requests.slice(before)) {
      expect(trailers).toEqual([])
      expect(rawHeaders).not.toContain('root')
    }
    expectNoSecret(range)
  })

  it('that is announced by a proxy’s own request is refused', async () => {
    const before = range.canary.requests.length
    expect((await sendChunked({ ...proxied(JOHN), Trailer: 'X-Forwarded-User' }, ROOT)).status).toBe(400)
    expect(range.canary.requests.length).toBe(before)
    expect((await sendChunked({ ...proxied(JOHN), Trailer: 'X-Checksum' }, ['X-Checksum: 1'])).status).toBe(200)
    expect((await shoot(range, { bend: proxied(JOHN) })).status).toBe(200)
  })
})
