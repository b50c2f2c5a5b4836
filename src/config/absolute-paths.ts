// The paths of a configuration, made absolute: each from where it was written.
import { isAbsolute, resolve } from 'node:path'
import { isKeyText } from '../protocol/capability-key.ts'
import { folderBeside } from './command-folder.ts'
import { withCredentialPaths } from './credential-places.ts'
import type { Input } from './input.ts'
import type { IssuerConfig } from './issuers.ts'
import type { Config } from './schema.ts'
import type { TlsConfig } from './server.ts'
import type { RemoteServerConfig, StdioServerConfig } from './servers.ts'
import type { Path } from './settings.ts'
import type { VaultKeyConfig } from './vault.ts'

export interface Starts {
  readonly input: Input
  /** What relative paths of the file start from. */
  readonly directory: string
  /** And those of variables and flags. */
  readonly cwd: string
}

export function withAbsolutePaths(config: Config, { directory, cwd, input }: Starts): Config {
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
