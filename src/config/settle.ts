// What follows from several settings together: the public URL, absolute paths, whose origins count. Pure but for name resolution.
import { isAbsolute, resolve } from 'node:path'
import type { z } from 'zod'
import type { Input } from './input.ts'
import { formatListen, isLoopback, type Listen, parseListen } from './listen.ts'
import { pathText } from './origins.ts'
import { type Problem, placeOf } from './problems.ts'
import type { Config } from './schema.ts'
import type { Path } from './settings.ts'

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
  const listen = parseListen(parsed.server.listen)
  if (listen === undefined) throw new TypeError('server.listen passed the schema and cannot be read')
  const url = parsed.server.url === undefined ? defaultUrl(listen) : parsed.server.url.replace(/\/+$/, '')
  const origins = parsed.server.allowedOrigins ?? (isLoopback(listen.host) ? ['loopback'] : [])
  const allowedOrigins = origins.includes('loopback') ? 'loopback' : origins
  const settled = withServer(parsed, { listen: formatListen(listen), url, allowedOrigins })
  return { config: withPaths(settled, around), problems: await checkPlainHttp(parsed, url, around) }
}

const defaultUrl = ({ port }: Listen): string => `http://localhost${port === 80 ? '' : `:${port}`}`

function withServer(parsed: Parsed, at: Pick<Config['server'], 'listen' | 'url' | 'allowedOrigins'>): Config {
  return { ...parsed, server: { ...parsed.server, ...at } }
}

function problem(path: Path, { input }: Surroundings, message: string, remedy: string): Problem {
  return { place: placeOf(input.find(path)), setting: pathText(path), message, remedy }
}

/** RFC 8414 §2, OAuth 2.1 §1.5: https, except where the traffic stays on this machine. */
async function checkPlainHttp(parsed: Parsed, url: string, around: Surroundings): Promise<Problem[]> {
  if (parsed.server.development) return []
  const addresses: Address[] = [{ path: ['server', 'url'], url }, ...providerAddresses(parsed)]
  const checked = addresses.map(async (entry) => {
    if (await staysHere(entry.url, around)) return []
    const remedy = 'Write an https URL; only for development, set server.development: true.'
    return [problem(entry.path, around, `${entry.url} is http, and its host is not this machine.`, remedy)]
  })
  return (await Promise.all(checked)).flat()
}

interface Address {
  readonly path: Path
  readonly url: string
}

/** Where codes and tokens of identity providers travel. */
function providerAddresses({ identity }: Parsed): Address[] {
  return identity.providers.flatMap((provider, index): Address[] => {
    if (provider.type === 'local') return []
    const issuer = { path: ['identity', 'providers', index, 'issuer'], url: provider.issuer }
    if (provider.type !== 'github') return [issuer]
    return [issuer, { path: ['identity', 'providers', index, 'api'], url: provider.api }]
  })
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
  return {
    ...config,
    store: { url, directory: absolute(['store', 'directory'], config.store.directory) },
    servers: config.servers.map((server, index) =>
      'command' in server ? { ...server, cwd: absolute(['servers', index, 'cwd'], server.cwd ?? directory) } : server,
    ),
  }
}

function sqlitePath(url: string, absolute: (path: string) => string): string {
  const path = url.slice('sqlite:'.length).replace(/^\/\/(?=\/)/, '')
  return path === ':memory:' || isAbsolute(path) ? path : absolute(path)
}
