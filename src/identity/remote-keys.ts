// The keys an issuer signs with: published by it, or written down in the configuration. RFC 7517, OpenID Connect Core §10.1.1.
import type { KeyObject } from 'node:crypto'
import type { Log } from '../observe/log.ts'
import type { Clock } from '../protocol/clock.ts'
import { type PublicKeys, parsePublicKeys } from '../protocol/public-keys.ts'
import { type FetchDocument, fetchText } from './document.ts'
import { lasting } from './lasting.ts'

interface KeySource {
  /** Where the key set is; a function where that has to be found out first. The fetch may differ by who named the address. */
  locate(): Promise<{ readonly uri: string; readonly fetch: FetchDocument }>
  /** Whose keys these are, and the setting that says so; for the log. */
  readonly of: string
  readonly clock: Clock
  readonly log: Log
}

/**
 * Fetched at first use. A `kid` that is not known is looked for by one more fetch, at most every 30 seconds, so that a rotation goes
 * unnoticed by callers and a flood of made-up names by the issuer. Throws Unavailable where no keys were ever had.
 */
export function remoteKeys({ locate, of, clock, log }: KeySource): {
  find(header: { readonly alg: string; readonly kid: string | undefined }): Promise<readonly KeyObject[]>
} {
  let told = ''

  async function fetchKeys(): Promise<PublicKeys> {
    const { uri, fetch } = await locate()
    const keys = parsePublicKeys(await fetchText(fetch, uri, 'The key set'))
    const flaws = keys.flaws.join('; ')
    if (flaws !== told && flaws !== '') log.warn({ of, uri, flaws: keys.flaws }, 'keys of an issuer are left out')
    told = flaws
    return keys
  }

  const held = lasting({
    fetch: fetchKeys,
    clock,
    onFailure: (error) => log.warn({ of, error }, 'the keys of an issuer cannot be had; those known are used on'),
  })

  return {
    async find(header) {
      const known = (await held.get()).select(header)
      return known.length > 0 ? known : (await held.renew()).select(header)
    },
  }
}
