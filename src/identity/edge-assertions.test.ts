// What is each edge's own: where its keys are, which claims count, whose address it vouches for.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openEdge } from '../../test/support/edge-way.ts'
import { ARN, AUD_TAG, type Edges, IAP_AUDIENCE, POOL, ROUTE, startEdges, TEAM } from '../../test/support/edges.ts'
import { proxy } from '../config/auth-proxy.ts'
import { OperatorError } from '../protocol/errors.ts'
import { isSigning, signedEdge } from './edge-assertions.ts'
import { createVouching } from './vouched.ts'

let edges: Edges
beforeAll(async () => {
  edges = await startEdges(Date.now)
})
afterAll(() => edges?.close())

const edgeOf = (settings: object) => {
  const parsed = proxy.parse(settings)
  if (!isSigning(parsed)) throw new TypeError('It does not sign.')
  return signedEdge(parsed)
}

describe('the keys', () => {
  it.each([
    [{ preset: 'cloudflare-access', issuer: TEAM, audience: AUD_TAG }, `${TEAM}/cdn-cgi/access/certs`],
    [{ preset: 'google-iap', audience: IAP_AUDIENCE }, 'https://www.gstatic.com/iap/verify/public_key-jwk'],
    [{ preset: 'pomerium', issuer: ROUTE, audience: ROUTE }, `https://${ROUTE}/.well-known/pomerium/jwks.json`],
    [
      { preset: 'pomerium', issuer: `https://${ROUTE}/`, audience: ROUTE },
      `https://${ROUTE}/.well-known/pomerium/jwks.json`,
    ],
    [{ preset: 'aws-alb', signer: ARN }, 'https://public-keys.auth.elb.eu-west-1.amazonaws.com'],
    [
      {
        preset: 'aws-alb',
        signer: ARN.replace('aws:elasticloadbalancing:eu-west-1', 'aws-us-gov:elasticloadbalancing:us-gov-west-1'),
      },
      'https://s3-us-gov-west-1.amazonaws.com/aws-elb-public-keys-prod-us-gov-west-1',
    ],
    [{ preset: 'aws-alb', signer: ARN, keys: 'https://keys.example/elb' }, 'https://keys.example/elb'],
  ])('of %j are at %s', (settings, keys) => {
    expect(edgeOf(settings).keys).toBe(keys)
  })

  it.each<[string, object]>([
    ['issuer', { preset: 'cloudflare-access', audience: AUD_TAG }],
    ['audience', { preset: 'cloudflare-access', issuer: TEAM }],
    ['signer', { preset: 'aws-alb', audience: 'client' }],
    ['keys', { preset: 'aws-alb', signer: ARN.replace('arn:aws:', 'arn:aws-cn:') }],
    ['audience', { preset: 'google-iap' }],
    ['issuer', { preset: 'pomerium', audience: ROUTE }],
    ['audience', { preset: 'pomerium', issuer: ROUTE }],
  ])('and everything else is not there without %s: %j', (key, settings) => {
    expect(() => edgeOf(settings)).toThrow(OperatorError)
    expect(() => edgeOf(settings)).toThrow(`auth.proxy.${key}`)
  })
})

