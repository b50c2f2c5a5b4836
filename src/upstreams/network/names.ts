// What a host name means, asked without holding up anybody else. Node's own look-up (getaddrinfo) runs on the four threads that files and
// cryptography use as well, two of which it may take: two names whose resolver is silent would stop all other names. So the resolver is
// asked directly (c-ares, no thread), the way the C library would: first the hosts file, then with the search list of resolv.conf
// (Kubernetes lives on it). What is not found this way is left to the C library, which may know other ways (mDNS, a directory).

import { lookup, Resolver } from 'node:dns/promises'
import { readFile } from 'node:fs/promises'

export type Resolve = (host: string, timeout: number) => Promise<readonly string[]>

/** `code` as Node's own look-up has it: ENOTFOUND, or EAI_AGAIN where nobody knows. */
export class NameError extends Error {
  override readonly name = 'NameError'
  readonly code: 'ENOTFOUND' | 'EAI_AGAIN'

  constructor(code: NameError['code'], message: string, options: { cause?: unknown } = {}) {
    super(message, options)
    this.code = code
  }
}

interface Surroundings {
  /** `ADDRESS:PORT` of resolvers, in place of the system's. */
  readonly nameServers?: readonly string[]
  readonly hostsFile?: string
  readonly resolvConf?: string
  /** Of last resort. */
  readonly askSystem?: (host: string) => Promise<readonly string[]>
}

/** RFC 8305 §3: how long the other family is waited for once there is an address. */
const OTHER_FAMILY = 100
const FIRST_TRY = 1000
/** There is no such name, or no resolver that could be asked: the system may know more. */
const NOT_THERE = new Set(['ENOTFOUND', 'ENODATA', 'ECONNREFUSED'])

export function systemNames({
  nameServers,
  hostsFile = '/etc/hosts',
  resolvConf = '/etc/resolv.conf',
  askSystem = askLibrary,
}: Surroundings = {}): Resolve {
  return async function resolve(host, timeout) {
    const written = hostsOf(await readIfThere(hostsFile), host)
    if (written.length > 0) return written
    // RFC 6761 §6.3: no resolver is asked for it.
    if (/^(?:.*\.)?localhost\.?$/i.test(host)) return ['127.0.0.1', '::1']
    // Made anew: what the system's resolvers are may have changed, and one that is cancelled is used up.
    const resolver = new Resolver({ timeout: Math.min(FIRST_TRY, timeout), tries: 3 })
    if (nameServers !== undefined) resolver.setServers(nameServers)
    const late = AbortSignal.timeout(timeout)
    late.addEventListener('abort', () => resolver.cancel())
    for (const candidate of candidatesOf(host, await readIfThere(resolvConf))) {
      const found = await ask(resolver, candidate)
      if (found.length > 0) return found
      if (late.aborted) throw new NameError('EAI_AGAIN', `The resolver did not say in time what ${host} means.`)
    }
    return before(late, host, askSystem(host))
  }
}

/** No addresses: there is no such name. Throws NameError where nobody knows. */
async function ask(resolver: Resolver, name: string): Promise<string[]> {
  const four = resolver.resolve4(name)
  const six = resolver.resolve6(name)
  const first = await Promise.any([four, six]).catch((error: AggregateError) => error)
  if (first instanceof AggregateError) {
    const [cause] = first.errors.filter(({ code }: NodeJS.ErrnoException) => !NOT_THERE.has(code ?? ''))
    if (cause === undefined) return []
    throw new NameError('EAI_AGAIN', `The resolver could not say what ${name} means (${cause.code}).`, { cause })
  }
  const patience = new Promise<string[]>((resolve) => setTimeout(resolve, OTHER_FAMILY, []).unref())
  const none = (): string[] => []
  const found = await Promise.all([four, six].map((asked) => Promise.race([asked.catch(none), patience])))
  return found.flat()
}

async function before<T>(late: AbortSignal, host: string, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const give = () => reject(new NameError('EAI_AGAIN', `The system did not say in time what ${host} means.`))
  late.addEventListener('abort', give)
  if (late.aborted) give()
  return Promise.race([work, promise]).finally(() => late.removeEventListener('abort', give))
}

async function askLibrary(host: string): Promise<string[]> {
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address)
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code === 'ENOTFOUND' ? 'ENOTFOUND' : 'EAI_AGAIN'
    throw new NameError(code, `There is no address for ${host}.`, { cause })
  }
}

/** A system without the file has nothing to say there. */
const readIfThere = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '')

/** hosts(5). */
export function hostsOf(text: string, host: string): string[] {
  const wanted = host.toLowerCase().replace(/\.$/, '')
  return text.split('\n').flatMap((line) => {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/)
    return names.some((name) => name.toLowerCase() === wanted) ? [address] : []
  })
}

/** resolv.conf(5): a name of few dots is looked for in the search list first, and any name there after all. */
export function candidatesOf(host: string, text: string): string[] {
  if (host.endsWith('.')) return [host]
  const said = (keyword: string) =>
    text
      .match(new RegExp(`^${keyword}[ \\t]+(.*)$`, 'gm'))
      ?.at(-1)
      ?.split(/\s+/)
      .slice(1)
  const search = (said('search') ?? said('domain')?.slice(0, 1) ?? []).filter(
    (domain) => domain !== '' && domain !== '.',
  )
  const ndots = Number(/^options\b.*\bndots:(\d+)/m.exec(text)?.[1] ?? 1)
  const below = search.map((domain) => `${host}.${domain}`)
  return host.split('.').length > ndots ? [host, ...below] : [...below, host]
}
