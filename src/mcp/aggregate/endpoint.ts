// A view's own address: /mcp, or a virtual server's. The phases are those of one server's endpoint; what differs is that the third finds
// the server, and the fourth asks as many as it takes. MCP 2026-07-28 and 2025-11-25, Transports.
import type { CallEvent, RecordedCall } from '../../audit/event.ts'
import { answerDoorPreflight } from '../../http/cors.ts'
import type { Exchange } from '../../http/exchange.ts'
import { type Principal, UNPROVED } from '../../protocol/principal.ts'
import { type Admitted, admitInquiry } from '../admit.ts'
import type { McpNeeds } from '../endpoint.ts'
import { readHead } from '../headers.ts'
import { unknownServer, unseenServer } from '../hidden.ts'
import { type Incoming, parseMessage } from '../message.ts'
import { checkParamHeaders } from '../param-headers.ts'
import { callerOf } from '../reach.ts'
import { checkHttpMethod, readText } from '../reading.ts'
import {
  callEvent,
  isRefusedCredential,
  outcomeOf,
  type Recorded,
  refusal,
  refusedAfterAll,
  unread,
} from '../record.ts'
import type { Ending } from '../relay.ts'
import { decideVisit, type Found, type ViewDecideNeeds, type ViewVerdict, viewRefusal } from './decide.ts'
import type { View } from './views/view.ts'
import type { Views } from './views/views.ts'
import { checkViewVisit, type ViewVisit } from './visit.ts'

export interface ViewNeeds
  extends ViewDecideNeeds,
    Pick<McpNeeds, 'clock' | 'cors' | 'authenticate' | 'admit' | 'recorder' | 'refuse' | 'limits' | 'elsewhere'> {
  readonly views: Views
  /** Phase 4; `found` is the thing that policy allowed. */
  answer(visit: ViewVisit, found: Found | undefined): Promise<Ending>
}

export function viewEndpoint(needs: ViewNeeds): (exchange: Exchange, viewId: string) => Promise<void> {
  const { recorder, clock, views } = needs

  return async function serve(exchange, viewId) {
    let principal: Principal | undefined
    let incoming: Incoming | undefined
    let visit: ViewVisit | undefined
    let event: CallEvent | undefined
    let recorded: RecordedCall | undefined
    let ending: Ending | undefined
    let endAdmission: (() => void) | undefined
    let view: View | undefined
    try {
      // 0 Where does it come from?
      needs.cors(exchange)
      if (exchange.req.method === 'OPTIONS') return answerDoorPreflight(exchange)
      if (views.get(viewId) === undefined) throw unknownServer()
      // 1 Who is it, and which part of everything is it about?
      principal = await needs.authenticate(exchange, viewId)
      view = views.chosen(viewId, exchange.req.headers, principal)
      if (view === undefined) throw unseenServer(needs.denials)
      // 2 What does it say?
      const httpMethod = checkHttpMethod(exchange)
      const head = readHead(exchange.req.rawHeaders)
      if (httpMethod === 'POST') incoming = parseMessage(await readText(exchange, needs.limits), needs.limits)
      visit = checkViewVisit({ exchange, principal, view, httpMethod, head, incoming })
      const handed = needs.elsewhere?.({ ...visit, address: view.id, channel: false })
      if (handed !== undefined && (await handed)) return
      // 3 May it, and at which server? Recorded before a byte leaves.
      const deciding = decideVisit(needs, visit)
      const decision = deciding instanceof Promise ? await deciding : deciding
      const admitting = admitVisit(needs, visit, decision)
      const { verdict, end } = admitting instanceof Promise ? await admitting : admitting
      endAdmission = end
      const decided = callEvent(recordedAs(visit, decision.found), verdict)
      recorded = await recorder.decide(decided)
      event = decided
      if (verdict.effect === 'deny') throw viewRefusal({ ...verdict, found: decision.found }, visit, needs.denials)
      const mirrored = checkMirrored(needs, visit, decision.found)
      if (mirrored !== undefined) await mirrored
      // 4 The turn of whoever has it.
      ending = await needs.answer(visit, decision.found)
      if (ending.instead !== undefined) event = { ...event, decision: 'deny', reason: ending.instead }
    } catch (error) {
      if (event === undefined && (principal !== undefined || isRefusedCredential(error))) {
        const unknown = { exchange, principal: principal ?? UNPROVED, server: view?.id ?? viewId, incoming }
        const known = visit === undefined ? unread(unknown) : recordedAs(visit, undefined)
        const refused = callEvent(known, refusal(error))
        recorded = await recorder.decide(refused)
        event = refused
      } else if (event !== undefined) event = refusedAfterAll(event, error)
      needs.refuse(exchange, error, viewId, incoming?.id)
    } finally {
      // 5 How did it end?
      endAdmission?.()
      if (recorded !== undefined && event !== undefined)
        recorder.finish(recorded, event, outcomeOf(exchange, ending, clock() - exchange.at))
    }
  }
}

/** A limit on the virtual server and one on the server behind it both count the call, once. */
function admitVisit(
  { admit }: ViewNeeds,
  { view, principal, method, wordless, target, request }: ViewVisit,
  decision: ViewVerdict,
): Admitted | Promise<Admitted> {
  const { found } = decision
  const asked = { principal, server: view.id, method, wordless, target, request }
  if (found === undefined) return admitInquiry(admit, asked, decision)
  const home = { server: found.server, kind: target.kind, name: found.name }
  if (view.virtual) return admitInquiry(admit, asked, decision, home)
  return admitInquiry(admit, { ...asked, server: home.server, target: home }, decision)
}

/** Fields that repeat arguments are those of the server that has the tool, under its own name for it. */
function checkMirrored({ catalog }: ViewNeeds, visit: ViewVisit, found: Found | undefined): Promise<void> | undefined {
  if (found === undefined) return undefined
  const { head, target, params } = visit
  const { server, name } = found
  const definitionOf = (id: string, tool: string) => catalog.definitionOf(id, tool, callerOf(visit))
  return checkParamHeaders(definitionOf, { head, server, target: { kind: target.kind, name }, params })
}

/** Under the names of the server that does it, and the place where it was asked for. */
function recordedAs({ exchange, principal, method, era, view, target }: ViewVisit, found: Found | undefined): Recorded {
  const asked = { exchange, principal, method, era }
  if (found === undefined) return { ...asked, server: view.id, target }
  const recorded = { ...asked, server: found.server, target: { kind: target.kind, name: found.name } }
  return view.id === found.server ? recorded : { ...recorded, via: view.id }
}
