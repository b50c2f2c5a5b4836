// The decision: may this caller make the request that an ingress asks about? One for every kind of ingress; how it is asked and told is
// the business of the addresses (forward-auth, ext_authz).
import type { IncomingHttpHeaders } from 'node:http'
import type { Recorder } from '../audit/event.ts'
import { isNotForThem } from '../audit/not-for-them.ts'
import type { Credentials, Wanted } from '../identity/way.ts'
import type { Grounds } from '../policy/informed.ts'
import { limitWords } from '../policy/limits.ts'
import type { Clock } from '../protocol/clock.ts'
import type { Decision, TargetKind } from '../protocol/decision.ts'
import { type Denials, explicitDenial } from '../protocol/denials.ts'
import { BearerError, RequestError } from '../protocol/errors.ts'
import { type Principal, UNPROVED } from '../protocol/principal.ts'
import { PROTECTED_RESOURCE_PATH } from '../protocol/protected-resource.ts'
import { type Browsers, carriesCode } from './browser.ts'
import { findDocument } from './documents.ts'
import { isNavigation, isReading } from './navigation.ts'
import type { Original } from './original.ts'
import type { Permit } from './permit.ts'
import { documentUrl, type Protected, type ProtectedResources } from './protected.ts'
import { type Decided, decidedEvent } from './record.ts'
import type { BrowserSession } from './session-cookie.ts'
import { documented, refused, type Verdict } from './verdict.ts'

/** What is asked, by whom, as an adapter has read it from its ingress. */
export interface Ask {
  readonly id: string
  readonly at: number
  readonly address: string
  readonly original: Original
  /** Of the caller behind the ingress: what the connection vouches for is the ingress, so its transport must say nothing. */
  readonly credentials: Credentials
  readonly headers: IncomingHttpHeaders
  readonly rawHeaders: readonly string[]
  /** The caller's message, where the ingress sends it along whole. Asked for only when a rule needs it. */
  readBody(): Promise<Buffer | undefined>
}

export interface CheckNeeds {
  readonly clock: Clock
  readonly serverUrl: string
  readonly resources: ProtectedResources
  /** Field that carries the bearer token, lower case. */
  readonly bearerField: string
  authenticate(credentials: Credentials, wanted: Wanted): Principal | Promise<Principal>
  /** The person behind a session cookie. */
  callerOf(session: BrowserSession): Principal | Promise<Principal>
  readonly browsers: Browsers
  /** There are sign-in pages to send a browser to. */
  readonly signIn: boolean
  permit(principal: Principal, place: Protected): Permit
  /** May they make this MCP call? Reads messages as the MCP door does. */
  judgeCall(call: {
    principal: Principal
    server: string
    headers: IncomingHttpHeaders
    rawHeaders: readonly string[]
    body: Buffer | undefined
    request: { readonly address: string; readonly at: number }
  }): Promise<JudgedCall>
  readonly denials: Denials
  readonly recorder: Pick<Recorder, 'record' | 'act'>
}

/** Policy's answer about one call. */
type JudgedCall = Grounds & {
  readonly method: string
  readonly target: { readonly kind: TargetKind; readonly name: string }
  readonly era: 'modern' | 'legacy'
  /** The thing is listed for this caller: what was refused are these arguments. */
  readonly listed: boolean
  /** Seconds, where it was a limit that refused. */
  readonly retryAfter?: number
}

export type Check = (ask: Ask) => Promise<Verdict>

