// The fields in which known proxies and edges name the caller. Lower case; a preset may know several families, of which a deployment
// uses one.
import type { EdgePreset, ProxyConfig } from '../config/auth-proxy.ts'
import { isSigning } from './edge-assertions.ts'

/** `user` says who is calling: a name, or claims, or an assertion that is signed. */
export interface IdentityHeaders {
  readonly user: string
  readonly email?: string
  readonly name?: string
  readonly groups?: string
  /** `true` in this field: the proxy let somebody in whom it does not know. */
  readonly stranger?: string
  /** The caller's subject once more: where it is there it must be the same. */
  readonly subject?: string
  /** Which of several identity providers knows the caller by that name. */
  readonly provider?: string
  /** More of the caller, in claims. */
  readonly claims?: string
}

const DEFAULT: IdentityHeaders = { user: 'x-authenticated-user' }

const FIELDS: Readonly<Record<EdgePreset, readonly IdentityHeaders[]>> = {
  'cloudflare-access': [{ user: 'cf-access-jwt-assertion' }],
  'aws-alb': [{ user: 'x-amzn-oidc-data', subject: 'x-amzn-oidc-identity' }],
  'google-iap': [{ user: 'x-goog-iap-jwt-assertion' }],
  pomerium: [{ user: 'x-pomerium-jwt-assertion' }],
  // What ContextForge's guide calls `outputPayloadToHeader`; another name is for `userHeader` to say.
  istio: [{ user: 'x-user-id' }],
  // As the reverse proxy itself, and behind nginx `auth_request` with --set-xauthrequest.
  'oauth2-proxy': [
    {
      user: 'x-forwarded-user',
      email: 'x-forwarded-email',
      name: 'x-forwarded-preferred-username',
      groups: 'x-forwarded-groups',
    },
    {
      user: 'x-auth-request-user',
      email: 'x-auth-request-email',
      name: 'x-auth-request-preferred-username',
      groups: 'x-auth-request-groups',
    },
  ],
  authelia: [{ user: 'remote-user', email: 'remote-email', name: 'remote-name', groups: 'remote-groups' }],
  // No groups unless they are named: of its fields for them Kong takes a client's own away only where a plugin sets them.
  kong: [{ user: 'x-consumer-username', stranger: 'x-anonymous-consumer' }],
  'azure-easyauth': [
    {
      user: 'x-ms-client-principal-id',
      name: 'x-ms-client-principal-name',
      provider: 'x-ms-client-principal-idp',
      claims: 'x-ms-client-principal',
    },
  ],
  tailscale: [{ user: 'tailscale-user-login', name: 'tailscale-user-name' }],
}

/** A user header of one's own keeps to the family that has it: the others are then nobody's. */
export function identityHeadersOf(proxy: ProxyConfig): readonly IdentityHeaders[] {
  const families = proxy.preset === undefined ? [DEFAULT] : FIELDS[proxy.preset]
  // What stands beside a signed assertion is read by nobody.
  if (isSigning(proxy)) return families
  const user = proxy.userHeader?.toLowerCase()
  const own = families.find((family) => user !== undefined && Object.values(family).includes(user))
  const meant = user === undefined ? families : [{ ...(own ?? families[0] ?? DEFAULT), user }]
  return meant.map((family) => ({ ...family, ...ownFields(proxy) }))
}

function ownFields({ emailHeader, nameHeader, groupsHeader }: ProxyConfig): Partial<IdentityHeaders> {
  const fields = { email: emailHeader, name: nameHeader, groups: groupsHeader }
  return Object.fromEntries(
    Object.entries(fields).flatMap(([field, name]) => (name === undefined ? [] : [[field, name.toLowerCase()]])),
  )
}

export const identityFields = (proxy: ProxyConfig): readonly string[] =>
  identityHeadersOf(proxy).flatMap((family) => Object.values(family))

/** An account's issuer. A server with a proxy of its own that names people in another field has other people in it. */
export function issuerOf(proxy: ProxyConfig, general: ProxyConfig | undefined): string {
  const field = (one: ProxyConfig) => identityHeadersOf(one)[0]?.user
  return general === undefined || field(proxy) === field(general) ? 'proxy' : `proxy:${field(proxy)}`
}
