// What all edges that sign are held to, edge by edge: each forgery differs from what is taken in one thing.
import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type OpenedEdge, openEdge } from '../../test/support/edge-way.ts'
import { type Edges, startEdges, type TestEdge } from '../../test/support/edges.ts'
import { type Bent, signingKey } from '../../test/support/issuer.ts'

const clock = { now: Date.now() }
let edges: Edges
const ways = new Map<string, OpenedEdge>()
beforeAll(async () => {
  edges = await startEdges(() => clock.now)
  for (const edge of edges.all) ways.set(edge.preset, openEdge(edge.settings))
})
afterAll(() => edges?.close())

const NAMES = ['cloudflare', 'aws', 'google', 'pomerium'] as const
type Name = (typeof NAMES)[number]
const wayOf = (name: Name): OpenedEdge => {
  const way = ways.get(edges[name].preset)
  if (way === undefined) throw new TypeError(name)
  way.now = clock.now
  return way
}
const judge = (name: Name, assertion: string | readonly string[], more: Record<string, string> = {}) =>
  wayOf(name).judge({ [edges[name].field]: assertion, ...more })

/** Claims as each edge says them: a load balancer has some in its header, and twice. */
function claiming(name: Name, claims: { aud?: unknown; iss?: unknown; exp?: unknown }): Bent {
  if (name !== 'aws') return { claims }
  const { aud, ...rest } = claims
  return { header: { ...rest, ...('aud' in claims && { client: aud }) }, claims: rest }
}
const seconds = () => Math.floor(clock.now / 1000)

async function expectTwin(name: Name): Promise<void> {
  const { ann } = edges[name]
  expect(await judge(name, edges[name].assertion())).toMatchObject({ identity: ann.identity, method: 'edge' })
}