/** Throws what stands in the way of recording, and nothing else. */
export function checker(needs: CheckNeeds): Check {
  const { resources, browsers, recorder, clock } = needs

  return async function check(ask) {
    let place: Protected | undefined
    let principal: Principal | undefined
    let verdict: Verdict
    let about: About = { method: ask.original.method, name: ask.original.path, era: undefined, decision: VISIBLE }
    try {
      // 1 What is it about?
      place = checkKnown(resources.find(ask.original))
      const document = isPublic(ask.original) ? findDocument(needs, ask.original) : undefined
      if (document !== undefined) return documented(document)
      // 2 Does somebody come back from the sign-in?
      const arriving = findArrival(ask, place)
      if (arriving !== undefined) return await arrived(ask, place, await arriving)
      // 3 Who is it?
      const caller = callerOf(ask, place)
      principal = caller instanceof Promise ? await caller : caller
      // 4 May they?
      const permit = permitted(principal, place)
      if (permit.view === 'some' && opensChannel(ask.headers)) throw callsUnseen()
      if (permit.view === 'some' && !isHarmless(ask.original.method)) {
        const call = await judged(ask, principal, place)
        about = aboutCall(call)
        if (call.effect === 'deny') throw deniedError(call, needs.denials)
      }
      verdict = permit.verdict
    } catch (error) {
      if (place && isNobody(error) && isForSignIn(ask, place))
        return browsers.leave(ask.original, ask.credentials, place)
      verdict = refused(error, place && atRequest(place, ask.original))
      if (principal === undefined && !isRefusedCredential(error)) return verdict
      about = { ...about, decision: { ...about.decision, effect: 'deny', reason: verdict.reason } }
    }
    // 5 Recorded before it is told.
    const server = place?.server ?? 'unknown'
    const event = decidedEvent({
      ...about,
      id: ask.id,
      at: ask.at,
      address: ask.address,
      principal: principal ?? UNPROVED,
      server,
      status: verdict.status,
      latency: clock() - ask.at,
    })
    await recorder.record(event)
    return verdict
  }

  /** Of browsers alone: whoever shows a credential is judged by that. */
  function findArrival(ask: Ask, place: Protected) {
    if (!carriesCode(ask.original) || !isForSignIn(ask, place) || showsCredential(ask.credentials)) return undefined
    return browsers.arrive(ask.original, ask.credentials, place)
  }

  /** What the caller shows decides; a cookie rides along unasked, and counts where nothing is shown. */
  function callerOf({ credentials, original }: Ask, place: Protected): Principal | Promise<Principal> {
    // RFC 6750 §2.3: a token in a URL ends up in histories and logs. Other parameters are the business of the server behind.
    if (original.query !== '' && /(?:^|&)access_token=/.test(original.query))
      throw new BearerError('invalid_request', 'token_in_query', 'Send the access token in a header, not in the URL.')
    const session = showsCredential(credentials) ? undefined : browsers.session(credentials, place)
    if (session === 'ended') throw nobody('session_ended')
    if (session !== undefined) return needs.callerOf(session)
    return needs.authenticate(credentials, place.wanted)
  }

  function showsCredential(credentials: Credentials): boolean {
    if (credentials.field('x-api-key').length > 0) return true
    return credentials.field(needs.bearerField).some((line) => /^bearer\b/i.test(line))
  }

  function permitted(principal: Principal, place: Protected): Permit {
    if (principal.kind !== 'anonymous') return needs.permit(principal, place)
    try {
      return needs.permit(principal, place)
    } catch (error) {
      // Nobody may not, somebody might: they are asked who they are.
      if (error instanceof BearerError || error instanceof RequestError) throw nobody('no_credential')
      throw error
    }
  }

  async function judged(ask: Ask, principal: Principal, place: Protected): Promise<JudgedCall> {
    const { headers, rawHeaders, address, at } = ask
    const body = await ask.readBody()
    const request = { address, at }
    return needs.judgeCall({ principal, server: place.server, headers, rawHeaders, body, request })
  }

  async function arrived(ask: Ask, place: Protected, arrival: { verdict: Verdict; subject: string | undefined }) {
    const { subject, verdict } = arrival
    if (subject === undefined) return verdict
    const time = new Date(ask.at).toISOString()
    const what = { act: 'forward_sign_in', decision: 'allow', reason: 'one_time_code' } as const
    const about = { subject, resource: place.resource.url, address: ask.address }
    await recorder.act({ kind: 'act', id: ask.id, time, ...what, ...about })
    return verdict
  }

  function isForSignIn({ original, credentials }: Ask, { unauthenticated }: Protected): boolean {
    if (!needs.signIn || unauthenticated === 'challenge') return false
    return unauthenticated === 'redirect' || isNavigation(original, credentials)
  }

  /** RFC 9728 §3.3: what clients compare with the address they called is this address. */
  function atRequest({ resource }: Protected, original: Original) {
    return { ...resource, document: documentUrl(needs.serverUrl, original) }
  }
}

type About = Pick<Decided, 'method' | 'name' | 'era' | 'decision'>

// Whoever sees the server may reach it; what a call may do is asked where there are rules about calls.
const VISIBLE: Decision = { effect: 'allow', reason: 'server_visible', rule: undefined }

const nobody = (reason: string) => new BearerError(undefined, reason, 'Authentication required.')
const isNobody = (error: unknown): boolean => error instanceof BearerError && error.code === undefined

/** A first contact without a credential only asks the way (RFC 6750 §3.1). */
function isRefusedCredential(error: unknown): boolean {
  if (error instanceof BearerError) return error.code !== undefined || error.reason !== 'no_credential'
  return isNotForThem(error)
}

const aboutCall = ({ method, target, era, effect, reason, rule, args, policy }: JudgedCall): About => ({
  method,
  name: target.name,
  era,
  decision: { effect, reason, rule, args, policy },
})

function deniedError({ target, reason, listed, retryAfter }: JudgedCall, denials: Denials): RequestError {
  if (retryAfter !== undefined) return new RequestError(429, reason, limitWords(reason, retryAfter), { retryAfter })
  if (denials === 'explicit') return explicitDenial(target.kind, reason)
  const words = listed ? 'Not allowed with these arguments.' : 'This account may not make this call.'
  return new RequestError(403, reason, words)
}

function checkKnown(place: Protected | undefined): Protected {
  if (place === undefined) throw new RequestError(403, 'unknown_host', 'This host is not protected by this gate.')
  return place
}

/** They carry no message: a stream is opened, or a session ended, by whoever sees the server. */
const isHarmless = (method: string): boolean => isReading(method) || method === 'OPTIONS' || method === 'DELETE'

/** RFC 6455 §4.1, RFC 9110 §7.8: another protocol on this connection, whose messages nobody asks about. `Upgrade` stays at some ingresses. */
const opensChannel = (headers: IncomingHttpHeaders): boolean =>
  headers.upgrade !== undefined || Object.keys(headers).some((name) => name.startsWith('sec-websocket-'))

const callsUnseen = () => new RequestError(403, 'call_unknown', 'It cannot be told which calls this connection is for.')

const isPublic = ({ method, path }: Original): boolean =>
  (isReading(method) || method === 'OPTIONS') &&
  (path === PROTECTED_RESOURCE_PATH || path.startsWith(`${PROTECTED_RESOURCE_PATH}/`))
