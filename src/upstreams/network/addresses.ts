// Where the name of a server may lead: asked once, kept for a minute, judged, and connected to as it was judged. There is no second
// look-up between the check and the socket (DNS rebinding, catalogue row B6).
import { isIP, type LookupFunction } from 'node:net'
import type { Clock } from '../../protocol/clock.ts'
import { NameError, type Resolve } from './names.ts'

const KEPT = 60_000
/** RFC 8767: how long known addresses serve on when nobody can be asked, and how often that is tried meanwhile. */
const SERVED_ON = 60 * 60_000
const TRIED_AGAIN = 5000

class AddressRefused extends Error {
  override readonly name = 'AddressRefused'
  readonly code = 'ERR_ADDRESS_REFUSED'
}

interface Needs {
  readonly resolve: Resolve
  /** May the server be there? */
  readonly isAllowed: (address: string) => boolean
  /** For an answer; less than the time a connection gets. */
  readonly timeout: number
  readonly clock: Clock
}

interface Known {
  readonly addresses: readonly string[]
  readonly at: number
}

/** For the connections to one host. */
export function createLookup({ resolve, isAllowed, timeout, clock }: Needs): LookupFunction {
  let known: Known | undefined
  let nextTry = 0
  let asking: Promise<readonly string[]> | undefined

  async function ask(host: string): Promise<readonly string[]> {
    try {
      const addresses = await resolve(host, timeout)
      known = { addresses, at: clock() }
      nextTry = known.at + KEPT
      return addresses
    } catch (error) {
      // That there is no such name is an answer; silence is none.
      const isSilence = error instanceof NameError && error.code === 'EAI_AGAIN'
      if (!isSilence || known === undefined || clock() - known.at > SERVED_ON) throw error
      nextTry = clock() + TRIED_AGAIN
      return known.addresses
    } finally {
      asking = undefined
    }
  }

  async function vetted(host: string): Promise<readonly string[]> {
    asking ??= known !== undefined && clock() < nextTry ? undefined : ask(host)
    const addresses = (await asking) ?? known?.addresses ?? []
    // One bad address among good ones is how a rebinding name begins: the name as a whole is refused.
    const bad = addresses.find((address) => !isAllowed(address))
    if (bad !== undefined) throw new AddressRefused(`${host} leads to ${bad}, where the server may not be.`)
    if (addresses.length === 0) throw new NameError('ENOTFOUND', `There is no address for ${host}.`)
    return addresses
  }

  return (host, options, done) => {
    vetted(host).then(
      (addresses) => {
        const found = addresses.map((address) => ({ address, family: isIP(address) }))
        const wanted =
          options.family === 4 || options.family === 6 ? found.filter(({ family }) => family === options.family) : found
        const [first] = wanted
        if (first === undefined) done(new NameError('ENOTFOUND', `There is no address for ${host}.`), '')
        else if (options.all) done(null, wanted)
        else done(null, first.address, first.family)
      },
      (error: NodeJS.ErrnoException) => done(error, ''),
    )
  }
}