describe.each(NAMES)('%s', (name) => {
  it('names the caller, by the edge’s own issuer and subject, with address and groups', async () => {
    const { ann } = edges[name]
    const vouched = await judge(name, edges[name].assertion())
    expect(vouched).toMatchObject({ ...ann, kind: 'person', method: 'edge', scopeRule: 'none', roles: [], teams: [] })
    if (name === 'aws' || name === 'pomerium') expect(vouched).toMatchObject({ name: 'Ann Smith' })
  })

  it('takes the same again without asking for keys again', async () => {
    const assertion = edges[name].assertion()
    await judge(name, assertion)
    const before = edges.keys.asked.length
    expect(await judge(name, assertion)).toMatchObject({ identity: edges[name].ann.identity })
    expect(edges.keys.asked.length).toBe(before)
  })

  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const thief = signingKey()
  const kidOf = (edge: TestEdge): string =>
    JSON.parse(Buffer.from(edge.assertion().split('.')[0] ?? '', 'base64').toString()).kid
  const own = (bent: Bent): Bent => ({ ...bent, header: { kid: kidOf(edges[name]), ...bent.header } })
  const signedByThief = (input: Buffer) =>
    name === 'cloudflare'
      ? sign('sha256', input, rsa.privateKey)
      : sign('sha256', input, { key: thief.privateKey, dsaEncoding: 'ieee-p1363' })
  const secret = () => JSON.stringify(edges.keys.keySet)
  const OTHER = name === 'cloudflare' ? 'ES256' : 'RS256'

  it.each<[string, () => Bent, string]>([
    ['somebody else’s signature', () => own({ signature: signedByThief }), 'bad_signature'],
    ['no signature to speak of', () => own({ signature: () => Buffer.alloc(64) }), 'bad_signature'],
    ['alg none', () => ({ header: { alg: 'none' } }), 'algorithm'],
    ['alg None', () => ({ header: { alg: 'None' } }), 'algorithm'],
    [
      'HS256 with the published keys as secret',
      () => ({
        header: { alg: 'HS256' },
        signature: (input: Buffer) => createHmac('sha256', secret()).update(input).digest(),
      }),
      'algorithm',
    ],
    ['an algorithm of another edge', () => ({ header: { alg: OTHER } }), 'algorithm'],
    ['a key it brings along', () => ({ header: { jwk: thief.jwk }, signature: signedByThief }), 'header_forbidden'],
    ['an address of keys', () => ({ header: { jku: `${edges.keys.origin}/else` } }), 'header_forbidden'],
    ['a certificate', () => ({ header: { x5c: ['MIIB'] } }), 'header_forbidden'],
    ['an address of a certificate', () => ({ header: { x5u: `${edges.keys.origin}/else` } }), 'header_forbidden'],
    ['an extension that must be understood', () => ({ header: { crit: ['exp'] } }), 'header_forbidden'],
    ['a payload that is not encoded', () => ({ header: { b64: false } }), 'header_forbidden'],
    ['a token made to call with', () => ({ header: { typ: 'at+jwt' } }), 'token_type'],
    ['a logout', () => ({ header: { typ: 'logout+jwt' } }), 'token_type'],
    ['a kid that is a path', () => ({ header: { kid: '../../../dev/null' } }), 'unknown_key'],
    ['a kid that is an address', () => ({ header: { kid: `${edges.keys.origin}/else` } }), 'unknown_key'],
    ['a kid of nobody', () => ({ header: { kid: '00000000-0000-4000-8000-000000000000' } }), 'unknown_key'],
    ['a kid that is no text', () => ({ header: { kid: 7 } }), 'malformed'],
    ['another issuer', () => claiming(name, { iss: 'https://else.example' }), 'issuer_mismatch'],
    ['an issuer with a slash more', () => claiming(name, { iss: `${edges[name].ann.issuer}/` }), 'issuer_mismatch'],
    ['a list of issuers', () => claiming(name, { iss: [edges[name].ann.issuer] }), 'issuer_mismatch'],
    ['another audience', () => claiming(name, { aud: 'somebody-else' }), 'audience_mismatch'],
    [
      'an audience that only begins as ours',
      () => claiming(name, { aud: `${audienceOf(name)}x` }),
      'audience_mismatch',
    ],
    ['no audience', () => claiming(name, { aud: undefined }), 'audience_mismatch'],
    ['an audience deep inside', () => claiming(name, { aud: [[audienceOf(name)]] }), 'audience_mismatch'],
    ['expired', () => claiming(name, { exp: seconds() - 31 }), 'expired'],
    ['no end', () => claiming(name, { exp: undefined }), 'claim_type'],
    ['an end that is text', () => claiming(name, { exp: String(seconds() + 60) }), 'claim_type'],
    ['an end beyond all time', () => claiming(name, { exp: 1e300 }), 'claim_type'],
    ['not yet', () => ({ claims: { nbf: seconds() + 60 } }), 'not_yet_valid'],
    ['from the future', () => ({ claims: { iat: seconds() + 600 } }), 'not_yet_valid'],
    ['no subject', () => ({ claims: { sub: undefined } }), 'claim_type'],
    ['an empty subject', () => ({ claims: { sub: '' } }), 'claim_type'],
    ['a subject that is a number', () => ({ claims: { sub: 7 } }), 'claim_type'],
    ['a subject twice', () => ({ claimsText: '{"sub":"ann","sub":"bob"}' }), 'malformed'],
    ['alg twice', () => ({ headerText: '{"alg":"none","alg":"ES256","kid":"k"}' }), 'malformed'],
  ])('%s is refused', async (_what, bent, reason) => {
    expect(await judge(name, edges[name].assertion(bent()))).toBe(reason)
    await expectTwin(name)
  })

  it('in time it is taken, and a little after its end for clocks that differ', async () => {
    expect(await judge(name, edges[name].assertion(claiming(name, { exp: seconds() - 29 })))).toMatchObject(
      edges[name].ann,
    )
    expect(await judge(name, edges[name].assertion({ claims: { nbf: seconds() + 29 } }))).toMatchObject(edges[name].ann)
  })

  it('ends for good when it ends, though it was taken before', async () => {
    const assertion = edges[name].assertion(claiming(name, { exp: seconds() + 60 }))
    expect(await judge(name, assertion)).toMatchObject(edges[name].ann)
    const way = wayOf(name)
    way.now = clock.now + 89_000
    expect(await way.judge({ [edges[name].field]: assertion })).toMatchObject(edges[name].ann)
    way.now = clock.now + 91_000
    expect(await way.judge({ [edges[name].field]: assertion })).toBe('expired')
  })

  it('another string of the same signature is no assertion', async () => {
    const assertion = edges[name].assertion()
    expect(await judge(name, assertion)).toMatchObject(edges[name].ann)
    const [head = '', body = '', signature = ''] = assertion.split('.')
    const last = signature.replace(/=+$/, '')
    const unused = `${last.slice(0, -1)}${String.fromCharCode(last.charCodeAt(last.length - 1) + 1)}`
    for (const bent of [
      `${assertion}=`,
      `${assertion}.x`,
      `${assertion}.aaaa.bbbb`,
      `${head}.${body}`,
      `${head}.${body}.`,
      `${head}..${signature}`,
      `${head} .${body}.${signature}`,
      `${head}.${body}.${unused}${signature.slice(last.length)}`,
      `Bearer ${assertion}`,
      'x',
      'a.b.c',
    ])
      expect(await judge(name, bent)).toBe('malformed')
    const [other] = edges[name].assertion({ header: { kid: 'x' } }).split('.')
    expect(await judge(name, `${other}.${body}.${signature}`)).toMatch(/unknown_key|bad_signature/)
    await expectTwin(name)
  })

  it('must come once: two lines are two callers, a comma makes two of one', async () => {
    const [one, two] = [edges[name].assertion(), edges[name].assertion({ claims: { sub: 'bob' } })]
    for (const lines of [
      [one, two],
      [one, one],
      [one, ''],
      ['', one],
    ])
      expect(await judge(name, lines)).toBe('identity_header_repeated')
    expect(await judge(name, `${one}, ${two}`)).toBe('malformed')
    expect(await judge(name, `${one}\u00a0`)).toBe('identity_header_illegal')
    await expectTwin(name)
  })

  it('the plain field alone is nobody, whatever it says, and so is a blank assertion', async () => {
    const [plain] = edges[name].plain
    const way = wayOf(name)
    expect(await way.judge({ [plain]: 'root@corp.example' })).toBe('nobody')
    expect(await judge(name, '   ')).toBe('nobody')
    expect(await way.judge({})).toBe('nobody')
    expect(way.whyNobody({ [plain]: 'root@corp.example' })).toBe('proxy_header_missing')
    await expectTwin(name)
  })

  it('holds the address to the list', async () => {
    const allowed = openEdge(edges[name].settings, { allowedEmails: ['*@corp.example'], now: clock.now })
    const others = openEdge(edges[name].settings, { allowedEmails: ['*@else.example'], now: clock.now })
    const fields = () => ({ [edges[name].field]: edges[name].assertion() })
    expect(await allowed.judge(fields())).toMatchObject({ email: 'ann@corp.example' })
    expect(await others.judge(fields())).toBe('not_admitted')
    const unverified = { [edges[name].field]: edges[name].assertion({ claims: { email_verified: false } }) }
    expect(await allowed.judge(unverified)).toBe('not_admitted')
    expect(await wayOf(name).judge(unverified)).toMatchObject({ email: undefined })
  })

  it.each(['a@evil.example@corp.example', 'ann@corp.example\n', 'ann@\u212aorp.example', ['ann@corp.example'], 7])(
    '%j is no address',
    async (email) => {
      const bent = edges[name].assertion({ claims: { email } })
      expect(await judge(name, bent)).toMatchObject({ identity: edges[name].ann.identity, email: undefined })
    },
  )

  it('keys that cannot be had are nobody’s fault: 503, and never a way in', async () => {
    const way = openEdge(edges[name].settings, {
      now: clock.now,
      fetch: async () => {
        throw Object.assign(new Error('down'), { reason: 'unreachable' })
      },
    })
    expect(await way.judge({ [edges[name].field]: edges[name].assertion() })).toBe('issuer_unreachable')
    expect(way.told.join('\n')).toContain('nothing answers there')
    await expectTwin(name)
  })

  it('keys that are known are used on while the edge is down', async () => {
    const way = openEdge(edges[name].settings, { now: clock.now })
    expect(await way.judge({ [edges[name].field]: edges[name].assertion() })).toMatchObject(edges[name].ann)
    await edges.keys.down()
    clock.now += 3_600_000
    way.now = clock.now
    expect(await way.judge({ [edges[name].field]: edges[name].assertion() })).toMatchObject(edges[name].ann)
    await edges.keys.up()
  })
})

const audienceOf = (name: Name): string => [edges[name].settings.audience ?? ''].flat()[0] ?? ''

it('each takes its own alone, though all keys are from one place', async () => {
  for (const name of NAMES)
    for (const other of NAMES) {
      const found = await judge(name, edges[other].assertion())
      if (name === other) expect(found).toMatchObject(edges[name].ann)
      else expect(found).toMatch(/^[a-z_]+$/)
    }
})

it('a group that cannot be read refuses the caller: skipped, it would open what a deny rule closes', async () => {
  for (const groups of [[7], [''], ['a\nb'], { a: 1 }, ['g'.repeat(257)]]) {
    expect(await judge('pomerium', edges.pomerium.assertion({ claims: { groups } }))).toBe('claim_malformed')
    expect(await judge('cloudflare', edges.cloudflare.assertion({ claims: { custom: { groups } } }))).toBe(
      'claim_malformed',
    )
  }
  expect(await judge('pomerium', edges.pomerium.assertion({ claims: { groups: null } }))).toMatchObject({ groups: [] })
  const overage = { groups: undefined, _claim_names: { groups: 'src1' } }
  expect(await judge('aws', edges.aws.assertion({ claims: overage }))).toBe('groups_overage')
})
