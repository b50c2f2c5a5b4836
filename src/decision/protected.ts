// What an ingress may ask about: the hosts and paths of `forwardAuth.resources`, and the servers that people reach at a `publicUrl`.
// Each is a resource of its own (RFC 8707): tokens for one are none for another. What is not listed is not protected, but refused.
import { authorizationServersOf, namesOurScopes } from '../config/authorization-servers.ts'
import type { ForwardAuthResource } from '../config/decision.ts'
import { isLoopback } from '../config/listen.ts'
import type { Config } from '../config/schema.ts'
import { emailMatcher } from '../identity/admission.ts'
import type { Wanted } from '../identity/way.ts'
import type { ScopeGate } from '../policy/scopes.ts'
import { OperatorError } from '../protocol/errors.ts'
import { PROTECTED_RESOURCE_PATH } from '../protocol/protected-resource.ts'
import { type Resource, serverPath } from '../protocol/resource.ts'
import { canonicalScope } from '../protocol/scope.ts'
import { type Original, originOf, unclear, understand } from './original.ts'

export interface Protected {
  /** The audience of its tokens, and what clients are told of it. */
  readonly resource: Resource
  /** Whose rules hold: the id of a server, else the host. */
  readonly server: string
  /** What knocking here asks for. Addresses of one server are interchangeable as audiences. */
  readonly wanted: Wanted
  /** Scheme and host, as a browser compares them. */
  readonly origin: string
  /** Scopes that a token must hold here beside those it must hold anywhere. */
  readonly required: readonly string[]
  /** Some scope of the configuration is about it, so that a token needs one that opens it. */
  readonly scoped: boolean
  /** The resource's own list of addresses; the general one is asked before. */
  admits(email: string | undefined): boolean
  readonly unauthenticated: 'auto' | 'challenge' | 'redirect'
}

export type Place = Pick<Original, 'scheme' | 'host' | 'path'>

export interface ProtectedResources {
  /** `undefined` for what nobody listed. Throws RequestError 400 where a lenient reader would see a resource that a strict one does not. */
  find(place: Place): Protected | undefined
  /** By the identifier that a client names: the resource itself, or an address below it. */
  findByUrl(url: string): Resource | undefined
  /** Those that one name is for; wildcards are found, not listed. */
  list(): readonly Resource[]
  /** Plain http stays on this machine, except in development. */
  mayBePlain(host: string): boolean
  /** Something of this host is protected. */
  hasHost(host: string): boolean
}

interface Needs {
  readonly config: Pick<Config, 'server' | 'servers' | 'auth' | 'forwardAuth' | 'oauth' | 'doors'>
  readonly scopes: Pick<ScopeGate, 'scopesFor' | 'requiredScopesFor' | 'stepUpScopesFor' | 'isCovered'>
}

interface Entry {
  /** With its port; `undefined` of a wildcard. */
  readonly host: string | undefined
  /** `.example.com` of `*.example.com`. */
  readonly below: string | undefined
  /** Without a slash at its end. */
  readonly path: string
  /** Where the configuration writes it. */
  readonly scheme: 'https' | 'http' | undefined
  readonly server: string | undefined
  readonly settings: Pick<ForwardAuthResource, 'scopes' | 'allowedEmails' | 'unauthenticated'>
}

const MOST_HELD = 1000