describe('Cloudflare Access', () => {
  const judge = (claims: Record<string, unknown>, more: object = {}, fields: Record<string, string> = {}) =>
    openEdge({ ...edges.cloudflare.settings, ...more }).judge({
      [edges.cloudflare.field]: edges.cloudflare.assertion({ claims }),
      ...fields,
    })

  it('a service token is a service, named by its client id, and has no address', async () => {
    const id = 'e367826f93b8d71185e03fe518aff3b4.access'
    const token = { sub: '', common_name: id, email: undefined, identity_nonce: undefined, custom: undefined }
    expect(await judge(token)).toMatchObject({ kind: 'service', identity: id, email: undefined, groups: [] })
    expect(await judge({ ...token, email: 'ann@corp.example' })).toMatchObject({ kind: 'service', email: undefined })
    for (const common_name of ['', 7, [id], undefined])
      expect(await judge({ ...token, common_name })).toBe('claim_type')
  })

  it('a person with a client certificate is that person', async () => {
    expect(await judge({ common_name: 'laptop-7' })).toMatchObject(edges.cloudflare.ann)
  })

  it('the plain address beside it is not read, even where it is another', async () => {
    const plain = 'Cf-Access-Authenticated-User-Email'
    expect(await judge({}, {}, { [plain]: 'root@corp.example' })).toMatchObject(edges.cloudflare.ann)
    expect(await judge({}, { userHeader: plain }, { [plain]: 'root@corp.example' })).toMatchObject(edges.cloudflare.ann)
  })

  it('one of several applications may be meant, and groups be anywhere', async () => {
    expect(await judge({}, { audience: ['else', AUD_TAG] })).toMatchObject(edges.cloudflare.ann)
    expect(await judge({ aud: ['else', AUD_TAG] })).toMatchObject(edges.cloudflare.ann)
    expect(await judge({ aud: [] })).toBe('audience_mismatch')
    const custom = { 'https://corp.example/teams': ['a', 'b', 'a'] }
    expect(await judge({ custom }, { groupsClaim: 'custom' })).toBe('claim_malformed')
    expect(await judge(custom, { groupsClaim: 'https://corp.example/teams' })).toMatchObject({ groups: ['a', 'b'] })
    expect(await judge({ custom: undefined })).toMatchObject({ groups: [] })
  })

  it('ends with the session that it stands for', async () => {
    const exp = Math.floor(Date.now() / 1000) + 60
    expect(await judge({ exp })).toMatchObject({ expiresAt: (exp + 30) * 1000 })
  })
})

describe('Google IAP', () => {
  const judge = (claims: Record<string, unknown>, more: object = {}) =>
    openEdge({ ...edges.google.settings, ...more }).judge({
      [edges.google.field]: edges.google.assertion({ claims }),
    })

  it.each<[string, object, object]>([
    ['an account of a domain', {}, { email: 'ann@corp.example', kind: 'person' }],
    ['a mailbox of Google’s', { hd: undefined, email: 'Ann@gmail.com' }, { email: 'ann@gmail.com', kind: 'person' }],
    ['somebody’s own account under a foreign address', { hd: undefined }, { email: undefined, kind: 'person' }],
    ['a domain that is none', { hd: true }, { email: undefined }],
    ['an empty domain', { hd: '' }, { email: undefined }],
    ['an address that only ends alike', { hd: undefined, email: 'ann@notgmail.com' }, { email: undefined }],
    [
      'a service account',
      { hd: undefined, email: 'job@project.iam.gserviceaccount.com' },
      { email: 'job@project.iam.gserviceaccount.com', kind: 'service' },
    ],
    [
      'a person of another provider',
      { sub: 'securetoken.google.com/project:abc', email: 'securetoken.google.com/project:ann@corp.example' },
      { email: undefined, identity: 'securetoken.google.com/project:abc' },
    ],
    ['one under a plain address', { sub: 'securetoken.google.com/project:abc' }, { email: undefined }],
  ])('%s', async (_what, claims, expected) => {
    expect(await judge({ ...claims })).toMatchObject(expected)
  })

  it('has no groups unless a claim is named', async () => {
    expect(await judge({ groups: ['root'] }, { groupsClaim: undefined })).toMatchObject({ groups: [] })
    expect(await judge({}, { groupsClaim: 'hd' })).toMatchObject({ groups: ['corp.example'] })
  })

  it('what it opened may last as long as with an access token of ours', async () => {
    const exp = Math.floor(Date.now() / 1000) + 60
    const found = await judge({ exp })
    expect(found).toHaveProperty('expiresAt')
    expect((found as { expiresAt: number }).expiresAt).toBeGreaterThan(Date.now() + 590_000)
  })
})

