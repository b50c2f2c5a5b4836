// Phase 3 at a view: what the request touches, at which server, and whether it may. What nobody has answers like what is hidden.
import type { Policy } from '../../policy/policy.ts'
import type { Call } from '../../protocol/decision.ts'
import type { Denials } from '../../protocol/denials.ts'
import { BearerError, type RequestError, type RpcError } from '../../protocol/errors.ts'
import type { Revision } from '../../protocol/mcp.ts'
import type { Principal } from '../../protocol/principal.ts'
import type { Caller } from '../../upstreams/caller.ts'
import { CONNECT_TOOL, isConnectTool } from '../connect/connect-tool.ts'
import { type DecideNeeds, decideInquiry, type Verdict } from '../decide.ts'
import type { Era } from '../era.ts'
import { deniedError, hiddenError } from '../hidden.ts'
import { listOf } from '../list-forms.ts'
import { callerOf } from '../reach.ts'
import { checkRevision } from '../revision.ts'
import { isOpen, isTaskMethod, type Target } from '../target.ts'
import { checkReadArguments } from '../unambiguous.ts'
import { throughAlias } from './alias.ts'
import { type Catalog, CONNECTION_NEEDED } from './catalog/catalog.ts'
import type { Known } from './catalog/slots.ts'
import type { Compose, Composed } from './views/caller-composition.ts'
import type { Composition } from './views/composition.ts'
import type { View } from './views/view.ts'
import type { ViewVisit } from './visit.ts'

/** A thing behind a view, as its own server calls it. */
export interface Found {
  readonly server: string
  readonly name: string
  /** It is our own tool, for whoever has to connect an account first. */
  readonly connects?: boolean
}

export interface ViewVerdict extends Verdict {
  /** `undefined` where nothing, or no single server, is touched. */
  readonly found: Found | undefined
}

export interface ViewDecideNeeds {
  readonly policy: Policy
  /** Throws BearerError `insufficient_scope`. */
  checkScopes(principal: Principal, call: Call): void
  readonly denials: Denials
  minimumRevision(serverId: string): Revision | undefined
  readonly catalog: Pick<Catalog, 'definitionOf' | 'read'>
  readonly compose: Compose
  /** People connect accounts of their own there. */
  isConnectable(server: string): boolean
}

/** What the view itself answers beside the handshake and the lists, by era. */
const OWN = {
  modern: new Set(['server/discover', 'subscriptions/listen']),
  legacy: new Set(['initialize', 'ping', 'logging/setLevel']),
}
const LEGACY_ONLY = new Set(['resources/subscribe', 'resources/unsubscribe'])

/** A method of the other era is none: what a client may not say to the server, this gateway does not say for it. */
export const isOfEra = (method: string, era: Era): boolean =>
  era === 'legacy' ? !OWN.modern.has(method) : !OWN.legacy.has(method) && !LEGACY_ONLY.has(method)

/** At once, unless a server or a rule has to be asked first. */
export function decideVisit(needs: ViewDecideNeeds, visit: ViewVisit): ViewVerdict | Promise<ViewVerdict> {
  const { method, target, view, era, principal, request } = visit
  if (isOwn(visit)) {
    // Of lists each server is asked for its own scopes.
    if (listOf(method) === undefined)
      checkAnyScope(needs, view.virtual ? [view.id] : view.servers, (server) => ({
        principal,
        server,
        method,
        kind: 'method',
        name: 'ping',
        request,
      }))
    return { ...unfound(needs, target), effect: 'allow', reason: 'server_visible', listed: true }
  }
  if (target.kind === 'method' || (LEGACY_ONLY.has(method) && era === 'modern'))
    return { ...unfound(needs, { kind: 'method', name: method }), effect: 'deny', reason: 'not_offered' }
  const locating = locate(needs, visit)
  return locating instanceof Promise
    ? locating.then((found) => decideFound(needs, visit, found))
    : decideFound(needs, visit, locating)
}

const unfound = ({ policy }: ViewDecideNeeds, target: Target) => ({
  target,
  listed: false,
  policy: policy.version,
  rule: undefined,
  found: undefined,
})

function decideFound(
  needs: ViewDecideNeeds,
  visit: ViewVisit,
  found: Found | undefined,
): ViewVerdict | Promise<ViewVerdict> {
  const { principal, method, wordless, params, request } = visit
  if (found === undefined) return { ...unfound(needs, visit.target), effect: 'deny', reason: 'unknown_name' }
  // Whoever sees the server may connect an account to it, whatever else they may do there.
  if (found.connects)
    return { ...unfound(needs, visit.target), effect: 'allow', reason: CONNECTION_NEEDED, listed: true, found }
  const { server, name } = found
  const target = { kind: visit.target.kind, name }
  const rules = inquiryNeeds(needs, visit)
  try {
    checkServer(needs, visit, found)
  } catch (error) {
    // However a message is written, a name that is not shown is not told from one that is not there.
    const shown = rules.policy.couldAllow({ principal, server, method, ...target, request })
    if (shown.effect === 'allow') throw error
    return { ...unfound(needs, target), ...shown, found }
  }
  const deciding = decideInquiry(rules, { principal, server, method, wordless, params, target, request })
  return deciding instanceof Promise ? deciding.then((verdict) => ({ ...verdict, found })) : { ...deciding, found }
}

