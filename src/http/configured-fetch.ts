// `fetch` for addresses that the administrator wrote, where a library wants the real one. What host names mean is asked as it is everywhere
// else. Node would ask the C library, whose few threads wait where no name server answers: one provider could hold up everything.
import { isIP, type LookupFunction } from 'node:net'
import { Agent, type Dispatcher, EnvHttpProxyAgent } from 'undici'
import type { Resolve } from './outbound.ts'

/** Milliseconds. */
const FOR_THE_NAME = 5000

interface ConfiguredFetch {
  readonly fetch: typeof fetch
  close(): Promise<void>
}

type Environment = Readonly<Record<string, string | undefined>>

export function configuredFetch(resolve: Resolve, environment: Environment = process.env): ConfiguredFetch {
  const dispatcher = dispatcherOf(lookupBy(resolve), environment)
  // An option of Node's own, which the type of the standard does not have.
  const own: object = { dispatcher }
  return {
    fetch: (input, init) => fetch(input, { ...init, ...own }),
    close: () => dispatcher.destroy(),
  }
}

/** Through the company's proxy where Node was told so, with Node's own rules: those of its variables, and what they leave out. */
function dispatcherOf(lookup: LookupFunction, environment: Environment): Dispatcher {
  if (environment['NODE_USE_ENV_PROXY'] !== '1') return new Agent({ connect: { lookup } })
  // The name behind a proxy is the proxy's to look up. A stranger's address never comes here: it is vetted, and connected to, in outbound.ts.
  return new EnvHttpProxyAgent({
    connect: { lookup },
    proxyTls: { lookup },
    httpProxy: written('HTTP_PROXY', environment),
    httpsProxy: written('HTTPS_PROXY', environment),
    noProxy: written('NO_PROXY', environment),
  })
}

const written = (name: string, environment: Environment): string =>
  environment[name.toLowerCase()] ?? environment[name] ?? ''

/** For a socket of Node's own making. */
export function lookupBy(resolve: Resolve): LookupFunction {
  return (host, options, done) => {
    resolve(host, FOR_THE_NAME).then(
      (addresses) => {
        const found = addresses.map((address) => ({ address, family: isIP(address) }))
        const [first] = found
        if (first === undefined)
          done(Object.assign(new Error(`There is no address for ${host}.`), { code: 'ENOTFOUND' }), '')
        else if (options.all) done(null, found)
        else done(null, first.address, first.family)
      },
      (error: NodeJS.ErrnoException) => done(error, ''),
    )
  }
}
