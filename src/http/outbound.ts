// Fetching what a stranger named: never from inside the house. The addresses are vetted, and the connection is made to those very ones
// (no second look-up, no redirect), so that a name cannot mean one host to the check and another to the socket.
import { isIP, type LookupFunction } from 'node:net'
import { Agent, request } from 'undici'
import { addPart } from '../protocol/parts.ts'
import { kindOfAddress } from './address-kind.ts'
import { isLoopbackAddress, isPublicAddress } from './public-address.ts'

export type OutboundReason =
  | 'url'
  | 'scheme'
  | 'address'
  | 'unresolved'
  | 'unreachable'
  | 'encoding'
  | 'size'
  | 'deadline'

/** Nothing was fetched. `reason` is for the log: told to the caller it would be a port scanner. */
export class OutboundRefused extends Error {
  override readonly name = 'OutboundRefused'
  readonly reason: OutboundReason

  constructor(reason: OutboundReason, cause?: unknown) {
    super(`outbound request refused: ${reason}`, cause === undefined ? undefined : { cause })
    this.reason = reason
  }
}

export interface OutboundAnswer {
  readonly status: number
  readonly headers: Headers
  readonly body: Buffer
}

/** `timeout`: milliseconds for which anybody waits. */
export type Resolve = (host: string, timeout: number) => Promise<readonly string[]>

export interface OutboundRequest {
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}
/** GET, or POST where there is a body. */
export type OutboundFetch = (url: string, request?: OutboundRequest) => Promise<OutboundAnswer>

const USUAL = 5000

interface Options {
  /** Development only: loopback addresses, and `http:` to them. */
  readonly allowLoopback: boolean
  /** For addresses that the administrator wrote: they may lie inside the house, and the configuration has judged their scheme. */
  readonly configured?: boolean
  /** For addresses that a server inside the house named: they may lie there too, and be spoken to in clear. Never link-local ones. */
  readonly inside?: boolean
  readonly maxBytes?: number
  /** For everything together: look-up, connection, answer. Milliseconds. */
  readonly timeout?: number
  /** What host names mean. Node's own look-up would hold up all other names: src/upstreams/network/names.ts says how. */
  readonly resolve: Resolve
}

export function outboundFetch({
  allowLoopback,
  configured = false,
  inside = false,
  maxBytes = 5 * 1024,
  timeout = USUAL,
  resolve,
}: Options): OutboundFetch {
  const isAllowed = (address: string) =>
    configured ||
    isPublicAddress(address) ||
    (allowLoopback && isLoopbackAddress(address)) ||
    (inside && isInsideAddress(address))
  const isClear = inside ? isInsideAddress : isLoopbackAddress

  return async function fetchOutbound(raw, asked) {
    const deadline = AbortSignal.timeout(timeout)
    const url = parseUrl(raw)
    const addresses = await before(deadline, addressesOf(url, resolve, timeout))
    // One bad address among good ones is how a rebinding name begins: the name as a whole is refused.
    if (addresses.length === 0 || !addresses.every(isAllowed)) throw new OutboundRefused('address')
    if (url.protocol !== 'https:' && !configured && !addresses.every(isClear)) throw new OutboundRefused('scheme')
    return await fetchFrom(url, addresses, { asked, maxBytes, deadline })
  }
}

/** Whether all addresses of a host are of this machine or a private network; `false` where it has none. */
export async function leadsInside(url: string, resolve: Resolve): Promise<boolean> {
  const addresses = await addressesOf(new URL(url), resolve, USUAL).catch(() => [])
  return addresses.length > 0 && addresses.every(isInsideAddress)
}

const isInsideAddress = (address: string): boolean => ['loopback', 'private'].includes(kindOfAddress(address))

function parseUrl(raw: string): URL {
  const url = URL.parse(raw)
  if (url === null) throw new OutboundRefused('url')
  if (url.username !== '' || url.password !== '') throw new OutboundRefused('url')
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw new OutboundRefused('scheme')
  return url
}

/** The URL parser has already turned every spelling of an IPv4 literal (`0x7f.1`, `2130706433`, full-width digits) into dotted form. */
async function addressesOf(url: URL, resolve: Resolve, timeout: number): Promise<readonly string[]> {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) !== 0) return [host]
  try {
    return await resolve(host, timeout)
  } catch (cause) {
    throw new OutboundRefused('unresolved', cause)
  }
}

async function fetchFrom(
  url: URL,
  addresses: readonly string[],
  { asked, maxBytes, deadline }: { asked: OutboundRequest | undefined; maxBytes: number; deadline: AbortSignal },
): Promise<OutboundAnswer> {
  const vetted = addresses.map((address) => ({ address, family: isIP(address) }))
  const pinned: LookupFunction = (_host, options, done) => {
    if (options.all) done(null, vetted)
    else done(null, addresses[0] ?? '', vetted[0]?.family)
  }
  const agent = new Agent({ connect: { lookup: pinned }, connections: 1, pipelining: 1 })
  try {
    const answer = await request(url, {
      dispatcher: agent,
      method: asked?.body === undefined ? 'GET' : 'POST',
      headers: { accept: 'application/json', 'accept-encoding': 'identity', ...asked?.headers },
      ...(asked?.body !== undefined && { body: asked.body }),
      signal: deadline,
    })
    const headers = new Headers()
    for (const [name, value] of Object.entries(answer.headers))
      if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value)
    // A few compressed bytes can become gigabytes: what is not plain is not read.
    if ((headers.get('content-encoding') ?? 'identity').toLowerCase() !== 'identity')
      throw new OutboundRefused('encoding')
    return { status: answer.statusCode, headers, body: await readAtMost(answer.body, maxBytes) }
  } catch (cause) {
    if (cause instanceof OutboundRefused) throw cause
    throw new OutboundRefused(deadline.aborted ? 'deadline' : 'unreachable', cause)
  } finally {
    await agent.destroy()
  }
}

async function readAtMost(body: AsyncIterable<Buffer>, most: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > most) throw new OutboundRefused('size')
    addPart(chunks, chunk)
  }
  return Buffer.concat(chunks)
}

async function before<T>(deadline: AbortSignal, work: Promise<T>): Promise<T> {
  let onAbort: (() => void) | undefined
  const late = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(new OutboundRefused('deadline'))
    deadline.addEventListener('abort', onAbort, { once: true })
  })
  try {
    return await Promise.race([work, late])
  } finally {
    if (onAbort) deadline.removeEventListener('abort', onAbort)
  }
}
