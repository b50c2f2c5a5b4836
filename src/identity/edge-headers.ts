// The fields in which known proxies name the caller, for those whose word is all there is. Lower case; a preset may know several
// families, of which a deployment uses one.
import type { EdgePreset, ProxyConfig } from '../config/auth-proxy.ts'
import { OperatorError } from '../protocol/errors.ts'

export interface IdentityHeaders {
  readonly user: string
  readonly email?: string
  readonly name?: string
  readonly groups?: string
  /** `true` in this field: the proxy let somebody in whom it does not know. */
  readonly stranger?: string
}

const DEFAULT: IdentityHeaders = { user: 'x-authenticated-user' }

const PLAIN: Partial<Record<EdgePreset, readonly IdentityHeaders[]>> = {
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
  kong: [{ user: 'x-consumer-username', groups: 'x-authenticated-groups', stranger: 'x-anonymous-consumer' }],
  'azure-easyauth': [{ user: 'x-ms-client-principal-name' }],
  tailscale: [{ user: 'tailscale-user-login', name: 'tailscale-user-name' }],
}

/** A user header of one's own keeps to the family that has it: the others are then nobody's. */
export function identityHeadersOf(proxy: ProxyConfig): readonly IdentityHeaders[] {
  const families = proxy.preset === undefined ? [DEFAULT] : PLAIN[proxy.preset]
  if (families === undefined)
    throw new OperatorError(`auth.proxy.preset: ${proxy.preset} is not available in this version.`)
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
