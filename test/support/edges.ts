// The four edges that sign what they say, each as its own documents have it, around one server of keys in a test's hands.
import { generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import type { ConfigInput } from '../../src/config/schema.ts'
import { encode, es256 } from './forge.ts'
import { type Bent, type SigningKey, signedBy, startIssuer, type TestIssuer } from './issuer.ts'

export type ProxySettings = Exclude<NonNullable<NonNullable<ConfigInput['auth']>['proxy']>, undefined>

export interface TestEdge {
  readonly preset: NonNullable<ProxySettings['preset']>
  /** As an operator writes it, but for `keys`. */
  readonly settings: ProxySettings
  /** Field of the assertion. */
  readonly field: string
  /** What it writes beside the assertion, unsigned. */
  readonly plain: readonly [name: string, value: string]
  /** Of ann; bent where a test wants it. */
  assertion(bent?: Bent): string
  /** Whom it is about. */
  readonly ann: {
    readonly issuer: string
    readonly identity: string
    readonly email: string
    readonly groups: string[]
  }
  /** Path of the server of keys that this edge's keys are under. */
  readonly keysPath: string
}

export interface Edges {
  readonly keys: TestIssuer
  readonly cloudflare: TestEdge
  readonly aws: TestEdge
  /** The key that the load balancer signs with. */
  readonly balancer: SigningKey
  readonly google: TestEdge
  readonly pomerium: TestEdge
  readonly all: readonly TestEdge[]
  close(): Promise<void>
}

export const TEAM = 'https://team.cloudflareaccess.com'
export const AUD_TAG = '32eafc7626e974616deaf0dc3ce63d7bcbed58a2731e84d06bc3cdf1b53c4228'
export const ARN = 'arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/mcp/50dc6c495c0c9188'
export const IAP_AUDIENCE = '/projects/1234567890/global/backendServices/9876543210'
export const POOL = 'https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_example'
export const ROUTE = 'mcp.example.com'

const SOMEBODY = { email: 'ann@corp.example', name: 'Ann Smith' }

/** `now`: in milliseconds since the epoch. */
export async function startEdges(now: () => number): Promise<Edges> {
  const keys = await startIssuer()
  const seconds = () => Math.floor(now() / 1000)
  const times = () => ({ iat: seconds() - 5, exp: seconds() + 600 })
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const rsaJwk = { ...rsa.publicKey.export({ format: 'jwk' }), kid: 'rsa', use: 'sig', alg: 'RS256' }
  keys.keySet = { keys: [keys.key.jwk, rsaJwk] }
  const at = `${keys.origin}/jwks`
  const rs256 = (input: Buffer) => sign('sha256', input, rsa.privateKey)

  const cloudflare: TestEdge = {
    preset: 'cloudflare-access',
    settings: { preset: 'cloudflare-access', issuer: TEAM, audience: AUD_TAG, keys: at },
    field: 'Cf-Access-Jwt-Assertion',
    plain: ['Cf-Access-Authenticated-User-Email', SOMEBODY.email],
    ann: { issuer: TEAM, identity: '7335d417-61da-459d-899c-0a01c76a2f94', email: SOMEBODY.email, groups: ['staff'] },
    keysPath: '/jwks',
    assertion: (bent = {}) =>
      signedBy(
        keys.key,
        { alg: 'RS256', kid: 'rsa', typ: 'JWT' },
        {
          aud: [AUD_TAG],
          email: SOMEBODY.email,
          ...times(),
          nbf: seconds() - 5,
          iss: TEAM,
          type: 'app',
          identity_nonce: '6ei69kawdKzMIAPF',
          sub: cloudflare.ann.identity,
          custom: { groups: ['staff'] },
        },
        { signature: rs256, ...bent },
      ),
  }

  const google: TestEdge = {
    preset: 'google-iap',
    settings: { preset: 'google-iap', audience: IAP_AUDIENCE, keys: at, groupsClaim: 'google.access_levels' },
    field: 'X-Goog-IAP-JWT-Assertion',
    plain: ['X-Goog-Authenticated-User-Email', `accounts.google.com:${SOMEBODY.email}`],
    ann: {
      issuer: 'https://cloud.google.com/iap',
      identity: 'accounts.google.com:113465678901234567890',
      email: SOMEBODY.email,
      groups: ['accessPolicies/1/accessLevels/office'],
    },
    keysPath: '/jwks',
    assertion: (bent = {}) =>
      signedBy(
        bent.key ?? keys.key,
        { typ: 'JWT' },
        {
          ...times(),
          aud: IAP_AUDIENCE,
          iss: google.ann.issuer,
          sub: google.ann.identity,
          email: SOMEBODY.email,
          hd: 'corp.example',
          google: { access_levels: google.ann.groups },
        },
        bent,
      ),
  }

  const pomerium: TestEdge = {
    preset: 'pomerium',
    settings: { preset: 'pomerium', issuer: ROUTE, audience: ROUTE, keys: at },
    field: 'X-Pomerium-Jwt-Assertion',
    plain: ['X-Pomerium-Claim-Email', SOMEBODY.email],
    ann: { issuer: ROUTE, identity: 'google/113465', email: SOMEBODY.email, groups: ['admin', 'staff'] },
    keysPath: '/jwks',
    assertion: (bent = {}) =>
      signedBy(
        bent.key ?? keys.key,
        { typ: 'JWT' },
        {
          ...times(),
          iss: ROUTE,
          aud: ROUTE,
          sub: pomerium.ann.identity,
          user: pomerium.ann.identity,
          jti: randomUUID(),
          ...SOMEBODY,
          groups: pomerium.ann.groups,
        },
        bent,
      ),
  }

  const balancer = publishPem(keys)
  const aws: TestEdge = {
    preset: 'aws-alb',
    settings: { preset: 'aws-alb', signer: ARN, issuer: POOL, audience: 'client-of-the-balancer', keys: keys.origin },
    field: 'X-Amzn-Oidc-Data',
    plain: ['X-Amzn-Oidc-Identity', '02d3e414-1111-2222-3333-444455556666'],
    ann: { issuer: POOL, identity: '02d3e414-1111-2222-3333-444455556666', email: SOMEBODY.email, groups: ['staff'] },
    keysPath: `/${balancer.kid}`,
    assertion: (bent = {}) => {
      const exp = seconds() + 120
      const header = { typ: 'JWT', alg: 'ES256', iss: POOL, client: 'client-of-the-balancer', signer: ARN, exp }
      const claims = { sub: aws.ann.identity, email_verified: 'true', ...SOMEBODY, groups: ['staff'], exp, iss: POOL }
      return paddedBy(bent.key ?? balancer, header, claims, bent)
    },
  }

  const all = [cloudflare, aws, google, pomerium]
  return { keys, cloudflare, aws, balancer, google, pomerium, all, close: () => keys.close() }
}

/** A key as AWS publishes it: a PEM document under its own name. */
export function publishPem(keys: TestIssuer, kid: string = randomUUID()): SigningKey {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const pem = pair.publicKey.export({ format: 'pem', type: 'spki' })
  keys.instead.set(`/${kid}`, (_req, res) => void res.writeHead(200, { 'content-type': 'text/plain' }).end(pem))
  return { kid, ...pair, jwk: {} }
}

/** AWS writes the padding of base64, and signs it with the rest. */
const padded = (part: string | Buffer): string => {
  const bare = encode(part)
  return bare.padEnd(Math.ceil(bare.length / 4) * 4, '=')
}

function paddedBy(key: SigningKey, header: object, claims: object, bent: Bent): string {
  const head = bent.headerText ?? JSON.stringify({ kid: key.kid, ...header, ...bent.header })
  const body = bent.claimsText ?? JSON.stringify({ ...claims, ...bent.claims })
  const input = `${padded(head)}.${padded(body)}`
  return `${input}.${padded((bent.signature ?? es256(key.privateKey))(Buffer.from(input)))}`
}
