// A certificate, or the word of one, that makes its bearer somebody else: headers of a proxy from whoever is none, names that pass for
// other names, and the proxy's own name as its caller's. Catalogue row C25.
import { X509Certificate } from 'node:crypto'
import { type OutgoingHttpHeaders, request } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Authority, createAuthority, type Wish } from '../support/authority.ts'
import type { GatewayOptions } from '../support/gateway.ts'
import { legible } from '../support/legible.ts'
import { CALL_HEADERS, type MtlsRange, startMtlsRange } from '../support/mtls.ts'
import { MCP_PATH, type Range, startRange, toolCall } from '../support/range.ts'
import { namesBesideOurs } from '../support/told.ts'

const ADMIN = 'spiffe://example.org/admin'
const AGENT = 'spiffe://example.org/agent'
/** Loopback has many addresses: one is the proxy's, another anybody's. */
const PROXY = '127.0.0.2'
const STRANGER = '127.0.0.3'

interface Answer {
  readonly status: number
  readonly body: string
}

function call(range: Range, from: string, headers: OutgoingHttpHeaders): Promise<Answer> {
  const body = toolCall('modern')
  const { port } = range.gateway
  return new Promise((resolve, reject) => {
    const req = request(
      {
        host: '127.0.0.1',
        port,
        localAddress: from,
        method: 'POST',
        path: MCP_PATH,
        agent: false,
        headers: { Host: `127.0.0.1:${port}`, 'Content-Length': body.length, ...CALL_HEADERS, ...headers },
      },
      (res) => {
        let text = ''
        res.on('data', (chunk) => (text += chunk))
        res.on('end', () => resolve({ status: res.statusCode ?? 0, body: text }))
      },
    )
    req.on('error', reject).end(body)
  })
}

const behind = (header: 'xfcc' | 'client-cert', identity: 'san-uri' | 'subject-cn' = 'san-uri'): GatewayOptions => ({
  server: { trustedProxies: [PROXY] },
  auth: { mtls: { header, identity } },
})
const ofAdmin = { 'X-Forwarded-Client-Cert': `Hash=00;URI=${ADMIN}` }
const ofAgent = { 'X-Forwarded-Client-Cert': `Hash=00;URI=${AGENT}` }

/** Whom the last of so many calls was recorded as. */
async function subjects(range: Pick<Range, 'gateway'>, count: number): Promise<string[]> {
  const events = await range.gateway.audit((found) => found.filter(({ kind }) => kind === 'call').length >= count)
  return events.flatMap((event) => (event.kind === 'call' ? [event.subject] : []))
}

