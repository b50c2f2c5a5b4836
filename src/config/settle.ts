// What follows from several settings together: the public URL, absolute paths, whose origins count. Pure but for name resolution.
import { isAbsolute, resolve } from 'node:path'
import type { z } from 'zod'
import { isKeyText } from '../protocol/capability-key.ts'
import { checkChannels } from './channels.ts'
import { folderBeside } from './command-folder.ts'
import { checkConnectable } from './connections.ts'
import { checkCredentials } from './credential-flaws.ts'
import { credentialAddresses, withCredentialPaths } from './credential-places.ts'
import { checkEdges, keyAddresses } from './edges.ts'
import { callbackFlaw } from './gateway-callbacks.ts'
import { withIdentityTold } from './identity-told.ts'
import type { Input } from './input.ts'
import type { IssuerConfig } from './issuers.ts'
import { formatListen, isLoopback, localUrl, parseListen } from './listen.ts'
import { pathText } from './origins.ts'
import { type Problem, placeOf } from './problems.ts'
import type { Config } from './schema.ts'
import type { TlsConfig } from './server.ts'
import { checkServerTransport } from './server-transport.ts'
import type { RemoteServerConfig, StdioServerConfig } from './servers.ts'
import type { Path } from './settings.ts'
import { checkTransport } from './transport.ts'
import type { VaultKeyConfig } from './vault.ts'
import { checkWays } from './ways.ts'

type Parsed = z.output<typeof Config>

export interface Surroundings {
  readonly input: Input
  /** What relative paths of the file start from, and those of variables and flags. */
  readonly directory: string
  readonly cwd: string
  /** Addresses of a host name; none when it does not resolve. */
  readonly resolveHost: (host: string) => Promise<readonly string[]>
}

export async function settle(parsed: Parsed, around: Surroundings): Promise<{ config: Config; problems: Problem[] }> {
  const { server } = parsed
  const listen = parseListen(server.listen)
  // A socket file has no name that people could type; that server.url is missing then is one of the problems.
  const url = server.url?.replace(/\/+$/, '') ?? localUrl(listen ?? { port: 80 }, server.tls !== undefined)
  const origins = server.allowedOrigins ?? (listen !== undefined && isLoopback(listen.host) ? ['loopback'] : [])
  const allowedOrigins = origins.includes('loopback') ? 'loopback' : origins
  const settled = withServer(parsed, {
    listen: listen === undefined ? server.listen.trim() : formatListen(listen),
    url,
    allowedOrigins,
  })
  const flaws = [
    ...checkTransport(settled, server.url !== undefined),
    ...checkServerTransport(settled),
    ...checkChannels(settled),
    ...checkWays(settled),
    ...checkConnectable(settled),
    ...checkCredentials(settled),
    ...checkEdges(settled),
  ]
  const told = flaws.map(({ path, message, remedy }) => problem(path, around, message, remedy))
  return {
    config: withIdentityTold(withPaths(settled, around)),
    problems: [...told, ...(await checkPlainHttp(parsed, url, around))],
  }
}

function withServer(parsed: Parsed, at: Pick<Config['server'], 'listen' | 'url' | 'allowedOrigins'>): Config {
  return { ...parsed, server: { ...parsed.server, ...at } }
}

function problem(path: Path, { input }: Surroundings, message: string, remedy: string): Problem {
  return { place: placeOf(input.find(path)), setting: pathText(path), message, remedy }
}

/** RFC 8414 §2, OAuth 2.1 §1.5: https, except where the traffic stays on this machine. */
async function checkPlainHttp(parsed: Parsed, url: string, around: Surroundings): Promise<Problem[]> {
  if (parsed.server.development) return []
  const addresses: Address[] = [
    { path: ['server', 'url'], url },
    ...providerAddresses(parsed),
    ...publicAddresses(parsed),
    ...issuerAddresses(parsed),
    ...keyAddresses(parsed),
    ...pointAddresses(parsed),
    ...vaultAddresses(parsed),
    ...credentialAddresses(parsed.servers),
  ]
  const checked = addresses.map(async (entry) => {
    if (await staysHere(entry.url, around)) return []
    const remedy = 'Write an https URL; only for development, set server.development: true.'
    return [problem(entry.path, around, `${entry.url} is http, and its host is not this machine.`, remedy)]
  })
  return [...(await Promise.all(checked)).flat(), ...plainCallbacks(parsed, around)]
}

/** Gateway codes travel in the address, so callbacks are held to the same. */
function plainCallbacks({ oauth: { gatewayCallbacks } }: Parsed, around: Surroundings): Problem[] {
  const { allowedRedirectUris, strict } = gatewayCallbacks
  return allowedRedirectUris.flatMap((uri, index) => {
    const message = callbackFlaw(uri, { strict, development: false })
    const path = ['oauth', 'gatewayCallbacks', 'allowedRedirectUris', index]
    const remedy = 'Write an https URL; only for development, set server.development: true.'
    return message === undefined ? [] : [problem(path, around, message, remedy)]
  })
}

interface Address {
  readonly path: Path
  readonly url: string
}

/** RFC 9728 §1.2: a resource is https. */
const publicAddresses = ({ servers }: Parsed): Address[] =>
  servers.flatMap(({ publicUrl }, index) =>
    publicUrl === undefined ? [] : [{ path: ['servers', index, 'publicUrl'], url: publicUrl }],
  )

