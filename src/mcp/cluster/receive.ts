// What another replica hands to this one: opened, and served like a request of the caller's own, but for who they are, which was proved
// where they came in. It is handed on no further.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import type { Endpoint, Exchange } from '../../http/exchange.ts'
import { identify } from '../../http/identified.ts'
import type { Handle } from '../../http/in-flight.ts'
import type { Clock } from '../../protocol/clock.ts'
import { type EnvelopeKeys, isSealedFor, MOST_HEAD, type Refused, SKEW, type Unpacked, unpack } from './envelope.ts'
import { HOP_PATH, MISDIRECTED } from './hand-on.ts'
import { createNonces } from './nonces.ts'
import { envelopeReader } from './read-envelope.ts'

interface Needs extends EnvelopeKeys {
  readonly self: string
  readonly clock: Clock
  /** The door's addresses. */
  match(path: string): Endpoint | undefined
  /** Largest body of a client's request. */
  readonly mostBody: number
  onRefused(reason: Refused | 'replayed' | 'unknown_path', from: string | undefined): void
  onError(error: unknown): void
}

export function createReceiver({ self, clock, sealKeys, match, mostBody, onRefused, onError }: Needs): Handle {
  // Sent up to SKEW ago, or up to SKEW from now: so long it could be sent again.
  const nonces = createNonces(2 * SKEW)
  const readEnvelope = envelopeReader(4 + MOST_HEAD + mostBody, (bytes) => isSealedFor({ sealKeys }, self, bytes))

  async function take(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const refuse = (reason: Parameters<typeof onRefused>[0]): void => {
      onRefused(reason, req.socket.remoteAddress)
      res.writeHead(MISDIRECTED, { connection: 'close' }).end()
    }
    const bytes = await readEnvelope(req)
    const unpacked = typeof bytes === 'string' ? bytes : unpack({ sealKeys }, self, bytes, clock())
    if (typeof unpacked === 'string') return refuse(unpacked)
    if (!nonces.take(unpacked.nonce, clock())) return refuse('replayed')
    const endpoint = match(unpacked.handed.path)
    if (endpoint === undefined) return refuse('unknown_path')
    identify(res, unpacked.handed.id)
    await endpoint(exchangeOf(req, res, unpacked))
  }

  return (req, res) => {
    if (req.method !== 'POST' || req.url !== HOP_PATH) {
      res.writeHead(404, { connection: 'close' }).end()
      return
    }
    take(req, res).catch((error: unknown) => {
      onError(error)
      res.destroy()
    })
  }
}

function exchangeOf(req: IncomingMessage, res: ServerResponse, { handed, body }: Unpacked): Exchange {
  const { method, path, query, headers, rawHeaders, principal, address, viaProxy, id, at } = handed
  const stream = new Readable({ read() {} })
  if (body.length > 0) stream.push(body)
  stream.push(null)
  const message = Object.assign(stream, {
    method,
    url: query === '' ? path : `${path}?${query}`,
    httpVersion: '1.1',
    headers,
    rawHeaders,
    socket: req.socket,
    complete: true,
  }) as unknown as IncomingMessage
  return { req: message, res, path, query, id, address, viaProxy, at, handed: { principal } }
}
