// Which of the configured addresses are plain http and lead off this machine. RFC 8414 §2, OAuth 2.1 §1.5.
import { credentialAddresses } from './credential-places.ts'
import { keyAddresses } from './edges.ts'
import { callbackFlaw } from './gateway-callbacks.ts'
import { isLoopback } from './listen.ts'
import type { Config } from './schema.ts'
import type { Path } from './settings.ts'
import type { Flaw } from './transport.ts'

/** Addresses of a host name; none when it does not resolve. */
export type ResolveHost = (host: string) => Promise<readonly string[]>

const REMEDY = 'Write an https URL; only for development, set server.development: true.'

/** Where the traffic stays on this machine it needs no https. */
export async function checkPlainHttp(config: Config, resolveHost: ResolveHost): Promise<Flaw[]> {
  if (config.server.development) return []
  const addresses: Address[] = [
    { path: ['server', 'url'], url: config.server.url },
    ...providerAddresses(config),
    ...publicAddresses(config),
    ...issuerAddresses(config),
    ...keyAddresses(config),
    ...pointAddresses(config),
    ...vaultAddresses(config),
    ...credentialAddresses(config.servers),
  ]
  const checked = addresses.map(async (entry) => {
    if (await staysHere(entry.url, resolveHost)) return []
    return [{ path: entry.path, message: `${entry.url} is http, and its host is not this machine.`, remedy: REMEDY }]
  })
  return [...(await Promise.all(checked)).flat(), ...plainCallbacks(config)]
}

/** Gateway codes travel in the address, so callbacks are held to the same. */
function plainCallbacks({ oauth: { gatewayCallbacks } }: Config): Flaw[] {
  const { allowedRedirectUris, strict } = gatewayCallbacks
  return allowedRedirectUris.flatMap((uri, index) => {
    const message = callbackFlaw(uri, { strict, development: false })
    const path = ['oauth', 'gatewayCallbacks', 'allowedRedirectUris', index]
    return message === undefined ? [] : [{ path, message, remedy: REMEDY }]
  })
}

interface Address {
  readonly path: Path
  readonly url: string
}

/** RFC 9728 §1.2: a resource is https. */
const publicAddresses = ({ servers }: Config): Address[] =>
  servers.flatMap(({ publicUrl }, index) =>
    publicUrl === undefined ? [] : [{ path: ['servers', index, 'publicUrl'], url: publicUrl }],
  )

/** Where codes and tokens of identity providers travel. */
function providerAddresses({ identity }: Config): Address[] {
  return identity.providers.flatMap((provider, index): Address[] => {
    if (provider.type === 'local') return []
    if (provider.type === 'delegated') return [{ path: ['identity', 'providers', index, 'url'], url: provider.url }]
    const issuer = { path: ['identity', 'providers', index, 'issuer'], url: provider.issuer }
    if (provider.type !== 'github') return [issuer]
    return [issuer, { path: ['identity', 'providers', index, 'api'], url: provider.api }]
  })
}

/** Whose word decides calls. */
const pointAddresses = ({ policy }: Config): Address[] =>
  Object.entries(policy.decisionPoints).map(([name, { url }]) => ({
    path: ['policy', 'decisionPoints', name, 'url'],
    url,
  }))

/** Where data keys travel to be wrapped. */
const vaultAddresses = ({ vault }: Config): Address[] =>
  vault.keys.flatMap((key, index) => {
    if (key.type === 'vault-transit') return [{ path: ['vault', 'keys', index, 'url'], url: key.url }]
    if (key.type !== 'aws-kms' || key.endpoint === undefined) return []
    return [{ path: ['vault', 'keys', index, 'endpoint'], url: key.endpoint }]
  })

/** Where the keys of other issuers come from, where their tokens are shown, and what we are called under another name. */
function issuerAddresses({ auth, oauth }: Config): Address[] {
  const issuers = auth.issuers.flatMap(({ issuer, jwks, jwksUri, jwksFile, introspection }, index): Address[] => {
    const at = (path: Path, url: string | undefined): Address[] =>
      url === undefined ? [] : [{ path: ['auth', 'issuers', index, ...path], url }]
    const isAsked = introspection !== undefined && introspection.endpoint === undefined
    return [
      ...(isAsked || (jwks ?? jwksUri ?? jwksFile) === undefined ? at(['issuer'], issuer) : []),
      ...at(['jwksUri'], jwksUri),
      ...at(['introspection', 'endpoint'], introspection?.endpoint),
    ]
  })
  const named = oauth.authorizationServers.map((url, index) => ({
    path: ['oauth', 'authorizationServers', index],
    url,
  }))
  const resource = oauth.resource === undefined ? [] : [{ path: ['oauth', 'resource'], url: oauth.resource }]
  return [...issuers, ...named, ...resource]
}

async function staysHere(url: string, resolveHost: ResolveHost): Promise<boolean> {
  const { protocol, hostname } = new URL(url)
  if (protocol === 'https:' || isLoopback(hostname)) return true
  const addresses = await resolveHost(hostname)
  return addresses.length > 0 && addresses.every(isLoopback)
}