/** Throws OperatorError for an entry that could not be told apart from another. */
export function protectedResources({ config, scopes: gate }: Needs): ProtectedResources {
  const { server, servers, forwardAuth, oauth, doors } = config
  const entries = doors.decision ? [...forwardAuth.resources.map(configuredEntry), ...servers.flatMap(publicEntry)] : []
  // The longest path first, and a name before a pattern: the first that fits is the one that was meant.
  entries.sort(
    (one, other) =>
      other.path.length - one.path.length || Number(one.host === undefined) - Number(other.host === undefined),
  )
  const byHost = Map.groupBy(entries, ({ host, below }) => host ?? `*${below}`)
  checkDistinct(entries)
  const titles = new Map(servers.map(({ id, title }) => [id, title ?? id]))
  const held = new Map<string, Protected>()
  const known = new Map<string, readonly Entry[]>()
  const mayBePlain = (host: string) => server.development || isLoopback(host.replace(/:\d+$/, ''))
  const plainByDefault = server.url.startsWith('http:')

  function entriesAt(host: string): readonly Entry[] {
    const before = known.get(host)
    if (before !== undefined) return before
    const found = findEntries(host)
    if (known.size >= MOST_HELD) known.clear()
    known.set(host, found)
    return found
  }

  function findEntries(host: string): readonly Entry[] {
    const own = byHost.get(host) ?? []
    const dot = host.indexOf('.')
    const wild = dot > 0 ? (byHost.get(`*${host.slice(dot)}`) ?? []) : []
    if (wild.length === 0) return own
    return own.length === 0 ? wild : [...own, ...wild].sort((one, other) => other.path.length - one.path.length)
  }

  function find({ scheme, host, path }: Place): Protected | undefined {
    const among = entriesAt(host)
    const entry = among.find((one) => isWithin(path, one.path))
    // `/ADMIN` is `/admin` to some servers: where the two would be different resources, neither is meant.
    if (among.length > 1 && understoodEntry(among, path) !== entry) throw unclear('original_path_case')
    if (entry === undefined) return undefined
    const origin = originOf({ scheme: entry.scheme ?? scheme, host })
    const key = `${origin}${entry.path}`
    const before = held.get(key)
    if (before !== undefined) return before
    const made = protectedBy(entry, origin, host)
    if (held.size >= MOST_HELD) held.clear()
    held.set(key, made)
    return made
  }

  function protectedBy(entry: Entry, origin: string, host: string): Protected {
    const { settings, path, server: id } = entry
    const url = `${origin}${path}`
    const required = settings.scopes.map(canonicalScope)
    const rules = id ?? host
    const issued = servers.find((one) => one.id === id)
    const told = namesOurScopes(config, issued) ? gate.scopesFor(rules) : gate.requiredScopesFor(rules)
    const scopes = [...new Set([...told, ...oauth.scopesSupported, ...required])]
    const title = id === undefined ? host : (titles.get(id) ?? id)
    const document = documentUrl(server.url, { host, path })
    // What every call here must hold is asked for at once.
    const stepUpScopes = gate.stepUpScopesFor(rules).filter((name) => !required.includes(name))
    const named = authorizationServersOf(config, issued)
    const resource = { url, title, server: rules, scopes, stepUpScopes, document, ...named }
    return {
      resource,
      server: rules,
      wanted: {
        server: rules,
        resources: id === undefined || !titles.has(id) ? [url] : [url, server.url + serverPath(id)],
      },
      origin,
      required,
      scoped: gate.isCovered(rules),
      admits: emailMatcher(settings.allowedEmails ?? []),
      unauthenticated: settings.unauthenticated ?? forwardAuth.unauthenticated,
    }
  }

  return {
    find,
    mayBePlain,
    hasHost: (host) => entriesAt(host.replace(/:(?:80|443)$/, '')).length > 0,
    findByUrl(url) {
      const place = parsePlace(url, mayBePlain)
      return place && find(place)?.resource
    },
    list: () =>
      entries.flatMap(({ host, path, scheme }) => {
        if (host === undefined) return []
        const plain = plainByDefault && mayBePlain(host)
        return find({ scheme: scheme ?? (plain ? 'http' : 'https'), host, path: path || '/' })?.resource ?? []
      }),
  }
}

/** Below our own address of the check: redirects of `/.well-known/` to us lose the host, a document's own path does not. */
export const DOCUMENTS = `${PROTECTED_RESOURCE_PATH}/auth/`

export const documentUrl = (serverUrl: string, { host, path }: Pick<Original, 'host' | 'path'>): string =>
  `${serverUrl}${DOCUMENTS}${host}${path === '/' ? '' : path}`

/** `undefined` for what is no identifier in its one spelling (RFC 8707 §2: absolute, no fragment); a slash alone is no path. */
function parsePlace(url: string, mayBePlain: (host: string) => boolean): Place | undefined {
  const [, scheme, host, path = ''] = /^(https?):\/\/([a-z0-9.:[\]-]+)(\/[^?#]*)?$/.exec(url) ?? []
  if (host === undefined || (scheme !== 'https' && scheme !== 'http') || URL.parse(url)?.host !== host) return undefined
  if (scheme === 'http' && !mayBePlain(host)) return undefined
  return { scheme, host, path: path || '/' }
}

const isWithin = (path: string, prefix: string): boolean =>
  prefix === '' || (path.startsWith(prefix) && (path.length === prefix.length || path[prefix.length] === '/'))

const understoodEntry = (entries: readonly Entry[], path: string): Entry | undefined => {
  const read = understand(path)
  return entries.find((entry) => isWithin(read, entry.path.toLowerCase()))
}

function configuredEntry(resource: ForwardAuthResource): Entry {
  const { host, path, server } = resource
  const below = host.startsWith('*') ? host.slice(1) : undefined
  const place = {
    host: below === undefined ? host : undefined,
    below,
    path: plainPath(path, `forwardAuth.resources: ${host}`),
  }
  return { ...place, scheme: undefined, server, settings: resource }
}

function publicEntry({ id, publicUrl }: Config['servers'][number]): Entry[] {
  if (publicUrl === undefined) return []
  const { protocol, host, pathname } = new URL(publicUrl)
  const settings = { scopes: [], allowedEmails: undefined, unauthenticated: undefined }
  const place = { host, below: undefined, path: plainPath(pathname, `servers: publicUrl of ${id}`) }
  return [{ ...place, scheme: protocol === 'http:' ? 'http' : 'https', server: id, settings }]
}

/** Letters, digits and marks that need no escape: an escaped path has spellings. */
function plainPath(path: string, where: string): string {
  if (/^(?:\/[A-Za-z0-9_~!$&'()*+,=:@.-]+)*\/?$/.test(path) && !/\/\.{1,2}(?:\/|$)/.test(path))
    return path.replace(/\/$/, '')
  throw new OperatorError(`${where}: ${path} has an escape, a dot segment or an empty segment. Write a plain path.`)
}

function checkDistinct(entries: readonly Entry[]): void {
  const seen = new Set<string>()
  for (const { host, below, path } of entries) {
    const place = `${host ?? `*${below}`}${path}`
    if (seen.has(place.toLowerCase()))
      throw new OperatorError(
        `${place}${path === '' ? '/' : ''} is protected twice, by forwardAuth.resources or servers[].publicUrl. Keep one of them.`,
      )
    seen.add(place.toLowerCase())
  }
}