/** Where codes and tokens of identity providers travel. */
function providerAddresses({ identity }: Parsed): Address[] {
  return identity.providers.flatMap((provider, index): Address[] => {
    if (provider.type === 'local') return []
    if (provider.type === 'delegated') return [{ path: ['identity', 'providers', index, 'url'], url: provider.url }]
    const issuer = { path: ['identity', 'providers', index, 'issuer'], url: provider.issuer }
    if (provider.type !== 'github') return [issuer]
    return [issuer, { path: ['identity', 'providers', index, 'api'], url: provider.api }]
  })
}

/** Whose word decides calls. */
const pointAddresses = ({ policy }: Parsed): Address[] =>
  Object.entries(policy.decisionPoints).map(([name, { url }]) => ({
    path: ['policy', 'decisionPoints', name, 'url'],
    url,
  }))

/** Where data keys travel to be wrapped. */
const vaultAddresses = ({ vault }: Parsed): Address[] =>
  vault.keys.flatMap((key, index) => {
    if (key.type === 'vault-transit') return [{ path: ['vault', 'keys', index, 'url'], url: key.url }]
    if (key.type !== 'aws-kms' || key.endpoint === undefined) return []
    return [{ path: ['vault', 'keys', index, 'endpoint'], url: key.endpoint }]
  })

/** Where the keys of other issuers come from, where their tokens are shown, and what we are called under another name. */
function issuerAddresses({ auth, oauth }: Parsed): Address[] {
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

async function staysHere(url: string, { resolveHost }: Surroundings): Promise<boolean> {
  const { protocol, hostname } = new URL(url)
  if (protocol === 'https:' || isLoopback(hostname)) return true
  const addresses = await resolveHost(hostname)
  return addresses.length > 0 && addresses.every(isLoopback)
}

function withPaths(config: Config, around: Surroundings): Config {
  const { directory, cwd, input } = around
  const absolute = (path: Path, value: string): string => {
    const { kind } = input.find(path)
    return resolve(kind === 'file' || kind === 'default' ? directory : cwd, value)
  }
  const url = config.store.url.startsWith('sqlite:')
    ? `sqlite:${sqlitePath(config.store.url, (value) => absolute(['store', 'url'], value))}`
    : config.store.url
  const absoluteKeys = (issuer: IssuerConfig, index: number): IssuerConfig =>
    issuer.jwksFile === undefined
      ? issuer
      : { ...issuer, jwksFile: absolute(['auth', 'issuers', index, 'jwksFile'], issuer.jwksFile) }
  const absoluteVaultKey = (key: VaultKeyConfig, index: number): VaultKeyConfig => {
    if (key.type === 'file') return { ...key, path: absolute(['vault', 'keys', index, 'path'], key.path) }
    if (key.type !== 'vault-transit' || key.tokenFile === undefined) return key
    return { ...key, tokenFile: absolute(['vault', 'keys', index, 'tokenFile'], key.tokenFile) }
  }
  return {
    ...config,
    vault: { keys: config.vault.keys.map(absoluteVaultKey) },
    server: { ...config.server, tls: absoluteTls(config.server.tls, absolute) },
    auth: { ...config.auth, issuers: config.auth.issuers.map(absoluteKeys), ...absoluteCapabilities(config, absolute) },
    store: { url, directory: absolute(['store', 'directory'], config.store.directory) },
    servers: config.servers.map((written, index) => {
      const server = withCredentialPaths(written, index, absolute)
      if ('command' in server) return withFolder(server, (cwd) => absolute(['servers', index, 'cwd'], cwd), directory)
      return 'url' in server
        ? withTlsPaths(server, (key, path) => absolute(['servers', index, 'tls', key], path))
        : server
    }),
  }
}

function withTlsPaths(
  server: RemoteServerConfig,
  absolute: (key: 'ca' | 'cert' | 'key', path: string) => string,
): RemoteServerConfig {
  const { tls } = server
  if (tls === undefined) return server
  const at = (key: 'ca' | 'cert' | 'key') => (tls[key] === undefined ? {} : { [key]: absolute(key, tls[key]) })
  return { ...server, tls: { ...tls, ...at('ca'), ...at('cert'), ...at('key') } }
}

function withFolder(
  server: StdioServerConfig,
  absolute: (cwd: string) => string,
  directory: string,
): StdioServerConfig {
  const { cwd: written, ...rest } = server
  const cwd = written ?? folderBeside(server, directory)
  return cwd === undefined ? rest : { ...rest, cwd: absolute(cwd) }
}

function absoluteCapabilities(
  { auth: { capabilities } }: Config,
  absolute: (path: Path, value: string) => string,
): Partial<Config['auth']> {
  if (capabilities?.publicKey === undefined || isKeyText(capabilities.publicKey)) return {}
  const publicKey = absolute(['auth', 'capabilities', 'publicKey'], capabilities.publicKey)
  return { capabilities: { ...capabilities, publicKey } }
}

function absoluteTls(
  tls: TlsConfig | undefined,
  absolute: (path: Path, value: string) => string,
): TlsConfig | undefined {
  if (tls === undefined) return undefined
  const at = (key: 'cert' | 'key' | 'clientCa' | 'crl') =>
    tls[key] === undefined ? {} : { [key]: absolute(['server', 'tls', key], tls[key]) }
  return { ...tls, ...at('cert'), ...at('key'), ...at('clientCa'), ...at('crl') }
}

function sqlitePath(url: string, absolute: (path: string) => string): string {
  const path = url.slice('sqlite:'.length).replace(/^\/\/(?=\/)/, '')
  return path === ':memory:' || isAbsolute(path) ? path : absolute(path)
}
