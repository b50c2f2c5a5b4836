// Envoy's ext_authz filter over gRPC: `envoy.service.auth.v3.Authorization/Check`. Every question gets an answer of the service, whatever
// goes wrong: an error of gRPC would leave the decision to Envoy (`failure_mode_allow`).
import { clientAddress } from '../../http/client-address.ts'
import { withoutCookies } from '../../http/cookies.ts'
import type { GrpcCall, GrpcMethod } from '../../http/grpc-calls.ts'
import type { TrustedProxies } from '../../http/trusted-proxy.ts'
import type { Clock } from '../../protocol/clock.ts'
import { RequestError } from '../../protocol/errors.ts'
import type { Check } from '../check.ts'
import { CallerCredentials, untrustedIngress } from '../forward-auth.ts'
import { checkOriginal, type Original } from '../original.ts'
import { type TellNeeds, tell } from '../tell.ts'
import { refused, type Verdict } from '../verdict.ts'
import { type CheckRequest, parseCheckRequest } from './check-request.ts'
import { checkResponse } from './check-response.ts'
import { checkOneCredential } from './joined.ts'

/** Of a question, beside the caller's message. */
const HEAD = 256 * 1024

export const CHECK_METHOD = '/envoy.service.auth.v3.Authorization/Check'

interface Needs extends TellNeeds {
  readonly check: Check
  /** Whose questions are answered, and whose word of an address counts. */
  readonly ingresses: TrustedProxies
  mayBePlain(host: string): boolean
  readonly bearerField: string
  isOwnCookie(name: string): boolean
  readonly limits: { readonly body: number; readonly bodyTimeout: number }
  nextId(now: number): string
  /** Counts an answer; in seconds. */
  onAnswered(status: number, seconds: number): void
  readonly clock: Clock
}

/** One question, as far as it is known; what fails later still says whose it was. */
interface Question {
  readonly id: string
  readonly at: number
  readonly peer: string
  address: string
  original: Original | undefined
  rawHeaders: readonly string[]
  cookies: string | undefined
}

export function envoyService(needs: Needs): GrpcMethod {
  const { check, ingresses, limits, clock } = needs

  return async function serve(call) {
    const at = clock()
    const peer = ingresses.peerOf(call.socket)
    const question: Question = {
      id: needs.nextId(at),
      at,
      peer,
      address: peer,
      original: undefined,
      rawHeaders: [],
      cookies: undefined,
    }
    const verdict = await within(
      Math.min(call.timeout ?? limits.bodyTimeout, limits.bodyTimeout),
      judged(call, question),
    ).catch(refused)
    if (verdict.error !== undefined) tell(needs, question, verdict)
    needs.onAnswered(verdict.status, (clock() - at) / 1000)
    return checkResponse(verdict, question)
  }

  async function judged(call: GrpcCall, question: Question): Promise<Verdict> {
    // 1 Who asks? Of a stranger nothing is read.
    if (!ingresses.isTrusted(call.socket)) throw untrustedIngress()
    // 2 About what?
    const asked = parseCheckRequest(await call.read(limits.body + HEAD, limits.bodyTimeout))
    const { headers, rawHeaders } = asked
    question.rawHeaders = rawHeaders
    question.cookies = otherCookies(headers.cookie, needs.isOwnCookie)
    question.address = addressOf(asked)
    checkOneCredential(headers, needs.bearerField)
    const original = checkOriginal(asked.said, needs.mayBePlain)
    question.original = original
    // 3 May they?
    return check({
      id: question.id,
      at: question.at,
      address: question.address,
      original,
      credentials: new EnvoyCredentials(asked, question.address, question.peer),
      headers,
      rawHeaders,
      readBody: async () => checkSize(asked.readBody(), limits.body),
    })
  }

  /** Envoy's own peer, or whom trusted proxies before it name; a socket file is as near as this machine. */
  function addressOf({ address, headers }: CheckRequest): string {
    if (address !== '' && !ingresses.isTrustedAddress(address)) return address
    return clientAddress(address || 'unix', headers['x-forwarded-for'], ingresses.isTrustedAddress)
  }
}

/** What the connection to Envoy vouches for is the caller: it verified a certificate where it asked for one. */
class EnvoyCredentials extends CallerCredentials {
  override readonly transport: CallerCredentials['transport']

  constructor(asked: CheckRequest, address: string, peer: string) {
    super(asked, address)
    this.transport = { trusted: false, relayed: true, peer, certificate: asked.certificate, spiffeId: asked.spiffeId }
  }
}

/** `undefined` where ours is not among them. What no cookie may hold (RFC 6265 §4.1.1) could not be sent back as it came. */
function otherCookies(header: string | undefined, isOwn: (name: string) => boolean): string | undefined {
  if (header === undefined) return undefined
  const kept = withoutCookies(header, isOwn)
  if (kept === header.trim()) return undefined
  return kept
    .split(';')
    .filter((pair) => /^[\x20-\x7e]*$/.test(pair))
    .join(';')
    .trim()
}

function checkSize(body: Buffer | undefined, most: number): Buffer | undefined {
  if (body !== undefined && body.length > most)
    throw new RequestError(413, 'body_too_large', 'The request body is too large.')
  return body
}

/** Nobody waits for what comes later. */
async function within(timeout: number, judged: Promise<Verdict>): Promise<Verdict> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new RequestError(503, 'deadline', 'The answer took too long.')), timeout)
  })
  return Promise.race([judged, late]).finally(() => clearTimeout(timer))
}
