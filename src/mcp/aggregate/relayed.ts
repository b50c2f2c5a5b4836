// A call behind a view as bytes, to a remote server of the client's own era. MCP 2026-07-28 and 2025-11-25, Transports: what a party that
// rewrites must say in the head.
import { encodeHeaderValue } from '../../protocol/header-value.ts'
import { isRecord } from '../../protocol/json.ts'
import { HEADER_NAME, HEADER_PROTOCOL_VERSION } from '../../protocol/mcp.ts'
import type { RemoteUpstream, Upstream } from '../../upstreams/upstream.ts'
import { readJson } from '../answer.ts'
import { saysSessionLost } from '../bridge/handshake.ts'
import { FAULTS, faultMessage } from '../fault.ts'
import type { Edit } from '../filter.ts'
import type { Forward } from '../forward.ts'
import { type McpHead, upstreamHeaders } from '../headers.ts'
import type { Passage } from '../passage.ts'
import { callerOf } from '../reach.ts'
import type { Ending } from '../relay.ts'
import type { Screen } from '../screen.ts'
import type { Streams } from '../streams.ts'
import { toldBody } from '../told-body.ts'
import type { Audience, BackChannel } from './back-channel/back-channel.ts'
import { progressToken } from './back-channel/running.ts'
import type { UpstreamPlace } from './back-channel/server-message.ts'
import type { Found } from './decide.ts'
import { mayConcern, type Outgoing } from './outgoing.ts'
import type { AggregateSession } from './sessions.ts'
import type { RequestVisit } from './visit.ts'

export interface RelayNeeds {
  readonly forward: Forward
  readonly streams: Streams
  readonly back: Pick<BackChannel, 'aside'>
  readonly limits: Passage['limits']
}

export interface ViewCall {
  readonly visit: RequestVisit
  readonly found: Found
  readonly outgoing: Outgoing
  /** Of a client of the handshake era. */
  readonly session: AggregateSession | undefined
  readonly audience: Audience
}

export interface At<U extends Upstream = Upstream> {
  readonly upstream: U
  /** A refusal of what the server was given is thrown (UpstreamRefused), and not told. */
  readonly renewable: boolean
}

interface Leg extends At<RemoteUpstream> {
  /** Of a client of the handshake era. */
  readonly place: UpstreamPlace | undefined
  /** The server has forgotten the session: the next call opens another. */
  readonly lost: (() => void) | undefined
}

/** The same bytes but for the name; the answer passes through but for what concerns the view. */
export function relayed(needs: RelayNeeds, call: ViewCall, leg: Leg): Promise<Ending> {
  const { upstream, place, renewable } = leg
  const { visit, outgoing } = call
  const { exchange, principal, incoming, era, head } = visit
  const { id } = incoming
  return needs.forward(
    upstream,
    {
      method: 'POST',
      headers: upstreamHeaders({
        head: isUnchanged(call, place) ? head : headFor(head, outgoing.name, place?.revision),
        body: true,
        session: place?.session,
        lastEvent: undefined,
        requestId: exchange.id,
        addedHeaders: upstream.addedHeaders,
      }),
      body: toldBody(outgoing.body, incoming.message, upstream.meta),
      lasting: false,
    },
    {
      res: exchange.res,
      requestId: exchange.id,
      expects: 'answer',
      id,
      era,
      screen: screenFor(needs, call, leg),
      sessionFor: () => undefined,
      openStream: (onEnd) => needs.streams.open(principal, exchange.address, onEnd),
      upstream,
      renewable,
      limits: needs.limits,
    },
  )
}

/**
 * Of many servers none may speak for another: each word is read. At its own address, to a client without a session, a server speaks for
 * itself, and what may be heard passes as it came, as at the address of any server.
 */
function screenFor(needs: RelayNeeds, call: ViewCall, leg: Leg): Screen {
  const { upstream, place } = leg
  const aside = asideOf(needs, call, upstream, place)
  const screen = { edit: undefined, concerns: mayConcern, ...withoutLoss(call, leg) }
  const isAlone = place === undefined && call.visit.view.id === upstream.id
  return isAlone
    ? { ...screen, hears: (said) => aside(readJson(said)) !== undefined }
    : { ...screen, hears: undefined, aside }
}

/**
 * What the server says in the middle of the call, as far as it goes on. Without a place of the client's own it asks nothing. Most calls are
 * answered without a word before: who may hear it is asked with the first.
 */
export function asideOf(
  { back }: Pick<RelayNeeds, 'back'>,
  call: ViewCall,
  { id: server }: Upstream,
  place: UpstreamPlace | undefined,
): Edit {
  let judge: Edit | undefined
  return (message) => {
    judge ??= judgeOf()
    return judge(message)
  }

  function judgeOf(): Edit {
    const { visit, session, audience } = call
    const { message } = visit.incoming
    const client = session && {
      subject: session.subject,
      session: session.id,
      capabilities: session.hello.capabilities,
    }
    const token = progressToken(message.params)
    return back.aside({ server, place, token, audience, client, caller: callerOf(visit) })
  }
}

/** The client's own session goes on, whatever becomes of ours at the server: a 404 of that one would end it. */
function withoutLoss({ visit, outgoing }: ViewCall, { lost }: Leg): Pick<Screen, 'faultOf' | 'reword'> {
  const { exchange, incoming } = visit
  if (lost === undefined) return { reword: outgoing.reword }
  return {
    faultOf(status) {
      if (status !== 404) return undefined
      lost()
      return FAULTS.session_lost
    },
    // Servers in the field say it with 400 and words.
    reword(message) {
      if (!isRecord(message) || !saysSessionLost(message['error'])) return outgoing.reword(message)
      lost()
      return faultMessage(FAULTS.session_lost, incoming.id, exchange.id)
    },
  }
}

/** Under its own name, and in no session of ours. */
const isUnchanged = ({ visit, found }: ViewCall, place: UpstreamPlace | undefined): boolean =>
  place === undefined && found.name === visit.target.name

/** The head says what the body says: MCP 2026-07-28, Transports, for a party that rewrites. */
function headFor(head: McpHead, name: string | undefined, revision: string | undefined): McpHead {
  const passed: string[] = []
  for (let at = 0; at < head.passed.length; at += 2) {
    const field = head.passed[at] ?? ''
    const value = head.passed[at + 1] ?? ''
    if (field === HEADER_NAME && name !== undefined) passed.push(field, encodeHeaderValue(name))
    else if (field !== HEADER_PROTOCOL_VERSION || revision === undefined) passed.push(field, value)
  }
  if (revision !== undefined) passed.push(HEADER_PROTOCOL_VERSION, revision)
  return { ...head, passed }
}
