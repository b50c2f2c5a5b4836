// What the library does not carry from the request to its hooks: the exchange under way and what our hooks found in it.
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Exchange } from '../http/exchange.ts'
import type { ClientRecord, StoredRefresh } from '../store/durable.ts'
import type { AccessToken } from '../tokens/access-token.ts'

export interface Call {
  readonly exchange: Exchange
  /** The access token that a client wants revoked or explained, proved before the library sees its handle. */
  readonly handle?: AccessToken
  /** What an `invalid_grant` of the library is put into words as, where the endpoint has its own. */
  readonly refusal?: string
  /** What the library refused, which it tells before it has answered. */
  refused?: { readonly act: string; readonly reason: string }
  /** The registered client that was read last. */
  client?: ClientRecord
  /** The refresh token that was read last, and, once the library spends it, the one being rotated. */
  refresh?: { readonly id: string; readonly record: StoredRefresh; spent: boolean }
  /** The hash of the code whose tokens are being made; it is spent when they may leave (codes.ts). */
  spentCode?: string
  /** The client document of this call; without `text` where it could not be read. */
  document?: { readonly id: string; readonly text: string | undefined }
  /** Acts recorded so far; the first one bears the request's id. */
  acts: number
}

const calls = new AsyncLocalStorage<Call>()

export function runCall<T>(call: Omit<Call, 'acts'>, work: () => T): T {
  return calls.run({ ...call, acts: 0 }, work)
}

/** `undefined` where a page, not an endpoint of the library, asks. */
export const currentCall = (): Call | undefined => calls.getStore()
