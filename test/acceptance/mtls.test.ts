// Acceptance case 27, certificates of clients (Portkey): none, of an unknown authority, out of date, for another use, revoked; and
// the way from a name in a certificate to a principal with rules of its own.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { CallEvent } from '../../src/audit/event.ts'
import type { ConfigInput } from '../../src/config/schema.ts'
import { abuse, createAuthority, type Issued, type Wish } from '../support/authority.ts'
import type { GatewayOptions } from '../support/gateway.ts'
import { type MtlsRange, startMtlsRange } from '../support/mtls.ts'
import { trust, until } from '../support/tls.ts'

const AGENT = 'spiffe://example.org/ns/prod/sa/agent'
const AS_AGENT: Wish = { subject: 'agent', sans: { uri: [AGENT] } }

let range: MtlsRange

const agent = (wish: Wish = {}): Issued => range.folder.authority.issue({ ...AS_AGENT, ...wish })
/** The call of that number on record. */
async function callNumber(count: number): Promise<CallEvent> {
  const calls = (events: readonly { kind: string }[]) =>
    events.filter((event): event is CallEvent => event.kind === 'call')
  const events = await range.gateway.audit((found) => calls(found).length >= count)
  const call = calls(events)[count - 1]
  if (call === undefined) throw new TypeError('The call is not on record.')
  return call
}

describe('a certificate that is not good ends the connection before a request is read', () => {
  let revoked: Issued
  beforeAll(async () => {
    range = await startMtlsRange({ auth: { mtls: {} }, tls: { lists: true } })
    revoked = agent()
    range.folder.revoke(revoked)
    await until(() => range.gateway.log.join('').includes('the new TLS files are in force'), 'the new list')
  })
  afterAll(() => range.close())

  const others = createAuthority('Others')
  it.each<[string, string, RegExp, () => Pick<Issued, 'cert' | 'key'>]>([
    ['of an unknown authority', 'certificate_authority_unknown', /authority/, () => others.issue(AS_AGENT)],
    ['signed by itself', 'certificate_authority_unknown', /authority/, () => createAuthority('agent')],
    [
      'of an authority of the same name',
      'certificate_authority_unknown',
      /authority/,
      () => createAuthority('Test authority').issue(AS_AGENT),
    ],
    ['that has expired', 'certificate_expired', /expired/, () => agent({ from: -3, until: -1 })],
    ['that is not valid yet', 'certificate_not_yet_valid', /not valid yet/, () => agent({ from: 1, until: 2 })],
    ['for servers only', 'certificate_wrong_usage', /not one for clients/, () => agent({ usage: 'server' })],
    ['that is revoked', 'certificate_revoked', /revoked/, () => revoked],
    [
      'of an authority that a client made out of its own certificate',
      'certificate_authority_unknown',
      /authority/,
      () => {
        const own = agent()
        const forged = abuse(own, 'agent').issue(AS_AGENT)
        return { cert: forged.cert + own.cert, key: forged.key }
      },
    ],
  ])('%s', async (_what, reason, message, issue) => {
    const before = [range.reached(), range.logged(reason).length]
    const answer = await range.call(issue())
    expect(answer).toMatchObject({ status: 403, headers: { connection: 'close' } })
    expect(JSON.parse(answer.body)).toEqual({ error: 'Forbidden', message: expect.stringMatching(message) })
    // Nothing of HTTP was read: there is no request to name.
    expect(answer.headers['x-request-id']).toBeUndefined()
    const lines = range.logged(reason)
    expect([range.reached(), lines.length]).toEqual([before[0], (before[1] ?? 0) + 1])
    expect(lines.at(-1)).toMatchObject({ address: '127.0.0.1', verdict: expect.stringMatching(/^[A-Z_]+$/) })
    // Its positive twin.
    expect((await range.call(agent())).status).toBe(200)
  })

  it('and where no lists are kept, a client that plays authority is refused as well', async () => {
    const plain = await startMtlsRange({ auth: { mtls: {} } })
    try {
      const own = plain.folder.authority.issue(AS_AGENT)
      const forged = abuse(own, 'agent').issue(AS_AGENT)
      expect((await plain.call({ cert: forged.cert + own.cert, key: forged.key })).status).toBe(403)
      expect(plain.logged('certificate_authority_unknown').length).toBe(1)
      expect((await plain.call(own)).status).toBe(200)
    } finally {
      await plain.close()
    }
  })

  it('none is none: asked for a sign-in like anybody', async () => {
    const answer = await range.call(undefined)
    expect(answer.status).toBe(401)
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer .*resource_metadata=/)
    expect(answer.headers['www-authenticate']).not.toContain('error=')
  })

  it('one from below an authority is good with its chain, once both lists are there', async () => {
    const below = range.folder.authority.below('Below')
    const leaf = below.issue(AS_AGENT)
    const chain = { cert: leaf.cert + below.cert, key: leaf.key }
    expect((await range.call(chain)).status).toBe(403)
    expect(range.logged('certificate_revocation_unknown').at(-1)).toMatchObject({ verdict: 'UNABLE_TO_GET_CRL' })
    range.folder.write('revoked.crl', range.folder.authority.revoke([revoked]) + below.revoke([]))
    await until(async () => (await range.call(chain)).status === 200, 'both lists')
    expect((await range.call(revoked)).status).toBe(403)
  })

  it('a list that is out of date refuses everybody who shows one, and says why', async () => {
    range.folder.write('revoked.crl', range.folder.authority.revoke([], -0.5))
    await until(async () => (await range.call(agent())).status === 403, 'the old list')
    expect(range.logged('certificate_revocation_unknown').at(-1)).toMatchObject({ verdict: 'CRL_HAS_EXPIRED' })
    expect((await range.call(undefined)).status).toBe(401)
  })
})

