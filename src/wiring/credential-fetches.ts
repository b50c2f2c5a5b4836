// How whoever gives out credentials is asked: by whose word an address is.
import { outboundFetch, type Resolve } from '../http/outbound.ts'
import type { Fetches } from '../upstreams/authorization-server/fetch.ts'

/** Far above any answer of a token endpoint, and above metadata documents. */
const LARGEST = 256 * 1024

interface Options {
  /** Development only. */
  readonly allowLoopback?: boolean
  /** What names mean that others made up; default: what the system says. */
  readonly resolve?: Resolve
}

export function credentialFetches({
  allowLoopback = false,
  resolve,
}: Options = {}): Fetches & Record<'inside', Fetches['named']> {
  const bounds = { allowLoopback, maxBytes: LARGEST }
  const others = resolve === undefined ? {} : { resolve }
  return {
    configured: outboundFetch({ ...bounds, configured: true }),
    inside: outboundFetch({ ...bounds, ...others, inside: true }),
    named: outboundFetch({ ...bounds, ...others }),
  }
}