describe('X-Forwarded-Client-Cert', () => {
  let range: Range
  beforeAll(async () => {
    range = await startRange(behind('xfcc'))
  })
  afterAll(() => range.close())

  it('from the proxy is believed, and only there', async () => {
    expect((await call(range, PROXY, ofAgent)).status).toBe(200)
    const spoofed = await call(range, STRANGER, ofAgent)
    expect(spoofed.status).toBe(401)
    expect(range.gateway.log.join('')).toMatch(new RegExp(`server\\.trustedProxies.*Add ${STRANGER}`))
    expect((await subjects(range, 1)).at(0)).toBe(`certificate|${AGENT}`)
  })

  it.each<[string, OutgoingHttpHeaders]>([
    ['in other letters', { 'x-forwarded-CLIENT-cert': ofAdmin['X-Forwarded-Client-Cert'] }],
    ['of another system', { 'X-SSL-Client-Cert': 'x', 'X-Client-Cert': 'x', 'Ssl-Client-S-Dn': 'CN=admin' }],
    ['of RFC 9440', { 'Client-Cert': ':AAAA:', 'Client-Cert-Chain': ':AAAA:' }],
    ['with an address of the proxy beside it', { ...ofAdmin, 'X-Forwarded-For': PROXY, Forwarded: `for=${PROXY}` }],
  ])('from a stranger is nothing, and goes nowhere: %s', async (_what, headers) => {
    expect((await call(range, STRANGER, headers)).status).toBe(401)
    const before = range.canary.requests.length
    const bearer = { Authorization: `Bearer ${range.token}` }
    expect((await call(range, STRANGER, { ...headers, ...bearer })).status).toBe(200)
    const [sent] = range.canary.requests.slice(before)
    expect(sent && namesBesideOurs(sent, /cert|ssl|forwarded/)).toEqual([])
    expect(legible(sent?.rawHeaders.join('\n') ?? '')).not.toMatch(/admin|spiffe/)
  })

  it('from the proxy goes nowhere either', async () => {
    const before = range.canary.requests.length
    expect((await call(range, PROXY, { ...ofAgent, 'Client-Cert': ':AAAA:' })).status).toBe(200)
    const sent = range.canary.requests[before]
    expect(sent && namesBesideOurs(sent, /cert|forwarded/)).toEqual([])
    // Its name alone, in our own field.
    expect(sent?.rawHeaders.filter((text) => /spiffe/.test(text))).toEqual([
      `certificate|${AGENT}`,
      `certificate|${AGENT}`,
    ])
  })

  it.each<[string, OutgoingHttpHeaders]>([
    ['twice', { 'X-Forwarded-Client-Cert': [ofAdmin, ofAgent].map((one) => one['X-Forwarded-Client-Cert']) }],
    ['and another spelling of it', { ...ofAgent, X_Forwarded_Client_Cert: 'x' }],
    ['in another spelling alone', { 'X-Forwarded-Client_Cert': ofAdmin['X-Forwarded-Client-Cert'] }],
    ['listed for the next hop to drop', { ...ofAgent, Connection: 'close, X-Forwarded-Client-Cert' }],
    ['cut short by a quote of the client', { 'X-Forwarded-Client-Cert': `URI="x,Hash=00;URI=${AGENT}` }],
    [
      'swallowed by a quote of the client',
      { 'X-Forwarded-Client-Cert': `URI=${ADMIN};Subject=",Hash=0;Subject="CN=a"` },
    ],
    ['without a value', { 'X-Forwarded-Client-Cert': 'URI' }],
  ])('through the proxy is refused: %s', async (_what, headers) => {
    const before = range.canary.requests.length
    const answer = await call(range, PROXY, headers)
    expect([answer.status, JSON.parse(answer.body)]).toEqual([
      400,
      { error: 'Bad Request', message: 'It is not clear who is calling.' },
    ])
    expect(range.canary.requests.length).toBe(before)
    expect((await call(range, PROXY, ofAgent)).status).toBe(200)
  })

  it('of the client, to which the proxy appended its own, is what the proxy wrote', async () => {
    const before = (await subjects(range, 1)).length
    const joined = [ofAdmin, ofAgent].map((one) => one['X-Forwarded-Client-Cert']).join(',')
    expect((await call(range, PROXY, { 'X-Forwarded-Client-Cert': joined })).status).toBe(200)
    expect((await subjects(range, before + 1)).at(-1)).toBe(`certificate|${AGENT}`)
  })

  it('that cannot be read refuses a request whose token is good: somebody behind the proxy wrote it', async () => {
    const bearer = { Authorization: `Bearer ${range.token}` }
    expect((await call(range, PROXY, { ...bearer, 'X-Forwarded-Client-Cert': 'URI' })).status).toBe(400)
    expect((await call(range, PROXY, bearer)).status).toBe(200)
  })
})

