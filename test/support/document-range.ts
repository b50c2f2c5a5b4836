// Where client documents are attacked: a gate as in production and one for developers (whose documents may be on loopback, where the
// hosts of tests are), a stranger's host, and a resolver in the stranger's hands.
import { expect } from 'vitest'
import { type Parameters, registerClient, type TestClient } from './client.ts'
import { type DocumentHost, documentOf, sendDocument, startDocumentHost } from './document-host.ts'
import {
  expectLocalPage,
  expectRefused,
  GOOD,
  type OAuthRange,
  SCOPE,
  type Seen,
  send,
  startOAuthRange,
} from './oauth-range.ts'
import { type Resolver, takeOverResolver } from './resolver.ts'

export interface DocumentRange {
  readonly host: DocumentHost
  readonly resolver: Resolver
  readonly strict: OAuthRange
  readonly lax: OAuthRange
  /** Registered with `lax`. */
  readonly client: TestClient
  /** The address of a document that was never asked for. */
  fresh(): string
  /** An authorization request of the client with this document. */
  requestOf(range: OAuthRange, id: string, bend?: Parameters): string
  /** By `lax`: the browser goes on to the consent page. */
  expectBelieved(id?: string, bend?: Parameters): Promise<Seen>
  expectDisbelieved(range: OAuthRange, id: string, bend?: Parameters): Promise<Seen>
  /** Before each test: no quota used up (ten documents a minute from one host), a host that is honest and has seen nobody. */
  reset(): void
  close(): Promise<void>
}

/** Whatever was wrong with the document or the way to it. */
export const FETCH_FAILED = 'invalid_client: client_id metadata document fetch failed'

export async function startDocumentRange(): Promise<DocumentRange> {
  const host = await startDocumentHost()
  const resolver = takeOverResolver()
  const { resolve } = resolver
  const strict = await startOAuthRange({ resolve })
  const lax = await startOAuthRange({ resolve, server: { development: true } })
  const client = await registerClient(lax.gateway)
  let page = 0

  const fresh = () => `${host.origin}/client-${++page}.json`

  function requestOf({ gateway, resource }: OAuthRange, id: string, bend: Parameters = {}): string {
    const { url } = client.authorize({ client_id: id, redirect_uri: GOOD, resource, scope: SCOPE, ...bend })
    return url.replace(lax.gateway.url, gateway.url)
  }

  return {
    host,
    resolver,
    strict,
    lax,
    client,
    fresh,
    requestOf,
    async expectBelieved(id = fresh(), bend = {}) {
      const seen = await send(requestOf(lax, id, bend))
      expect({ status: seen.status, location: seen.location }).toEqual({
        status: 303,
        location: expect.stringContaining('/interaction/'),
      })
      return seen
    },
    async expectDisbelieved(range, id, bend = {}) {
      const seen = await expectRefused(range, 'invalid_client', () => send(requestOf(range, id, bend)))
      expectLocalPage(seen)
      return seen
    },
    reset() {
      for (const { gateway } of [strict, lax]) gateway.clock.advance('2m')
      host.forget()
      host.answer((req, res) => sendDocument(res, documentOf(`${host.origin}${req.url}`)))
    },
    async close() {
      resolver.restore()
      await strict.close()
      await lax.close()
      await host.close()
    },
  }
}
