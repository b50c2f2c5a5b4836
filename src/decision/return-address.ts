// Where a browser may be sent back to: a protected host and nowhere else, in one spelling (RFC 9700 §4.11: open redirection).
import { RequestError } from '../protocol/errors.ts'
import type { Start } from './hand-off.ts'
import { checkOriginal, originOf } from './original.ts'
import type { ProtectedResources } from './protected.ts'

/** Absolute, plain characters only: what a URL parser would repair, a browser and we might repair differently. */
const ADDRESS = /^(https?):\/\/([a-z0-9.:[\]-]+)(\/[\x21\x23-\x5b\x5d-\x7e]*)?$/

/** `undefined` for any address that is not one of a protected host. */
export function parseReturnAddress(text: string, resources: ProtectedResources): Start | undefined {
  const [, scheme, host = '', target = '/'] = ADDRESS.exec(text) ?? []
  if (scheme === undefined || target.includes('#') || URL.parse(text)?.host !== host) return undefined
  try {
    const original = checkOriginal({ method: 'GET', scheme, host, target }, resources.mayBePlain)
    // A scheme that does not count was written by somebody else than an ingress of ours.
    if (original.scheme !== scheme || resources.find(original) === undefined) return undefined
    return { origin: originOf(original), target, nonceHash: undefined }
  } catch (error) {
    if (error instanceof RequestError) return undefined
    throw error
  }
}