describe('an edge that signs each request', () => {
  it.each(['aws', 'google', 'pomerium'] as const)(
    'says of its caller what it said before, until the minute is over: %s',
    async (name) => {
      const edge = edges[name]
      const start = Math.ceil(Date.now() / 60_000) * 60_000 + 1000
      const way = openEdge(edge.settings, { now: start })
      const admitted = createVouching({
        findByIdentity: async () => undefined,
        resolveRoles: () => [],
        clock: () => start,
      })
      const ask = async (groups?: string[]) => {
        const iat = Math.floor(way.now / 1000) - 1
        const exp = iat + 120
        const claims = { iat, exp, ...(groups && { groups, google: { access_levels: groups } }) }
        const vouched = await way.judge({ [edge.field]: edge.assertion({ header: { exp }, claims }) })
        if (typeof vouched === 'string') throw new Error(vouched)
        return admitted.admit(vouched, () => true)
      }
      const first = await ask()
      way.now += 20_000
      expect(await ask()).toBe(first)
      // Whatever else it says makes another caller of them, at once.
      const other = await ask(['elsewhere'])
      expect([other.groups, other.expiresAt]).toEqual([['elsewhere'], first.expiresAt])
      way.now += 60_000
      expect(await ask(['elsewhere'])).not.toBe(other)
      expect((await ask()).expiresAt).toBeGreaterThan(Number(first.expiresAt))
    },
  )
})

describe('Pomerium', () => {
  it('signs as the host or as the URL of its route, and only as it was told to', async () => {
    const uri = `https://${ROUTE}/`
    const judge = (issuer: string, iss: string) =>
      openEdge({ ...edges.pomerium.settings, issuer }).judge({
        [edges.pomerium.field]: edges.pomerium.assertion({ claims: { iss } }),
      })
    expect(await judge(uri, uri)).toMatchObject({ ...edges.pomerium.ann, issuer: uri })
    expect(await judge(ROUTE, ROUTE)).toMatchObject(edges.pomerium.ann)
    expect(await judge(ROUTE, uri)).toBe('issuer_mismatch')
    expect(await judge(uri, ROUTE)).toBe('issuer_mismatch')
  })

  it('names nobody’s address where it knows none', async () => {
    const claims = { email: undefined }
    const way = openEdge(edges.pomerium.settings)
    const found = await way.judge({ [edges.pomerium.field]: edges.pomerium.assertion({ claims }) })
    expect(found).toMatchObject({ identity: edges.pomerium.ann.identity, email: undefined })
  })
})

describe('an AWS load balancer', () => {
  const judge = (bent: Parameters<Edges['aws']['assertion']>[0], more: object = {}) =>
    openEdge({ ...edges.aws.settings, ...more }).judge({ [edges.aws.field]: edges.aws.assertion(bent) })

  it('may serve several identity providers: whose people they are is signed', async () => {
    const bent = { header: { iss: 'https://id.example' }, claims: { iss: 'https://id.example' } }
    expect(await judge(bent)).toBe('issuer_mismatch')
    expect(await judge(bent, { issuer: undefined })).toMatchObject({ issuer: 'https://id.example' })
    expect(await judge({}, { issuer: undefined })).toMatchObject({ issuer: POOL })
    expect(await judge({ header: { client: 'another' } }, { audience: undefined })).toMatchObject({ issuer: POOL })
  })

  it('says what a UserInfo endpoint said: an address only where that says it is verified', async () => {
    for (const email_verified of [true, 'true', '1', 1])
      expect(await judge({ claims: { email_verified } })).toMatchObject({ email: 'ann@corp.example' })
    for (const email_verified of [undefined, false, 'false', 'yes', 0, null])
      expect(await judge({ claims: { email_verified } })).toMatchObject({ email: undefined })
  })
})
