// How whoever gives out credentials is asked: by whose word an address is.
import { outboundFetch } from '../http/outbound.ts'
import type { Fetches } from '../upstreams/authorization-server/fetch.ts'
import type { Names } from './names.ts'

/** Far above any answer of a token endpoint, and above metadata documents. */
const LARGEST = 256 * 1024

interface Options {
  /** Development only. */
  readonly allowLoopback?: boolean
}

export function credentialFetches(
  { resolve, resolvePublic }: Names,
  { allowLoopback = false }: Options = {},
): Fetches & Record<'inside', Fetches['named']> {
  const bounds = { allowLoopback, maxBytes: LARGEST }
  return {
    configured: outboundFetch({ ...bounds, resolve, configured: true }),
    inside: outboundFetch({ ...bounds, resolve: resolvePublic, inside: true }),
    named: outboundFetch({ ...bounds, resolve: resolvePublic }),
  }
}