describe('where a certificate is required', () => {
  beforeAll(async () => {
    range = await startMtlsRange({ auth: { mtls: {} }, tls: { clientCert: 'required' } })
  })
  afterAll(() => range.close())

  it('nobody without one is heard, and with one everybody is', async () => {
    const answer = await range.call(undefined)
    expect([answer.status, JSON.parse(answer.body)]).toEqual([
      403,
      { error: 'Forbidden', message: 'A client certificate is required.' },
    ])
    expect(range.logged('certificate_missing').length).toBe(1)
    expect((await range.call(agent())).status).toBe(200)
  })
})

describe('a name becomes a principal', () => {
  const open = async (mtls: NonNullable<ConfigInput['auth']>['mtls'], more: Pick<GatewayOptions, 'policy'> = {}) => {
    range = await startMtlsRange({ auth: { mtls }, ...more })
    return range
  }
  const rules = (...to: string[]) => ({ policy: { rules: [{ allow: ['canary/*'], to }] } })

  it.each<[string, 'san-uri' | 'san-dns' | 'san-email' | 'subject-cn' | 'subject', Wish, string]>([
    ['a SPIFFE id', 'san-uri', AS_AGENT, AGENT],
    ['a DNS name', 'san-dns', { sans: { dns: ['Agent.example.org'] } }, 'agent.example.org'],
    ['an address', 'san-email', { sans: { email: ['ann@example.org'] } }, 'ann@example.org'],
    ['the common name', 'subject-cn', { subject: 'Ann Example' }, 'Ann Example'],
    [
      'the whole subject',
      'subject',
      {
        subject: [
          ['O', 'Example, Inc.'],
          ['CN', 'ann'],
        ],
      },
      'CN=ann,O=Example\\, Inc.',
    ],
  ])('%s, with a rule of its own', async (_what, identity, wish, name) => {
    await open({ identity, groups: ['machines'] }, rules(`user:certificate|${name}`))
    try {
      expect((await range.call(range.folder.authority.issue(wish))).status).toBe(200)
      expect(await callNumber(1)).toMatchObject({ subject: `certificate|${name}`, decision: 'allow' })
      // Good, and somebody else.
      const other = await range.call(range.folder.authority.issue({ ...wish, subject: 'bob', sans: otherNames(wish) }))
      expect(other.status).toBe(404)
    } finally {
      await range.close()
    }
  })

  /** The same kinds of names, another one each. */
  const otherNames = ({ sans = {} }: Wish): NonNullable<Wish['sans']> => ({
    ...(sans.uri && { uri: ['spiffe://example.org/other'] }),
    ...(sans.dns && { dns: ['other.example.org'] }),
    ...(sans.email && { email: ['bob@example.org'] }),
  })

  it('groups of the configuration count, and names outside of the list do not', async () => {
    await open({ groups: ['machines'], allow: ['spiffe://example.org/ns/*/sa/agent'] }, rules('group:machines'))
    try {
      expect((await range.call(agent())).status).toBe(200)
      const stranger = agent({ sans: { uri: ['spiffe://example.org/ns/prod/sa/intruder'] } })
      expect((await range.call(stranger)).status).toBe(403)
      expect(await callNumber(2)).toMatchObject({ decision: 'deny', reason: 'not_admitted' })
    } finally {
      await range.close()
    }
  })

  it('a token beside it decides, and the record names both', async () => {
    await open({}, rules('*'))
    const untrust = trust(range.folder.authority)
    try {
      const token = await range.gateway.tokenFor('canary')
      const bearer = { Authorization: `Bearer ${token}` }
      expect((await range.call(agent(), bearer)).status).toBe(200)
      expect(await callNumber(1)).toMatchObject({
        subject: expect.not.stringContaining('certificate'),
        beside: `certificate|${AGENT}`,
      })
      // A bad one does not fall through to the certificate.
      expect((await range.call(agent(), { Authorization: `Bearer ${token}x` })).status).toBe(401)
    } finally {
      await untrust()
      await range.close()
    }
  })

  it('and not at a server that takes none', async () => {
    await open({}, rules('*'))
    await range.close()
    const canary = { url: range.canary.url, id: 'canary', auth: { mtls: false } }
    range = await startMtlsRange({ auth: { mtls: {} }, servers: [canary] })
    try {
      expect((await range.call(agent())).status).toBe(401)
    } finally {
      await range.close()
    }
  })
})
