// The MCP door: one server at its own address, both wire eras. MCP 2026-07-28 and 2025-11-25, Transports and Authorization.
import type { CallEvent, RecordedCall, Recorder } from '../audit/event.ts'
import { answerDoorPreflight } from '../http/cors.ts'
import type { Exchange } from '../http/exchange.ts'
import type { Definition, InformNeeds } from '../policy/informed.ts'
import type { Limits } from '../policy/limits.ts'
import type { Call } from '../protocol/decision.ts'
import type { Denials } from '../protocol/denials.ts'
import type { RpcId } from '../protocol/jsonrpc.ts'
import type { Revision } from '../protocol/mcp.ts'
import { type Principal, UNPROVED } from '../protocol/principal.ts'
import type { Caller } from '../upstreams/caller.ts'
import type { Upstream } from '../upstreams/upstream.ts'
import { admitInquiry } from './admit.ts'
import type { Elsewhere } from './cluster/elsewhere.ts'
import { decideInquiry } from './decide.ts'
import { readHead } from './headers.ts'
import { deniedError, unknownServer, unseenServer } from './hidden.ts'
import { type Incoming, parseMessage } from './message.ts'
import { checkParamHeaders } from './param-headers.ts'
import { createPassing, type PassingNeeds } from './passing.ts'
import { callerOf } from './reach.ts'
import { checkHttpMethod, readText } from './reading.ts'
import { callEvent, isRefusedCredential, outcomeOf, refusal, refusedAfterAll, unread } from './record.ts'
import type { Ending } from './relay.ts'
import { checkRevision } from './revision.ts'
import type { ScanLimits } from './scan.ts'
import type { StreamLimits } from './streams.ts'
import { checkReadArguments } from './unambiguous.ts'
import { checkVisit, type Visit } from './visit.ts'

export interface McpNeeds extends PassingNeeds {
  /** Throws RequestError 403 for a foreign origin; sets the CORS fields for one of ours. */
  cors(exchange: Exchange): void
  /** Throws BearerError. */
  authenticate(exchange: Exchange, serverId: string): Principal | Promise<Principal>
  /** Throws BearerError `insufficient_scope`. */
  checkScopes(principal: Principal, call: Call): void
  /** What limits say of a call that policy allows. */
  readonly admit: Limits['admit']
  /** Of a tool, as its server defines it for this caller, where that is known. */
  definitionOf?(server: string, tool: string, caller: Caller): Promise<Definition | undefined> | Definition | undefined
  readonly denials: Denials
  /** Oldest that may be spoken to the server. */
  minimumRevision(serverId: string): Revision | undefined
  readonly recorder: Pick<Recorder, 'decide' | 'finish'>
  /** Answers a refusal; `rpcId` where the message was read before it was refused. */
  refuse(exchange: Exchange, error: unknown, serverId: string, rpcId?: RpcId): void
  /** With other replicas: whether one of them has answered the request, for what lives there alone. It records it, too. */
  readonly elsewhere?: Elsewhere | undefined
  readonly limits: StreamLimits & ScanLimits & { readonly body: number; readonly bodyTimeout: number }
}

export function mcpEndpoint(needs: McpNeeds): (exchange: Exchange, serverId: string) => Promise<void> {
  const { policy, recorder, upstreams, clock } = needs
  const forward = createPassing(needs)

  return async function serve(exchange, serverId) {
    let principal: Principal | undefined
    let incoming: Incoming | undefined
    let visit: Visit | undefined
    let event: CallEvent | undefined
    let recorded: RecordedCall | undefined
    let ending: Ending | undefined
    let endAdmission: (() => void) | undefined
    try {
      // 0 Where does it come from?
      needs.cors(exchange)
      if (exchange.req.method === 'OPTIONS') return answerDoorPreflight(exchange)
      const upstream = checkKnown(upstreams.get(serverId))
      // 1 Who is it? Before anything else of the request is judged, so that every stranger gets the same challenge.
      principal = await needs.authenticate(exchange, serverId)
      const view = policy.view(principal, serverId)
      if (view === 'none') throw unseenServer(needs.denials)
      // 2 What does it say?
      const httpMethod = checkHttpMethod(exchange)
      const head = readHead(exchange.req.rawHeaders)
      if (httpMethod === 'POST') incoming = parseMessage(await readText(exchange, needs.limits), needs.limits)
      if (incoming !== undefined) checkReadArguments(policy.reads(serverId), incoming.body)
      visit = checkVisit({ exchange, principal, upstream, view, httpMethod, head, incoming })
      const minimum = needs.minimumRevision(serverId)
      if (minimum !== undefined) checkRevision(minimum, visit)
      const handed = needs.elsewhere?.({ ...visit, address: serverId, channel: upstream.kind === 'channel' })
      if (handed !== undefined && (await handed)) return
      // 3 May it? Recorded before a byte leaves.
      const known = definitionsFor(needs, visit)
      const deciding = decideInquiry({ policy, checkScopes: needs.checkScopes, definitionOf: known }, visit)
      const decision = deciding instanceof Promise ? await deciding : deciding
      const admitting = admitInquiry(needs.admit, visit, decision)
      const { verdict, end } = admitting instanceof Promise ? await admitting : admitting
      endAdmission = end
      const decided = callEvent(visit, verdict)
      recorded = await recorder.decide(decided)
      event = decided
      if (verdict.effect === 'deny') throw deniedError(verdict, visit.era, needs.denials)
      const mirrored = checkParamHeaders(known, visit)
      if (mirrored !== undefined) await mirrored
      // 4 The upstream's turn.
      ending = await forward(visit)
    } catch (error) {
      if (event === undefined && (principal !== undefined || isRefusedCredential(error))) {
        const known = visit ?? unread({ exchange, principal: principal ?? UNPROVED, server: serverId, incoming })
        const refused = callEvent(known, refusal(error))
        recorded = await recorder.decide(refused)
        event = refused
      } else if (event !== undefined) event = refusedAfterAll(event, error)
      needs.refuse(exchange, error, serverId, incoming?.id)
    } finally {
      // 5 How did it end?
      endAdmission?.()
      if (recorded !== undefined && event !== undefined)
        recorder.finish(recorded, event, outcomeOf(exchange, ending, clock() - exchange.at))
    }
  }
}

/** As the server defines them for this caller. */
function definitionsFor({ definitionOf }: McpNeeds, visit: Visit): InformNeeds['definitionOf'] {
  return definitionOf && ((server, tool) => definitionOf(server, tool, callerOf(visit)))
}

function checkKnown(upstream: Upstream | undefined): Upstream {
  if (upstream === undefined) throw unknownServer()
  return upstream
}