describe('names in X-Forwarded-Client-Cert', () => {
  let range: Range
  beforeAll(async () => {
    range = await startRange(behind('xfcc', 'subject-cn'))
  })
  afterAll(() => range.close())

  it.each<[string, string, number]>([
    ['the name itself', 'CN=ann,O=Example', 200],
    ['a name inside the organisation', 'O=x\\,CN=admin', 401],
    ['a name behind a slash', 'O=x/CN=admin', 401],
    ['the old spelling with slashes', '/O=x/CN=admin', 401],
    ['two names', 'CN=ann,CN=admin', 401],
    ['two names in one part', 'CN=ann+CN=admin', 401],
    ['NUL in it', 'CN=admin\\00.example', 401],
    ['a value in hexadecimal', 'CN=#0c0561646d696e', 401],
  ])('%s: %s', async (_what, subject, status) => {
    expect((await call(range, PROXY, { 'X-Forwarded-Client-Cert': `Hash=00;Subject="${subject}"` })).status).toBe(
      status,
    )
  })
})

describe('Client-Cert of RFC 9440', () => {
  let range: Range
  let authority: Authority
  beforeAll(async () => {
    authority = createAuthority('Edge')
    range = await startRange(behind('client-cert'))
  })
  afterAll(() => range.close())
  const field = (wish: Wish) => `:${new X509Certificate(authority.issue(wish).cert).raw.toString('base64')}:`
  const names = { sans: { uri: [AGENT] } }

  it('from the proxy is believed, whatever chain is beside it, and from a stranger it is not', async () => {
    const headers = { 'Client-Cert': field(names), 'Client-Cert-Chain': 'whatever' }
    expect((await call(range, PROXY, headers)).status).toBe(200)
    expect((await call(range, STRANGER, headers)).status).toBe(401)
  })

  it.each<[string, number, () => OutgoingHttpHeaders]>([
    ['an expired one', 401, () => ({ 'Client-Cert': field({ ...names, from: -3, until: -1 }) })],
    ['one of tomorrow', 401, () => ({ 'Client-Cert': field({ ...names, from: 1, until: 2 }) })],
    ['one for servers', 401, () => ({ 'Client-Cert': field({ ...names, usage: 'server' }) })],
    ['two', 400, () => ({ 'Client-Cert': [field(names), field(names)] })],
    ['a list of two', 400, () => ({ 'Client-Cert': `${field(names)}, ${field(names)}` })],
    ['PEM', 400, () => ({ 'Client-Cert': `:${Buffer.from(authority.issue(names).cert).toString('base64')}:` })],
    ['junk', 400, () => ({ 'Client-Cert': ':AAAA:' })],
    ['another spelling', 400, () => ({ 'Client-Cert': field(names), Client_Cert: 'x' })],
  ])('%s is refused', async (_what, status, headers) => {
    expect((await call(range, PROXY, headers())).status).toBe(status)
    expect((await call(range, PROXY, { 'Client-Cert': field(names) })).status).toBe(200)
  })
})

