// Which ways to knock are open at one server: `auth`, and what the server's own `auth` says otherwise.
import type { AuthConfig, MtlsConfig, ServerAuthConfig } from './auth.ts'
import type { ProxyConfig } from './auth-proxy.ts'
import { needsPerson } from './credentials.ts'
import type { IssuerConfig } from './issuers.ts'
import type { Config } from './schema.ts'
import type { Flaw } from './transport.ts'

export interface WaysConfig {
  readonly anonymous: boolean
  readonly tokens: boolean
  readonly issuers: readonly IssuerConfig[]
  /** Audience that tokens of those issuers must name here, in place of the issuer's own. */
  readonly audience: string | undefined
  readonly proxy: ProxyConfig | undefined
  readonly mtls: MtlsConfig | undefined
}

/** A way that a server does not name stays as `auth` has it. */
export function waysAt(auth: AuthConfig, own: ServerAuthConfig = {}): WaysConfig {
  return {
    anonymous: own.anonymous ?? auth.anonymous,
    tokens: own.tokens ?? auth.tokens,
    issuers: auth.issuers.filter(({ issuer }) => own.issuers?.includes(issuer) ?? true),
    audience: own.audience,
    proxy: chosen(own.proxy, auth.proxy),
    mtls: chosen(own.mtls, auth.mtls),
  }
}

/**
 * `undefined` where they are those of `auth`. Where each person's own credential is used, whoever shows none is asked for it whatever
 * `anonymous` says: without a name they could do nothing there, and clients sign in when they are asked to.
 */
export function ownWays(auth: AuthConfig, server: Config['servers'][number]): WaysConfig | undefined {
  const at = waysAt(auth, server.auth)
  if (at.anonymous && 'credentials' in server && needsPerson(server.credentials)) return { ...at, anonymous: false }
  return server.auth === undefined ? undefined : at
}

const chosen = <Way extends object>(own: Way | boolean | undefined, general: Way | undefined): Way | undefined => {
  if (own === false) return undefined
  return own === undefined || own === true ? general : own
}

/** A server may only name ways that there are. */
export function checkWays({ auth, servers }: Places): Flaw[] {
  return servers.flatMap(({ auth: own }, index): Flaw[] => {
    const bare = (['proxy', 'mtls'] as const).filter((way) => own?.[way] === true && auth[way] === undefined)
    const strange = own?.issuers?.filter((name) => !auth.issuers.some(({ issuer }) => issuer === name)) ?? []
    const path = (key: string) => ['servers', index, 'auth', key]
    return [
      ...bare.map((key) => ({
        path: path(key),
        message: `There is no auth.${key} that could hold here.`,
        remedy: `Set auth.${key}, or write the settings here.`,
      })),
      ...strange.map((name) => ({
        path: path('issuers'),
        message: `${name} is none of auth.issuers.`,
        remedy: 'Add it there, letter by letter as here.',
      })),
    ]
  })
}

type Places = Pick<Config, 'auth' | 'servers'>

/** Every proxy setting in force anywhere. */
export function proxiesOf({ auth, servers }: Places): readonly ProxyConfig[] {
  const found = [auth, ...servers.map((server) => waysAt(auth, server.auth))].map(({ proxy }) => proxy)
  return [...new Set(found)].filter((proxy) => proxy !== undefined)
}

/** Every reading of certificates in force anywhere. */
export function certificatesOf({ auth, servers }: Places): readonly MtlsConfig[] {
  const found = [auth, ...servers.map((server) => waysAt(auth, server.auth))].map(({ mtls }) => mtls)
  return [...new Set(found)].filter((mtls) => mtls !== undefined)
}

const THIS_MACHINE = ['127.0.0.0/8', '::1', 'unix']

/** Whose identity headers count. A proxy is expected and none is named: then only what runs on this machine is believed. */
export function identityProxies(
  config: Places & { server: Pick<Config['server'], 'trustedProxies'> },
): readonly string[] {
  const { trustedProxies } = config.server
  const isExpected = proxiesOf(config).length > 0 || config.auth.capabilities !== undefined
  return trustedProxies.length === 0 && isExpected ? THIS_MACHINE : trustedProxies
}
