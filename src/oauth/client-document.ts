// Client ID metadata documents (draft-ietf-oauth-client-id-metadata-document-02): the client_id is the address of what the client says of itself.

import type { OutboundFetch } from '../http/outbound.ts'
import type { Clock } from '../protocol/clock.ts'
import { isTrustedHost } from '../protocol/redirect-uri.ts'
import type { Counters } from '../store/ephemeral.ts'
import type { Log } from './acts.ts'
import { currentCall } from './call.ts'
import { parseClientMetadata } from './client-metadata.ts'

const SHORTEST = 60_000
const USUAL = 300_000
const LONGEST = 24 * 3_600_000
const MOST_HELD = 500
const PER_HOST_AND_MINUTE = 10
const IN_ALL_PER_MINUTE = 120

interface Needs {
  readonly fetchOutbound: OutboundFetch
  readonly counters: Pick<Counters, 'hit'>
  readonly trustedHosts: readonly string[]
  readonly clock: Clock
  readonly log: Log
}

export function clientDocuments({ fetchOutbound, counters, trustedHosts, clock, log }: Needs) {
  const held = new Map<string, { document: string; until: number }>()
  const running = new Map<string, Promise<string>>()

  /** One stranger's host is not hammered through us, and the sum of strangers does not hammer us. */
  async function countFetch(host: string): Promise<void> {
    const now = clock()
    if ((await counters.hit(`document:${host}`, 60_000, now)) > PER_HOST_AND_MINUTE)
      throw new Error('fetch quota of the host')
    if ((await counters.hit('document', 60_000, now)) > IN_ALL_PER_MINUTE) throw new Error('fetch quota')
  }

  async function readDocument(id: string): Promise<string> {
    await countFetch(new URL(id).host)
    const answer = await fetchOutbound(id)
    if (answer.status !== 200) throw new Error(`status ${answer.status}`)
    const json: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(answer.body))
    if (!isObject(json)) throw new Error('not a JSON object')
    // §4: a simple string comparison; another spelling of the same address is another client.
    if (json['client_id'] !== id) throw new Error('client_id is not the address')
    const document = JSON.stringify({ ...parseClientMetadata(json, 'document', trustedHosts), client_id: id })
    // Only what was found good is held: errors and malformed documents are never cached (§5).
    const until = clock() + cacheTtl(answer.headers)
    if (held.size >= MOST_HELD) held.delete(held.keys().next().value ?? '')
    if (until > clock()) held.set(id, { document, until })
    return document
  }

  async function getDocument(id: string): Promise<string> {
    const known = held.get(id)
    if (known && known.until > clock()) return known.document
    held.delete(id)
    const shared = running.get(id) ?? readDocument(id).finally(() => running.delete(id))
    running.set(id, shared)
    return shared
  }

  return {
    /** Asked by the library before it fetches a client_id that no configured or registered client has. */
    allowFetch(_ctx: unknown, id: string): boolean {
      const call = currentCall()
      if (!call || !isDocumentUrl(id) || !isTrustedHost(new URL(id).hostname, trustedHosts)) return false
      // Handling the error of a failed fetch, the library looks the client up once more: one request of a caller is one of ours.
      if (call.document === id && !held.has(id)) return false
      call.document = id
      return true
    },
    /** Every fetch of the library: the document just allowed, or the `jwks_uri` that one of them names. */
    async fetch(url: string): Promise<Response> {
      try {
        if (currentCall()?.document === url) return jsonResponse(await getDocument(url))
        await countFetch(new URL(url).host)
        const answer = await fetchOutbound(url)
        return new Response(new Uint8Array(answer.body), { status: answer.status, headers: answer.headers })
      } catch (error) {
        // Why is for the operator: told to the caller it would map our network.
        log.info({ error, url }, 'a client document or its keys could not be read')
        throw error
      }
    },
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const jsonResponse = (body: string) => new Response(body, { headers: { 'content-type': 'application/json' } })

/** §3, narrower: also not the root, and only in the one spelling that the URL parser leaves as it is. */
export function isDocumentUrl(id: string): boolean {
  const url = URL.parse(id)
  if (!url || url.href !== id || id.length > 2048) return false
  return (
    url.protocol === 'https:' && url.pathname !== '/' && url.username === '' && url.password === '' && !id.includes('#')
  )
}

/** RFC 9111 §5.2.2, within bounds: `no-store` is kept to, `max-age=0` still spans one sign-in, ten years do not outlive a day. */
export function cacheTtl(headers: Headers): number {
  const control = headers.get('cache-control') ?? ''
  if (/(?:^|,)\s*no-store\b/i.test(control)) return 0
  const age = /(?:^|,)\s*max-age\s*=\s*"?(\d{1,12})/i.exec(control)?.[1]
  if (age === undefined) return USUAL
  return Math.min(LONGEST, Math.max(SHORTEST, Number(age) * 1000))
}
