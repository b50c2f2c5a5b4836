// What each server is told of who calls: as it is written for it, else for all of them, else by where it runs. Pure: a name is judged by
// its letters, and is not looked up.
import { BlockList, isIP, isIPv4 } from 'node:net'
import { IDENTITY_ATTRIBUTES, type IdentityAttribute } from '../protocol/identity-headers.ts'
import { isChannel } from '../protocol/transports.ts'
import type { IdentityForm, IdentityForwardingConfig } from './forwarding.ts'
import { isLoopback } from './listen.ts'
import type { Config } from './schema.ts'
import { isVirtual, type UpstreamConfig } from './servers.ts'

export interface ToldIdentity {
  readonly headers: boolean
  readonly jwt: boolean
  readonly meta: boolean
  readonly attributes: readonly IdentityAttribute[]
  readonly headerPrefix: string
  readonly form: IdentityForm
}

/** Of one server; `general` is `identityForwarding`. */
export function identityToldTo(server: UpstreamConfig, general: IdentityForwardingConfig = {}): ToldIdentity {
  const { identity = {} } = server
  const preset = presetOf(server)
  const form = identity.form ?? general.form ?? 'portcullis'
  return {
    headers: identity.headers ?? general.headers ?? preset.headers,
    jwt: identity.jwt ?? general.jwt ?? preset.jwt,
    meta: identity.meta ?? general.meta ?? preset.meta,
    attributes: identity.attributes ?? general.attributes ?? IDENTITY_ATTRIBUTES,
    headerPrefix: identity.headerPrefix ?? general.headerPrefix ?? PREFIXES[form],
    form,
  }
}

const PREFIXES: Readonly<Record<IdentityForm, string>> = {
  portcullis: 'X-Forwarded',
  contextforge: 'X-Forwarded-User',
  portkey: 'X-Portkey',
}

const NOTHING = { headers: false, jwt: false, meta: false }

function presetOf(server: UpstreamConfig): Pick<ToldIdentity, 'headers' | 'jwt' | 'meta'> {
  // Its messages have no head of their own.
  if (isChannel(server)) return { ...NOTHING, meta: isOurs(server) }
  return isOurs(server) ? { headers: true, jwt: true, meta: false } : NOTHING
}

/** Runs on this machine or in a network of ours. What is reached through a proxy is elsewhere, whatever its name. */
function isOurs(server: UpstreamConfig): boolean {
  if ('command' in server) return true
  return server.proxy === undefined && isOurHost(new URL(server.url).hostname)
}

const inside = new BlockList()
for (const [network, prefix] of [
  ['10.0.0.0', 8],
  ['127.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
] as const)
  inside.addSubnet(network, prefix, 'ipv4')
inside.addSubnet('fc00::', 7, 'ipv6')
inside.addSubnet('::1', 128, 'ipv6')

/** Not link-local addresses: cloud machines are told their secrets there. A name with dots may lead anywhere, but for those of RFC 6762, of Kubernetes and of `.internal`. */
function isOurHost(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')
  if (isIP(host) !== 0) return inside.check(host, isIPv4(host) ? 'ipv4' : 'ipv6')
  return isLoopback(host) || !host.includes('.') || /\.(?:internal|local|svc)$/.test(host)
}

/** What follows from where a server is stands with it, as if it were written there. */
export function withIdentityTold<Whole extends Pick<Config, 'servers' | 'identityForwarding'>>(config: Whole): Whole {
  const servers = config.servers.map((server) => {
    if (isVirtual(server)) return server
    const { headers, jwt, meta } = identityToldTo(server, config.identityForwarding)
    return { ...server, identity: { ...server.identity, headers, jwt, meta } }
  })
  return { ...config, servers }
}

/** For people: `headers, jwt`, or nothing. */
export function toldText({ headers, jwt, meta }: ToldIdentity): string {
  const ways = Object.entries({ headers, jwt, meta }).flatMap(([way, isOn]) => (isOn ? [way] : []))
  return ways.join(', ')
}