describe('names in a certificate of our own listener', () => {
  let range: MtlsRange
  const admitted = (wish: Wish) => range.call(range.folder.authority.issue(wish))

  describe.each<{ identity: 'san-uri' | 'san-dns' | 'subject-cn'; name: string; good: Wish; bad: [string, Wish][] }>([
    {
      identity: 'subject-cn',
      name: 'admin',
      good: { subject: 'admin' },
      bad: [
        ['O=admin', { subject: [['O', 'admin']] }],
        ['O=admin,CN=', { subject: [['O', 'x,CN=admin']] }],
        ['a line of its own in O', { subject: [['O', 'x\nCN=admin']] }],
        ['a second part in O', { subject: [['O', 'x+CN=admin']] }],
        [
          'two names',
          {
            subject: [
              ['CN', 'admin'],
              ['CN', 'ann'],
            ],
          },
        ],
        ['NUL behind it', { subject: 'admin\0' }],
        ['a blank behind it', { subject: 'admin ' }],
        ['other letters', { subject: 'Admin' }],
        ['an alternative name', { subject: 'ann', sans: { dns: ['admin'], uri: ['cn:admin'] } }],
      ],
    },
    {
      identity: 'san-dns',
      name: 'admin.example.org',
      good: { sans: { dns: ['admin.example.org'] } },
      bad: [
        ['a comma inside (CVE-2021-44532)', { sans: { dns: ['x.example.org, DNS:admin.example.org'] } }],
        ['a quote inside', { sans: { dns: ['x", DNS:"admin.example.org'] } }],
        ['NUL inside', { sans: { dns: ['admin.example.org\0.evil.example'] } }],
        ['a URI that says DNS', { sans: { uri: ['x:y, DNS:admin.example.org'] } }],
        ['a subject that says it', { subject: [['CN', 'x, DNS:admin.example.org']] }],
        ['a wildcard', { sans: { dns: ['*.example.org'] } }],
        ['two', { sans: { dns: ['ann.example.org', 'admin.example.org'] } }],
        ['the common name', { subject: 'admin.example.org' }],
      ],
    },
    {
      identity: 'san-uri',
      name: ADMIN,
      good: { sans: { uri: [ADMIN] } },
      bad: [
        ['other letters', { sans: { uri: ['spiffe://Example.org/admin'] } }],
        ['a port', { sans: { uri: ['spiffe://example.org:443/admin'] } }],
        ['a query', { sans: { uri: [`${ADMIN}?x`] } }],
        ['a fragment', { sans: { uri: [`${ADMIN}#x`] } }],
        ['an encoded letter', { sans: { uri: ['spiffe://example.org/%61dmin'] } }],
        ['a way around', { sans: { uri: ['spiffe://example.org/x/../admin'] } }],
        ['a slash behind it', { sans: { uri: [`${ADMIN}/`] } }],
        ['two', { sans: { uri: [AGENT, ADMIN] } }],
        ['a comma inside', { sans: { uri: [`${AGENT}, URI:${ADMIN}`] } }],
        ['a DNS name that says URI', { sans: { dns: [`x, URI:${ADMIN}`] } }],
      ],
    },
  ])('$identity', ({ identity, name, good, bad }) => {
    beforeAll(async () => {
      range = await startMtlsRange({
        auth: { mtls: { identity } },
        policy: { rules: [{ allow: ['canary/*'], to: [`user:certificate|${name}`] }] },
      })
    })
    afterAll(() => range.close())

    it('the name itself opens its rule', async () => {
      expect((await admitted(good)).status).toBe(200)
    })
    it.each(bad)('%s does not', async (_what, wish) => {
      const before = range.reached()
      expect([401, 404]).toContain((await admitted(wish)).status)
      expect(range.reached()).toBe(before)
    })
  })
})

describe("the proxy's own certificate", () => {
  let range: MtlsRange
  beforeAll(async () => {
    range = await startMtlsRange({
      auth: { mtls: { identity: 'san-dns', header: 'xfcc' } },
      server: { trustedProxies: ['certificate:edge.example.org'] },
    })
  })
  afterAll(() => range.close())
  const issue = (...dns: string[]) => range.folder.authority.issue({ sans: { dns } })
  const word = (name: string) => ({ 'X-Forwarded-Client-Cert': `Hash=00;DNS=${name}` })

  it('lets it speak for its clients, and is not who they are', async () => {
    const edge = issue('edge.example.org')
    expect((await range.call(edge, word('ann.example.org'))).status).toBe(200)
    expect((await subjects(range, 1)).at(-1)).toBe('certificate|ann.example.org')
    // It says nothing of its client, so there is nobody.
    expect((await range.call(edge)).status).toBe(401)
  })

  it('of another, as good as it is, speaks for nobody but its holder', async () => {
    const before = (await subjects(range, 1)).length
    expect((await range.call(issue('bob.example.org'), word('ann.example.org'))).status).toBe(200)
    expect((await subjects(range, before + 1)).at(-1)).toBe('certificate|bob.example.org')
    const forged = createAuthority('Others').issue({ sans: { dns: ['edge.example.org'] } })
    expect((await range.call(forged, word('ann.example.org'))).status).toBe(403)
    expect((await range.call(undefined, word('ann.example.org'))).status).toBe(401)
  })
})
