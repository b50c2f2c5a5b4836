// Client ID metadata documents (draft-ietf-oauth-client-id-metadata-document-02): the client_id is the address of what the client says of itself.

import type { OutboundFetch } from '../http/outbound.ts'
import type { Log } from '../observe/log.ts'
import type { Clock } from '../protocol/clock.ts'
import { isRecord } from '../protocol/json.ts'
import { networkOf } from '../protocol/network.ts'
import { isTrustedHost } from '../protocol/redirect-uri.ts'
import type { Counters } from '../store/ephemeral.ts'
import { temporarilyUnavailable } from './answers.ts'
import { currentCall } from './call.ts'
import { parseClientMetadata } from './client-metadata.ts'

const SHORTEST = 60_000
const USUAL = 300_000
const LONGEST = 24 * 3_600_000
const MOST_HELD = 500
const PER_HOST_AND_MINUTE = 10
const PER_NETWORK_AND_MINUTE = 20
const IN_ALL_PER_MINUTE = 120
/** How long the last good document stands in for one that cannot be fetched: nobody else's outage or traffic ends a client's sessions. */
const STALE = 24 * 3_600_000
/** Before it is fetched again. */
const RETRY = 30_000

class QuotaSpent extends Error {
  override readonly name = 'QuotaSpent'
}

/** The host said nothing, or that it fails. What it says of the document itself (gone, another one) counts at once. */
class Unreachable extends Error {
  override readonly name = 'Unreachable'
}

interface Held {
  readonly document: string
  readonly until: number
  readonly staleUntil: number
  /** A token was issued to it, so a person has signed in with it; strangers cannot do that. */
  readonly used: boolean
}

interface Needs {
  readonly fetchOutbound: OutboundFetch
  readonly counters: Pick<Counters, 'hit'>
  readonly trustedHosts: readonly string[]
  readonly clock: Clock
  readonly log: Pick<Log, 'info'>
}

export function clientDocuments({ fetchOutbound, counters, trustedHosts, clock, log }: Needs) {
  const held = new Map<string, Held>()
  const running = new Map<string, Promise<string>>()

  /** The unused go first, the oldest of them: addresses that a stranger makes up drive out none that is in use. */
  function hold(id: string, entry: Held): void {
    held.delete(id)
    if (held.size >= MOST_HELD) {
      const [oldest] = held.keys()
      let leaving = oldest
      for (const [other, { used }] of held) {
        if (used) continue
        leaving = other
        break
      }
      if (leaving !== undefined) held.delete(leaving)
    }
    held.set(id, entry)
  }

  /** One stranger's host is not hammered through us, no network spends what is everyone's, and the sum of strangers does not hammer us. */
  async function countFetch(host: string): Promise<void> {
    const now = clock()
    const network = networkOf(currentCall()?.exchange.address ?? '')
    if ((await counters.hit(`document-for:${network}`, 60_000, now)) > PER_NETWORK_AND_MINUTE)
      throw new QuotaSpent('fetch quota of the network')
    if ((await counters.hit(`document:${host}`, 60_000, now)) > PER_HOST_AND_MINUTE)
      throw new QuotaSpent('fetch quota of the host')
    if ((await counters.hit('document', 60_000, now)) > IN_ALL_PER_MINUTE) throw new QuotaSpent('fetch quota')
  }

  async function readDocument(id: string): Promise<string> {
    await countFetch(new URL(id).host)
    const answer = await fetchOutbound(id).catch((cause: unknown) => {
      throw new Unreachable('no answer', { cause })
    })
    if (answer.status === 429 || answer.status >= 500) throw new Unreachable(`status ${answer.status}`)
    if (answer.status !== 200) throw new Error(`status ${answer.status}`)
    const json: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(answer.body))
    if (!isRecord(json)) throw new Error('not a JSON object')
    // §4: a simple string comparison; another spelling of the same address is another client.
    if (json['client_id'] !== id) throw new Error('client_id is not the address')
    const document = JSON.stringify({ ...parseClientMetadata(json, 'document', trustedHosts), client_id: id })
    // Only what was found good is held: errors and malformed documents are never cached (§5).
    const now = clock()
    const until = now + cacheTtl(answer.headers)
    if (until > now) hold(id, { document, until, staleUntil: until + STALE, used: held.get(id)?.used ?? false })
    else held.delete(id)
    return document
  }

  async function renewDocument(id: string, known: Held | undefined): Promise<string> {
    try {
      return await readDocument(id)
    } catch (error) {
      const now = clock()
      const isPassing = error instanceof QuotaSpent || error instanceof Unreachable
      if (!known || !isPassing || known.staleUntil <= now) {
        held.delete(id)
        throw error
      }
      log.info({ error, url: id }, 'a client document could not be renewed; the last good one is used')
      // Who has spent a share had their own look refused: the next may ask the host at once.
      if (error instanceof Unreachable) hold(id, { ...known, until: now + RETRY })
      return known.document
    }
  }

  async function getDocument(id: string): Promise<string> {
    const known = held.get(id)
    if (known && known.until > clock()) return known.document
    const shared = running.get(id) ?? renewDocument(id, known).finally(() => running.delete(id))
    running.set(id, shared)
    return shared
  }

  return {
    /** A token was issued to the client of this id, document or not. */
    markUsed(id: string): void {
      const known = held.get(id)
      if (known) held.set(id, { ...known, used: true })
    },
    /** Asked by the library before it fetches a client_id that no configured or registered client has. */
    async allowFetch(_ctx: unknown, id: string): Promise<boolean> {
      const call = currentCall()
      if (!call || !isDocumentUrl(id) || !isTrustedHost(new URL(id).hostname, trustedHosts)) return false
      // Handling the error of a failed fetch, the library looks the client up once more: one request of a caller is one of ours.
      if (call.document?.id === id) return call.document.text !== undefined
      call.document = { id, text: undefined }
      try {
        call.document = { id, text: await getDocument(id) }
      } catch (error) {
        // Why is for the operator: told to the caller it would map our network.
        log.info({ error, url: id }, 'a client document could not be read')
        if (error instanceof QuotaSpent) throw temporarilyUnavailable()
      }
      return true
    },
    /** Every fetch of the library: the document just allowed, or the `jwks_uri` that one of them names. */
    async fetch(url: string): Promise<Response> {
      const document = currentCall()?.document
      if (document?.id === url) {
        if (document.text === undefined) throw new Error('the document could not be read')
        return jsonResponse(document.text)
      }
      try {
        await countFetch(new URL(url).host)
        const answer = await fetchOutbound(url)
        return new Response(new Uint8Array(answer.body), { status: answer.status, headers: answer.headers })
      } catch (error) {
        log.info({ error, url }, "a client's keys could not be read")
        throw error
      }
    },
  }
}

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
