// Assertions of edges under attack, through the real gateway with a server of keys in a test's hands: catalogue rows C12 to C19 for
// assertions, D1, D2, D4, D5, D11 and D16 for the fields they come in. Whatever is refused has a twin that is served.
import { createHmac, generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { createServer, type Server } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Edges, publishPem, startEdges, type TestEdge } from '../support/edges.ts'
import { standingClock } from '../support/gateway.ts'
import { type Bent, signingKey } from '../support/issuer.ts'
import { ELSEWHERE, proxied } from '../support/proxied.ts'
import {
  attackTable,
  type Bend,
  callHead,
  expectAlive,
  expectNoSecret,
  expectRecorded,
  expectRefusal,
  expectServed,
  MCP_PATH,
  type Range,
  shoot,
  startRange,
  toolCall,
} from '../support/range.ts'
import { chunked, converse, rawRequest } from '../support/raw.ts'

const NAMES = ['cloudflare', 'aws', 'google', 'pomerium'] as const
type Name = (typeof NAMES)[number]

let edges: Edges
const ranges = new Map<Name, Range>()
const rangeOf = (name: Name): Range => {
  const range = ranges.get(name)
  if (range === undefined) throw new TypeError(name)
  return range
}
let bait: Server
let visits = 0
let baitUrl = ''

beforeAll(async () => {
  bait = createServer((socket) => {
    visits++
    socket.destroy()
  })
  await new Promise<void>((resolve) => bait.listen(0, '127.0.0.1', resolve))
  const address = bait.address()
  baitUrl = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
  edges = await startEdges(() => ranges.get('cloudflare')?.gateway.clock.now() ?? Date.now())
  const clock = standingClock()
  for (const name of NAMES) {
    const options = { auth: { proxy: edges[name].settings }, server: { trustedProxies: ['127.0.0.1'] }, clock }
    ranges.set(name, await startRange(options))
  }
})
afterAll(async () => {
  for (const range of ranges.values()) await range.close()
  await edges?.close()
  bait?.close()
})
const shown = (edge: TestEdge, assertion: string | readonly string[]): Bend => proxied({ [edge.field]: assertion })

/** Who the gate took the caller of the last answer for. */
async function subjectOf(range: Range, answer: Awaited<ReturnType<typeof shoot>>): Promise<string | undefined> {
  const id = answer.header('x-request-id')
  const events = await range.gateway.audit((all) => all.some((event) => event.id === id))
  return events.find((event) => event.id === id)?.subject
}

async function expectTaken(name: Name, assertion = edges[name].assertion(), from?: string): Promise<void> {
  const range = rangeOf(name)
  const answer = await expectServed(range, { bend: shown(edges[name], assertion), ...(from !== undefined && { from }) })
  expect(await subjectOf(range, answer)).toBe(`${edges[name].ann.issuer}|${edges[name].ann.identity}`)
}

