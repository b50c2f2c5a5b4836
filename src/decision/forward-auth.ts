// Forward-auth: an ingress asks before it passes a request on (Traefik `forwardAuth`, nginx `auth_request`, Caddy `forward_auth`, HAProxy).
// Any method, no body unless a rule about single calls needs it; the answer is a status and fields.
import type { IncomingMessage } from 'node:http'
import { readBody } from '../http/body.ts'
import { plainAddress } from '../http/client-address.ts'
import type { Endpoint, Exchange } from '../http/exchange.ts'
import type { Credentials, Transport } from '../identity/way.ts'
import type { Log } from '../observe/log.ts'
import { RequestError } from '../protocol/errors.ts'
import type { Check } from './check.ts'
import { type Asked, MissingField, namesNginx, readIngress } from './ingress.ts'
import type { Original } from './original.ts'
import { forNginx, refused, type Verdict } from './verdict.ts'

interface Needs {
  readonly check: Check
  /** The peer is one of those whose word about other requests counts. */
  isIngress(exchange: Exchange): boolean
  mayBePlain(host: string): boolean
  readonly limits: { readonly body: number; readonly bodyTimeout: number }
  readonly log: Pick<Log, 'info' | 'warn' | 'error'>
  /** Whether it is time to tell of this again. */
  isTime(about: string): boolean
}

export interface ForwardAuth {
  /** For an ingress that names another request in its fields. */
  readonly ofIngress: Endpoint
  /** The request itself is what is asked about. */
  about(read: (exchange: Exchange) => Original): Endpoint
}

export function forwardAuth(needs: Needs): ForwardAuth {
  const { check, limits } = needs
  const endpoint = (read: (exchange: Exchange) => Asked): Endpoint =>
    function ask(exchange) {
      const { req, id, at, address } = exchange
      const asked = readAsked(read, exchange)
      if (!('original' in asked)) return answer(needs, exchange, asked, undefined)
      return check({
        id,
        at,
        address,
        original: asked.original,
        credentials: new CallerCredentials(req, address),
        headers: req.headers,
        rawHeaders: req.rawHeaders,
        readBody: () => readMessage(exchange, limits),
      }).then((verdict) => answer(needs, exchange, verdict, asked))
    }
  return {
    ofIngress: endpoint((exchange) => {
      // Its fields are as good as any stranger's: they are not even read.
      if (!needs.isIngress(exchange))
        throw new RequestError(403, 'untrusted_ingress', 'This address answers to an ingress.')
      return readIngress(exchange.req, needs.mayBePlain)
    }),
    about: (read) => endpoint((exchange) => ({ original: read(exchange), nginx: false })),
  }
}

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
  if (verdict.error !== undefined) tell(needs, exchange, verdict, asked)
  // Its own copy: the response adds its request id.
  res.writeHead(verdict.status, verdict.headers.slice())
  res.end(verdict.body)
}

/** The query stays out of the log: it may hold what is nobody's business. */
function tell(needs: Needs, exchange: Exchange, { status, reason, error }: Verdict, asked: Asked | undefined): void {
  const { log, isTime } = needs
  const { id, address } = exchange
  const { host, path, method } = asked?.original ?? {}
  const line = { id, reason, status, address, host, path, method }
  if (status >= 500) log.error({ ...line, error }, 'a request failed')
  else log.info(line, 'refused')
  const hint = hintOf(exchange, reason, error, host)
  if (hint !== undefined && isTime(`${reason} ${hint.about}`)) log.warn({ reason, setting: hint.setting }, hint.words)
}

interface Hint {
  readonly about: string
  readonly setting: string
  readonly words: string
}

/** Which setting would admit it: for the operator who wonders, in words that can be acted on. */
function hintOf({ req }: Exchange, reason: string, error: unknown, host = ''): Hint | undefined {
  if (reason === 'untrusted_ingress') {
    const peer = plainAddress(req.socket.remoteAddress ?? 'unix')
    const words = `A request to the forward-auth address is refused. Add ${peer} to server.trustedProxies if it is your ingress.`
    return { about: peer, setting: 'server.trustedProxies', words }
  }
  if (reason === 'unknown_host') {
    const words = `The ingress asks about ${host}, which nothing protects. List it under forwardAuth.resources, or as publicUrl of a server.`
    return { about: host, setting: 'forwardAuth.resources', words }
  }
  if (!(error instanceof MissingField)) return undefined
  const words = `The ingress does not send ${error.field}. Let it set that field in every request to this address.`
  return { about: error.field, setting: 'forwardAuth', words }
}

/** The body of the caller's request, where the ingress sends it along whole. */
async function readMessage(
  exchange: Exchange,
  { body, bodyTimeout }: { body: number; bodyTimeout: number },
): Promise<Buffer | undefined> {
  const { headers } = exchange.req
  if (headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0) return undefined
  // Envoy cut it: what we would judge is not what the server gets.
  if (headers['x-envoy-auth-partial-body'] === 'true') return undefined
  const bytes = await readBody(exchange, body, bodyTimeout)
  return bytes.length === 0 ? undefined : bytes
}

/** The ingress vouches for what was asked, not for who asks: the fields beside are the caller's own. */
const NO_TRANSPORT: Transport = { trusted: false, peer: 'ingress', certificate: () => undefined }
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
