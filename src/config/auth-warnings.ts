// What a start says of the ways to knock: settings that work, and let in fewer or others than their writer may think.
import { type EdgePreset, type ProxyConfig, SIGNING_PRESETS } from './auth-proxy.ts'
import type { Config } from './schema.ts'
import { proxiesOf, type WaysConfig, waysAt } from './ways.ts'

type Judged = Pick<Config, 'auth' | 'servers'> & { readonly server: Pick<Config['server'], 'trustedProxies'> }

export function authWarnings(config: Judged): string[] {
  return [
    ...closedWarnings(config),
    ...trustWarnings(config),
    ...capabilityWarnings(config),
    ...proxiesOf(config).flatMap(edgeWarnings),
  ]
}

const isClosed = ({ tokens, issuers, proxy, mtls }: WaysConfig): boolean =>
  !tokens && issuers.length === 0 && proxy === undefined && mtls === undefined

/** Begins as ContextForge's own line does: people look for it in logs. */
function closedWarnings({ auth, servers }: Judged): string[] {
  const closed = servers.filter((server) => isClosed(waysAt(auth, server.auth))).map(({ id }) => id)
  if (closed.length === 0 && !(servers.length === 0 && isClosed(waysAt(auth)))) return []
  const where = closed.length === servers.length ? '' : ` (servers: ${closed.join(', ')})`
  return [
    `MCP client authentication is disabled but trust_proxy_auth is not set${where}. Security risk: nothing says who is calling, so that callers are anonymous where auth.anonymous is true and refused everywhere else. Set TRUST_PROXY_AUTH=true (auth.proxy) behind an authenticating proxy, and name that proxy in server.trustedProxies.`,
  ]
}

const isSigning = ({ preset }: ProxyConfig): boolean => SIGNING_PRESETS.some((signing) => signing === preset)

function trustWarnings(config: Judged): string[] {
  if (config.server.trustedProxies.length > 0 || proxiesOf(config).every(isSigning)) return []
  return [
    'auth.proxy (TRUST_PROXY_AUTH) is on and server.trustedProxies is empty: identity headers count from this machine only (loopback, unix socket) and are ignored from everywhere else. Name the proxy, such as server.trustedProxies: [10.0.0.5].',
  ]
}

function capabilityWarnings({ auth: { capabilities }, server: { trustedProxies } }: Judged): string[] {
  if (capabilities === undefined) return []
  const { header, publicKey } = capabilities
  return [
    ...(publicKey === undefined
      ? [
          `auth.capabilities.publicKey is not set: whoever comes with ${header} may use no tool and no prompt. Write the public key of whoever signs it.`,
        ]
      : []),
    ...(trustedProxies.length === 0
      ? [
          `auth.capabilities is set and server.trustedProxies is empty: ${header} counts from this machine only (loopback, unix socket) and is ignored from everywhere else. Name the proxy, such as server.trustedProxies: [10.0.0.5].`,
        ]
      : []),
  ]
}

interface Edge {
  readonly preset: EdgePreset
  readonly lines: string
}

/** Fields that stand beside a signed assertion, which says the same and can be checked. */
const UNSIGNED: Readonly<Record<string, Edge>> = {
  'cf-access-authenticated-user-email': {
    preset: 'cloudflare-access',
    lines:
      '{ preset: cloudflare-access, issuer: "https://team.cloudflareaccess.com", audience: "APPLICATION AUD TAG" }',
  },
  'x-amzn-oidc-identity': {
    preset: 'aws-alb',
    lines:
      '{ preset: aws-alb, signer: "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/NAME/ID" }',
  },
  'x-goog-authenticated-user-email': {
    preset: 'google-iap',
    lines: '{ preset: google-iap, audience: "/projects/123456789012/global/backendServices/ID" }',
  },
  'x-goog-authenticated-user-id': {
    preset: 'google-iap',
    lines: '{ preset: google-iap, audience: "/projects/123456789012/global/backendServices/ID" }',
  },
  'x-pomerium-claim-email': {
    preset: 'pomerium',
    lines: '{ preset: pomerium, issuer: "mcp.example.com", audience: "mcp.example.com" }',
  },
}

function edgeWarnings({ preset, userHeader, emailHeader }: ProxyConfig): string[] {
  if (preset === 'oauth2-proxy' && userHeader === undefined)
    return [
      'auth.proxy.preset: oauth2-proxy takes both families of its headers. As a reverse proxy it sets X-Forwarded-*, behind nginx auth_request X-Auth-Request-*; a client may write the other one. Pin yours with auth.proxy.userHeader: X-Forwarded-User or X-Auth-Request-User.',
    ]
  if (preset !== undefined) return []
  return [userHeader, emailHeader].flatMap((name) => {
    const edge = UNSIGNED[name?.toLowerCase() ?? '']
    if (edge === undefined) return []
    return [
      `auth.proxy reads the plain header ${name}: anybody who reaches the gate through a trusted proxy may write it. ${edge.preset} signs the same; to have that checked write auth.proxy: ${edge.lines}`,
    ]
  })
}