/** 401 with the one sentence, the reason in the record, nothing upstream, nothing fetched from where it points; the twin is served. */
async function expectRefused(name: Name, assertion: string, reason?: string): Promise<void> {
  const range = rangeOf(name)
  const before = range.canary.requests.length
  const answer = await shoot(range, { bend: shown(edges[name], assertion) })
  expect({ status: answer.status, body: answer.body.toString() }).toEqual({
    status: 401,
    body: '{"error":"Unauthorized","message":"The access token is not valid here."}',
  })
  expect(answer.header('www-authenticate')).toMatch(/^Bearer error="invalid_token", .*resource_metadata="/)
  expect(range.canary.requests.length).toBe(before)
  if (reason !== undefined) await expectRecorded(range, answer, reason)
  if (assertion.length > 8) expectNoSecret(range, assertion)
  expect(visits).toBe(0)
  await expectTaken(name)
}

const seconds = () => Math.floor(rangeOf('cloudflare').gateway.clock.now() / 1000)
const thief = signingKey('thief')
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const stolen = (input: Buffer) => sign('sha256', input, { key: thief.privateKey, dsaEncoding: 'ieee-p1363' })
const publicJwk = thief.publicKey.export({ format: 'jwk' })
const mac = (secret: () => string) => (input: Buffer) => createHmac('sha256', secret()).update(input).digest()

interface Row {
  readonly id: string
  readonly bent: (name: Name) => Bent
  readonly reason: string
}

describe.each(NAMES)('%s', (name) => {
  const rows: readonly Row[] = [
    ...['none', 'NONE', 'nOnE', ''].map((alg) => ({
      id: `C12: alg "${alg}"`,
      bent: () => ({ header: { alg }, signature: () => Buffer.from([0]) }),
      reason: 'algorithm',
    })),
    ...(['HS256', 'HS512'] as const).map((alg) => ({
      id: `C12: ${alg} with what is published as secret`,
      bent: () => ({ header: { alg }, signature: mac(() => JSON.stringify(edges.keys.keySet)) }),
      reason: 'algorithm',
    })),
    { id: 'C12: PS256', bent: () => ({ header: { alg: 'PS256' } }), reason: 'algorithm' },
    {
      id: 'C12: a key of its own',
      bent: () => ({ header: { jwk: publicJwk }, signature: stolen }),
      reason: 'header_forbidden',
    },
    { id: 'C12: jku', bent: () => ({ header: { jku: `${baitUrl}/jwks` } }), reason: 'header_forbidden' },
    { id: 'C12: x5u', bent: () => ({ header: { x5u: `${baitUrl}/cert` } }), reason: 'header_forbidden' },
    { id: 'C12: x5c', bent: () => ({ header: { x5c: ['MIIB'] } }), reason: 'header_forbidden' },
    ...['../../../../dev/null', "' or 1=1 --", '__proto__', '\0', '@127.0.0.1', '..%2f..%2fjwks'].map((kid) => ({
      id: `C12: kid ${JSON.stringify(kid)}`,
      bent: () => ({ header: { kid }, signature: stolen }),
      reason: 'unknown_key',
    })),
    {
      id: 'C12: kid that is an address',
      bent: () => ({ header: { kid: `${baitUrl}/key` }, signature: stolen }),
      reason: 'unknown_key',
    },
    { id: 'C16: crit', bent: () => ({ header: { crit: ['x'], x: 1 } }), reason: 'header_forbidden' },
    { id: 'C16: b64', bent: () => ({ header: { b64: false, crit: ['b64'] } }), reason: 'header_forbidden' },
    {
      id: 'C17: p2c',
      bent: () => ({ header: { alg: 'PBES2-HS256+A128KW', p2c: 2 ** 31 } }),
      reason: 'header_forbidden',
    },
    { id: 'C17: zip', bent: () => ({ header: { zip: 'DEF' } }), reason: 'header_forbidden' },
    { id: 'C15: nbf in the future', bent: () => ({ claims: { nbf: seconds() + 60 } }), reason: 'not_yet_valid' },
    { id: 'C15: iat in the future', bent: () => ({ claims: { iat: seconds() + 600 } }), reason: 'not_yet_valid' },
    { id: 'C15: a subject that is a number', bent: () => ({ claims: { sub: 7 } }), reason: 'claim_type' },
    { id: 'C15: a subject that is a list', bent: () => ({ claims: { sub: ['root'] } }), reason: 'claim_type' },
    { id: 'C15: claims twice', bent: () => ({ claimsText: '{"sub":"a","sub":"root"}' }), reason: 'malformed' },
    { id: 'C15: no object', bent: () => ({ claimsText: '[]' }), reason: 'malformed' },
  ]
  attackTable('a forged assertion', rows, async ({ bent, reason }) =>
    expectRefused(name, edges[name].assertion(bent(name)), reason),
  )

  it('C13: no other string than the one that was signed is it, also not from memory', async () => {
    const assertion = edges[name].assertion()
    await expectTaken(name, assertion)
    const bare = assertion.replace(/=+$/, '')
    const last = bare.slice(-1)
    const unused = String.fromCharCode(last.charCodeAt(0) + 1)
    for (const other of [
      `${bare.slice(0, -1)}${unused}`,
      `${assertion}====`,
      `${assertion}.`,
      assertion.replace('.', ' .'),
    ])
      await expectRefused(name, other, 'malformed')
  })

  it('C14: the memory knows an assertion by all of it', async () => {
    const known = edges[name].assertion()
    await expectTaken(name, known)
    const [head = '', , signature = ''] = known.split('.')
    const body = Buffer.from(JSON.stringify({ sub: 'root', iss: edges[name].ann.issuer, exp: seconds() + 60 }))
    const padding = name === 'aws' ? '='.repeat((4 - (body.toString('base64url').length % 4)) % 4) : ''
    await expectRefused(name, `${head}.${body.toString('base64url')}${padding}.${signature}`, 'bad_signature')
    for (const length of [16, 64, 200, known.length - 20])
      await expectRefused(name, known.slice(0, length) + 'A'.repeat(known.length - length))
  })

  it('C15: it ends when it ends', async () => {
    const bent = { claims: { exp: seconds() - 31 }, header: name === 'aws' ? { exp: seconds() - 31 } : {} }
    await expectRefused(name, edges[name].assertion(bent), 'expired')
  })

  it('C17: five parts are refused at once', async () => {
    const part = randomBytes(16).toString('base64url')
    await expectRefused(name, [part, part, part, part, part].join('.'), 'malformed')
  })

  it('C19: made-up kids are few questions, whatever their number', async () => {
    const range = rangeOf(name)
    await expectTaken(name)
    range.gateway.clock.advance('31s')
    const before = edges.keys.asked.length
    const statuses = new Set<number>()
    for (let n = 0; n < 10; n++) {
      const batch = Array.from({ length: 20 }, () =>
        shoot(range, { bend: shown(edges[name], edges[name].assertion({ header: { kid: crypto.randomUUID() } })) }),
      )
      for (const { status } of await Promise.all(batch)) statuses.add(status)
    }
    expect([...statuses].filter((status) => status !== 401 && status !== 503)).toEqual([])
    expect(edges.keys.asked.length - before).toBeLessThanOrEqual(name === 'aws' ? 10 : 1)
    await expectTaken(name)
    range.gateway.clock.advance('31s')
    await expectTaken(name)
  })

  it('D16: around the edge it is air; a token there is a token', async () => {
    const range = rangeOf(name)
    const { field } = edges[name]
    await expectRefusal(range, { bend: shown(edges[name], edges[name].assertion()), from: ELSEWHERE }, { status: 401 })
    await expectServed(range, { bend: { [field]: edges[name].assertion() }, from: ELSEWHERE })
    await expectTaken(name)
  })

  it('the assertion is no access token: shown as one it is refused, though its signature is good', async () => {
    const range = rangeOf(name)
    const assertion = edges[name].assertion()
    for (const from of [undefined, ELSEWHERE]) {
      const bend = { Authorization: `Bearer ${assertion}` }
      await expectRefusal(range, { bend, ...(from !== undefined && { from }) }, { status: 401 })
    }
    const key = proxied({ 'X-API-Key': assertion })
    await expectRefusal(range, { bend: key }, { status: 401 })
    const cookie = proxied({ Cookie: `CF_Authorization=${assertion}; ${edges[name].field}=${assertion}` })
    await expectRefusal(range, { bend: cookie }, { status: 401 })
    await expectRefusal(range, { bend: proxied({}), target: `${MCP_PATH}?token=${assertion}` }, { status: 400 })
    expectNoSecret(range, assertion)
    await expectTaken(name, assertion)
  })
})

describe.each(NAMES)('the field of %s', (name) => {
  const spellings = () => {
    const { field } = edges[name]
    return [
      field.replaceAll('-', '_'),
      field.replace('-', '_'),
      field.replaceAll('-', '.'),
      field.replace(/-([^-]*)$/, '~$1'),
    ]
  }

  it('D1, D2: another spelling from the edge is somebody behind it, alone and beside the true one', async () => {
    const range = rangeOf(name)
    for (const alias of spellings())
      for (const more of [{}, { [edges[name].field]: edges[name].assertion() }]) {
        const bend = proxied({ ...more, [alias]: edges[name].assertion() })
        await expectRefusal(range, { bend }, { status: 400, reason: 'identity_header_alias' })
        await expectRefusal(range, { bend, from: ELSEWHERE }, { status: 401 })
      }
    await expectTaken(name)
  })

  it('D4: twice is once too often', async () => {
    const range = rangeOf(name)
    const [one, two] = [edges[name].assertion(), edges[name].assertion({ claims: { sub: 'root' } })]
    for (const lines of [
      [one, two],
      [one, one],
      ['', one],
    ])
      await expectRefusal(
        range,
        { bend: shown(edges[name], lines) },
        { status: 400, reason: 'identity_header_repeated' },
      )
    const cases = proxied({ [edges[name].field]: one, [edges[name].field.toLowerCase()]: two })
    await expectRefusal(range, { bend: cases }, { status: 400, reason: 'identity_header_repeated' })
    await expectRefused(name, `${one},${two}`, 'malformed')
  })

  it('D5: listed in Connection it would be gone for the next reader', async () => {
    const range = rangeOf(name)
    for (const value of [`close, ${edges[name].field}`, `close,${edges[name].field.toUpperCase()}`]) {
      const bend = { ...shown(edges[name], edges[name].assertion()), Connection: value }
      await expectRefusal(range, { bend }, { status: 400, reason: 'identity_header_listed' })
    }
    await expectTaken(name)
  })

  it('D11: in a trailer it is nobody', async () => {
    const range = rangeOf(name)
    const headers = callHead(range, 'modern', proxied({ 'Transfer-Encoding': 'chunked' }))
    const trailers = [`${edges[name].field}: ${edges[name].assertion()}`]
    const request = rawRequest({ target: MCP_PATH, headers, body: chunked(toolCall('modern'), trailers) })
    const { answers } = await converse(range.gateway.port, request, ['POST'])
    expect(answers.map(({ status }) => status)).toEqual([401])
    await expectTaken(name)
  })

  it('beside it the plain field names nobody else', async () => {
    const range = rangeOf(name)
    const [plain] = edges[name].plain
    const bend = { ...shown(edges[name], edges[name].assertion()), [plain]: 'root@corp.example' }
    if (name === 'aws') await expectRefusal(range, { bend }, { status: 400, reason: 'identity_headers_differ' })
    else expect(await subjectOf(range, await expectServed(range, { bend }))).toContain(edges[name].ann.identity)
    await expectRefusal(range, { bend: proxied({ [plain]: 'root@corp.example' }) }, { status: 401 })
    await expectTaken(name)
  })

  it('of megabytes ends at the door, and everybody else is served', async () => {
    const range = rangeOf(name)
    await expectRefusal(range, { bend: shown(edges[name], 'x'.repeat(60_000)) }, { status: 431 })
    await expectRefused(name, `${'a'.repeat(5000)}.${'b'.repeat(5000)}.${'c'.repeat(3000)}`, 'malformed')
    await expectAlive(range)
  })
})

describe('C18: keys that are weak', () => {
  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 })

  it('count for nothing in a key set', async () => {
    const good = edges.keys.keySet as { keys: object[] }
    const jwk = { ...weak.publicKey.export({ format: 'jwk' }), kid: 'weak', alg: 'RS256' }
    edges.keys.keySet = { keys: [...good.keys, jwk, { kty: 'oct', k: 'AAAA', kid: 'shared' }] }
    rangeOf('cloudflare').gateway.clock.advance('11m')
    const signature = (input: Buffer) => sign('sha256', input, weak.privateKey)
    await expectRefused('cloudflare', edges.cloudflare.assertion({ header: { kid: 'weak' }, signature }), 'unknown_key')
    const told = rangeOf('cloudflare').gateway.log.filter((line) => line.includes('RSA of 1024 bits'))
    expect(told.length).toBeGreaterThan(0)
    edges.keys.keySet = good
  })

  it('nor of another kind under the name of a load balancer’s key', async () => {
    const { kid } = publishPem(edges.keys)
    const pem = rsa.publicKey.export({ format: 'pem', type: 'spki' })
    edges.keys.instead.set(`/${kid}`, (_req, res) => void res.writeHead(200).end(pem))
    rangeOf('aws').gateway.clock.advance('31s')
    const signature = (input: Buffer) => sign('sha256', input, rsa.privateKey)
    await expectRefused('aws', edges.aws.assertion({ header: { kid }, signature }), 'unknown_key')
  })
})
