// Forward-auth: an ingress asks before it passes a request on (Traefik `forwardAuth`, nginx `auth_request`, Caddy `forward_auth`, HAProxy).
// Any method, no body unless a rule about single calls needs it; the answer is a status and fields.
import type { IncomingMessage } from 'node:http'
import { readBody } from '../http/body.ts'
import { plainAddress } from '../http/client-address.ts'
import { withoutCookies } from '../http/cookies.ts'
import { endOfTurn } from '../http/end-of-turn.ts'
import type { Endpoint, Exchange } from '../http/exchange.ts'
import type { Credentials, Transport } from '../identity/way.ts'
import { RequestError } from '../protocol/errors.ts'
import type { Ask, Check } from './check.ts'
import { type Asked, namesNginx, readIngress } from './ingress.ts'
import type { Original } from './original.ts'
import { checkWhole } from './partial-body.ts'
import { type TellNeeds, tell } from './tell.ts'
import { forNginx, refused, type Verdict } from './verdict.ts'

interface Needs extends TellNeeds {
  readonly check: Check
  /** The peer is one of those whose word about other requests counts. */
  isIngress(exchange: Exchange): boolean
  mayBePlain(host: string): boolean
  isOwnCookie(name: string): boolean
  readonly limits: { readonly body: number; readonly bodyTimeout: number }
}

export interface ForwardAuth {
  /** For an ingress that names another request in its fields. */
  readonly ofIngress: Endpoint
  /** For one that asks with the other request itself. */
  fromIngress(read: (exchange: Exchange) => Original): Endpoint
  /** The request itself is what is asked about. */
  about(read: (exchange: Exchange) => Original): Endpoint
}

export function forwardAuth(needs: Needs): ForwardAuth {
  const { check, limits } = needs
  const endpoint = (read: (exchange: Exchange) => Asked): Endpoint =>
    function serve(exchange) {
      const { req, id, at, address } = exchange
      const asked = readAsked(read, exchange)
      if (!('original' in asked)) return answer(needs, exchange, asked, undefined)
      const ask: Ask = {
        id,
        at,
        address,
        original: asked.original,
        credentials: new CallerCredentials(req, address),
        headers: req.headers,
        rawHeaders: req.rawHeaders,
        readBody: () => readMessage(exchange, limits),
      }
      return endOfTurn()
        .then(() => check(ask))
        .then((verdict) => answer(needs, exchange, verdict, asked))
    }
  const vouched = (read: (exchange: Exchange) => Asked): Endpoint =>
    endpoint((exchange) => {
      // Its fields are as good as any stranger's: they are not even read.
      if (!needs.isIngress(exchange)) throw untrustedIngress()
      return read(exchange)
    })
  return {
    ofIngress: vouched(({ req }) => readIngress(req, needs.mayBePlain)),
    fromIngress: (read) => vouched((exchange) => ({ original: read(exchange), nginx: false })),
    about: (read) => endpoint((exchange) => ({ original: read(exchange), nginx: false })),
  }
}

export const untrustedIngress = () => new RequestError(403, 'untrusted_ingress', 'This address answers to an ingress.')

/** What is asked, or why nobody can say. */
function readAsked(read: (exchange: Exchange) => Asked, exchange: Exchange): Asked | Verdict {
  try {
    return read(exchange)
  } catch (error) {
    const verdict = refused(error)
    return namesNginx(exchange.req) ? forNginx(verdict) : verdict
  }
}

function answer(needs: Needs, exchange: Exchange, given: Verdict, asked: Asked | undefined): void {
  const { res } = exchange
  const verdict = asked?.nginx ? forNginx(given) : given
  if (verdict.error !== undefined) {
    const { id, address, req } = exchange
    const peer = plainAddress(req.socket.remoteAddress ?? 'unix')
    tell(needs, { id, address, peer, original: asked?.original }, verdict)
  }
  // Its own copy: the response adds its request id.
  const headers = verdict.headers.slice()
  const { cookie } = exchange.req.headers
  // For the ingress to put in place of the caller's: the server behind could use ours as the caller does (catalogue row D21).
  if (verdict.status === 200 && cookie !== undefined) headers.push('Cookie', withoutCookies(cookie, needs.isOwnCookie))
  res.writeHead(verdict.status, headers)
  res.end(verdict.body)
}

/** The body of the caller's request, where the ingress sends it along whole. */
async function readMessage(
  exchange: Exchange,
  { body, bodyTimeout }: { body: number; bodyTimeout: number },
): Promise<Buffer | undefined> {
  const { headers } = exchange.req
  if (headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0) return undefined
  checkWhole(headers)
  const bytes = await readBody(exchange, body, bodyTimeout)
  return bytes.length === 0 ? undefined : bytes
}

/** The ingress vouches for what was asked, not for who asks: the fields beside are the caller's own. */
const NO_TRANSPORT: Transport = { trusted: false, relayed: true, peer: 'ingress', certificate: () => undefined }
const NONE: readonly string[] = []

export class CallerCredentials implements Credentials {
  /** The query in question is looked at by the check: other parameters of it belong to the server behind. */
  readonly query = ''
  readonly address: string
  readonly transport = NO_TRANSPORT
  readonly #req: Pick<IncomingMessage, 'headers' | 'rawHeaders'>
  readonly #isEachOnce: boolean

  constructor(req: Pick<IncomingMessage, 'headers' | 'rawHeaders'>, address: string) {
    this.#req = req
    this.address = address
    this.#isEachOnce = Object.keys(req.headers).length * 2 === req.rawHeaders.length
  }

  field(name: string): readonly string[] {
    const { headers, rawHeaders } = this.#req
    const value = headers[name]
    if (value === undefined) return NONE
    if (this.#isEachOnce && typeof value === 'string') return [value]
    const lines: string[] = []
    // Node joins or drops what comes twice.
    for (let at = 0; at < rawHeaders.length; at += 2)
      if ((rawHeaders[at] ?? '').toLowerCase() === name) lines.push(rawHeaders[at + 1] ?? '')
    return lines
  }
}
