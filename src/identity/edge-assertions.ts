// The edges that sign what they say of the caller: where their keys are, in whose name and for whom they must sign, and what of their
// claims counts. One entry an edge; what is proved, and how, is the same for all of them (edge.ts).
import type { ProxyConfig, SigningPreset } from '../config/auth-proxy.ts'
import type { Claims } from '../protocol/claims.ts'
import { OperatorError } from '../protocol/errors.ts'
import { verifiedEmail } from './claims.ts'
import { namedEmail } from './edge-claims.ts'
import { loadBalancerKeys } from './elb-keys.ts'
import { subjectOf } from './token-claims.ts'
import type { Vouched } from './vouched.ts'

/** Whom an assertion is about. */
export type Asserted = Pick<Vouched, 'kind' | 'identity' | 'email'>

export interface SignedEdge {
  readonly algorithms: readonly string[]
  /** `undefined`: whoever the edge signed in the name of, which it says. */
  readonly issuer: string | undefined
  readonly audiences: readonly string[] | undefined
  /** Its key set; of a load balancer the address under which each of its keys is. */
  readonly keys: string
  /** AWS: the load balancer that must have signed. */
  readonly signer: string | undefined
  readonly groupsClaim: string | undefined
  /** It signs anew for each request, so that what it signed ends before the caller's session does. */
  readonly perRequest: boolean
  asserted(claims: Claims): Asserted
}

type Edge = Omit<SignedEdge, 'audiences' | 'groupsClaim'> & { readonly groupsClaim?: string }

const EDGES: Readonly<Record<SigningPreset, (proxy: ProxyConfig) => Edge>> = {
  'cloudflare-access': (proxy) => {
    const issuer = needed(proxy, 'issuer')
    needed(proxy, 'audience')
    return {
      algorithms: ['RS256'],
      issuer,
      keys: proxy.keys ?? `${issuer}/cdn-cgi/access/certs`,
      signer: undefined,
      // What an identity provider says beyond the usual, where the team has it passed on.
      groupsClaim: 'custom.groups',
      perRequest: false,
      asserted: fromCloudflare,
    }
  },
  'aws-alb': (proxy) => {
    const signer = needed(proxy, 'signer')
    return {
      algorithms: ['ES256'],
      issuer: proxy.issuer,
      keys: proxy.keys ?? loadBalancerKeys(signer) ?? needed(proxy, 'keys'),
      signer,
      groupsClaim: 'groups',
      perRequest: true,
      // The claims are those of somebody's UserInfo endpoint; the load balancer vouches for where they are from, not for each.
      asserted: (claims) => person(claims, verifiedEmail(claims, { verifiedBy: ['email_verified'], loose: true })),
    }
  },
  'google-iap': (proxy) => {
    needed(proxy, 'audience')
    return {
      algorithms: ['ES256'],
      issuer: 'https://cloud.google.com/iap',
      keys: proxy.keys ?? 'https://www.gstatic.com/iap/verify/public_key-jwk',
      signer: undefined,
      perRequest: true,
      asserted: fromGoogle,
    }
  },
  pomerium: (proxy) => {
    const issuer = needed(proxy, 'issuer')
    needed(proxy, 'audience')
    return {
      algorithms: ['ES256'],
      issuer,
      keys: proxy.keys ?? new URL('/.well-known/pomerium/jwks.json', hostUrl(issuer)).href,
      signer: undefined,
      groupsClaim: 'groups',
      perRequest: true,
      asserted: (claims) => person(claims, namedEmail(claims)),
    }
  },
}

type SigningProxy = ProxyConfig & { readonly preset: SigningPreset }

export const isSigning = (proxy: ProxyConfig): proxy is SigningProxy =>
  proxy.preset !== undefined && Object.hasOwn(EDGES, proxy.preset)

/** Throws OperatorError where a setting is missing without which anybody's assertion would do. */
export function signedEdge(proxy: SigningProxy): SignedEdge {
  const edge = EDGES[proxy.preset](proxy)
  return {
    ...edge,
    audiences: proxy.audience === undefined ? undefined : [proxy.audience].flat(),
    groupsClaim: proxy.groupsClaim ?? edge.groupsClaim,
  }
}

function needed<Key extends 'issuer' | 'audience' | 'signer' | 'keys'>(
  proxy: ProxyConfig,
  key: Key,
): NonNullable<ProxyConfig[Key]> {
  const value = proxy[key]
  if (value === undefined) throw new OperatorError(`auth.proxy.${key}: preset ${proxy.preset} needs it. Set it.`)
  return value
}

/** Pomerium writes its route as a host, or as a URL (`jwt_issuer_format`). */
const hostUrl = (issuer: string): string => (issuer.startsWith('https://') ? issuer : `https://${issuer}`)

const person = (claims: Claims, email: string | undefined): Asserted => ({
  kind: 'person',
  identity: subjectOf(claims),
  email,
})

/** A service token has an empty subject; its name is that of its client id, or of a client certificate. */
function fromCloudflare(claims: Claims): Asserted {
  const { sub, common_name: name } = claims
  if (name === undefined || (typeof sub === 'string' && sub !== '')) return person(claims, namedEmail(claims))
  return { kind: 'service', identity: subjectOf({ sub: name }), email: undefined }
}

const SERVICE_ACCOUNT = /\.gserviceaccount\.com$/

/**
 * Google vouches for an address where the mailbox is its own or the domain's owner manages the account (`hd`): an account of one's own
 * may be called after any address one once could read. People of other providers (`securetoken.google.com/…`) have none here.
 */
function fromGoogle(claims: Claims): Asserted {
  const asserted = person(claims, namedEmail(claims))
  const { identity, email = '' } = asserted
  const isService = SERVICE_ACCOUNT.test(email)
  const isManaged = typeof claims['hd'] === 'string' && claims['hd'] !== ''
  const isVouched =
    identity.startsWith('accounts.google.com:') && (isService || isManaged || /@(?:gmail|googlemail)\.com$/.test(email))
  return { kind: isService ? 'service' : 'person', identity, email: isVouched ? asserted.email : undefined }
}