/** In the words of the place where the caller asked. */
export function viewRefusal(
  verdict: ViewVerdict,
  { target, era }: ViewVisit,
  denials: Denials,
): RpcError | RequestError {
  if (NOT_HERE.has(verdict.reason)) return hiddenError(verdict.target, era, verdict.reason)
  return deniedError({ ...verdict, target }, era, denials)
}

/** No rule has refused it: there is no such thing to refuse. */
const NOT_HERE = new Set(['not_offered', 'unknown_name'])

function isOwn(visit: ViewVisit): boolean {
  const { method, era, wordless } = visit
  if (wordless || method.startsWith('notifications/')) return isOpen(visit)
  return !isTaskMethod(method) && (listOf(method) !== undefined || OWN[era].has(method))
}

/** Whoever has the thing is waited for where its list may be another now, and nobody else: who is slow delays their own calls alone. */
function locate(needs: ViewDecideNeeds, visit: ViewVisit): Located {
  const caller = callerOf(visit)
  const hastily = needs.compose(visit.view, caller, 'haste')
  return hastily instanceof Promise
    ? hastily.then((composed) => locateIn(needs, visit, caller, composed))
    : locateIn(needs, visit, caller, hastily)
}

type Located = Found | undefined | Promise<Found | undefined>

/** At once where its server's lists are no older than they may be. */
function locateIn(needs: ViewDecideNeeds, visit: ViewVisit, caller: Caller, composed: Composed): Located {
  const found = find(visit, composed.composition)
  if (found === undefined) return locateAgain(needs, visit, needs.compose(visit.view, caller))
  const fresh = composed.hasty && needs.catalog.read([found.server], caller)
  if (!(fresh instanceof Promise)) return found
  return locateAgain(
    needs,
    visit,
    fresh.then(() => needs.compose(visit.view, caller, 'haste')),
  )
}

async function locateAgain(
  needs: ViewDecideNeeds,
  visit: ViewVisit,
  composing: Composed | Promise<Composed>,
): Promise<Found | undefined> {
  const { composition, known } = await composing
  return find(visit, composition) ?? findUnlisted(needs, visit, known)
}

function find({ target: { kind, name }, view }: ViewVisit, composition: Composition): Found | undefined {
  if (kind === 'resource') {
    const server = ownerOf(name, view, composition)
    return server === undefined ? undefined : { server, name }
  }
  const shown = composition.find(kind === 'tool' ? 'tools' : 'prompts', name)
  return shown && { server: shown.server, name: shown.own, connects: isConnectTool(shown.definition) }
}

/** A thing of a server whose lists nobody has without an account; or our own tool, called once more to see that there is one now. */
function findUnlisted(
  { isConnectable }: ViewDecideNeeds,
  { target: { kind, name }, view }: ViewVisit,
  known: readonly Known[],
): Found | undefined {
  if (kind !== 'tool' && kind !== 'prompt') return undefined
  for (const { server, failure } of known) {
    const own = isConnectable(server) ? view.ownName(server, kind === 'tool' ? 'tools' : 'prompts', name) : undefined
    const connects = kind === 'tool' && own === CONNECT_TOOL
    if (own !== undefined && (connects || failure === CONNECTION_NEEDED)) return { server, name: own, connects }
  }
  return undefined
}

/** What nobody lists goes to the only server that could have it; between two, nobody guesses. */
export function ownerOf(uri: string, view: View, composition: Composition): string | undefined {
  const listed = composition.ownerOf(uri)
  if (listed !== undefined) return listed
  const [only, second] = view.candidatesFor(uri).filter((server) => composition.hasResources(server))
  return second === undefined ? only : undefined
}

/** What the server itself asks of every call. */
function checkServer(
  { policy, minimumRevision }: ViewDecideNeeds,
  { view, incoming, head, era }: ViewVisit,
  { server }: Found,
): void {
  if (incoming !== undefined)
    for (const id of view.virtual ? [server, view.id] : [server]) checkReadArguments(policy.reads(id), incoming.body)
  const minimum = minimumRevision(server)
  if (minimum !== undefined) checkRevision(minimum, { incoming, head, era })
}

function inquiryNeeds(needs: ViewDecideNeeds, visit: ViewVisit): DecideNeeds {
  const { view, target } = visit
  const { policy, checkScopes, catalog } = needs
  const definitionOf: DecideNeeds['definitionOf'] = (server, tool) =>
    catalog.definitionOf(server, tool, callerOf(visit))
  if (!view.virtual) return { policy, checkScopes, definitionOf }
  return {
    policy: throughAlias(policy, { server: view.id, name: target.name }),
    // The token was made for the view, and its scopes speak of it.
    checkScopes: (principal, call) => checkScopes(principal, { ...call, server: view.id, name: target.name }),
    definitionOf,
  }
}

/** A token that opens none of the servers is told what would. */
export function checkAnyScope(
  { checkScopes }: Pick<ViewDecideNeeds, 'checkScopes'>,
  servers: readonly string[],
  callTo: (server: string) => Call,
): readonly string[] {
  const refusals: BearerError[] = []
  const open = servers.filter((server) => {
    const call = callTo(server)
    try {
      checkScopes(call.principal, call)
      return true
    } catch (error) {
      if (!(error instanceof BearerError)) throw error
      refusals.push(error)
      return false
    }
  })
  const [first] = refusals
  if (open.length > 0 || first === undefined) return open
  throw new BearerError(first.code, first.reason, first.message, [...new Set(refusals.flatMap(({ scopes }) => scopes))])
}
