// `fetch` for addresses that the administrator wrote, where a library wants the real one. What host names mean is asked as it is everywhere
// else. Node would ask the C library, whose few threads wait where no name server answers: one provider could hold up everything.
import { isIP, type LookupFunction } from 'node:net'
import { Agent } from 'undici'
import type { Resolve } from './outbound.ts'

/** Milliseconds. */
const FOR_THE_NAME = 5000

interface ConfiguredFetch {
  readonly fetch: typeof fetch
  close(): Promise<void>
}

export function configuredFetch(resolve: Resolve): ConfiguredFetch {
  const dispatcher = new Agent({ connect: { lookup: lookupBy(resolve) } })
  // An option of Node's own, which the type of the standard does not have.
  const own: object = { dispatcher }
  return {
    fetch: (input, init) => fetch(input, { ...init, ...own }),
    close: () => dispatcher.destroy(),
  }
}

function lookupBy(resolve: Resolve): LookupFunction {
  return (host, options, done) => {
    resolve(host, FOR_THE_NAME).then(
      (addresses) => {
        const found = addresses.map((address) => ({ address, family: isIP(address) }))
        const [first] = found
        if (first === undefined) done(new Error(`There is no address for ${host}.`), '')
        else if (options.all) done(null, found)
        else done(null, first.address, first.family)
      },
      (error: NodeJS.ErrnoException) => done(error, ''),
    )
  }
}
