// The lists of a view as one caller may see them: whoever could call a thing with some arguments sees it, and nobody else.
// MCP 2025-11-25 and 2026-07-28, Pagination and Caching.
import type { Policy } from '../../policy/policy.ts'
import type { Clock } from '../../protocol/clock.ts'
import type { Call, RequestFacts } from '../../protocol/decision.ts'
import { RpcError } from '../../protocol/errors.ts'
import { META_SERVER_INFO, RPC } from '../../protocol/mcp.ts'
import type { Principal } from '../../protocol/principal.ts'
import type { Catalog, Known } from './catalog.ts'
import { type Composition, policyKind, type Shown } from './compose.ts'
import { checkAnyScope } from './decision.ts'
import { throughAlias } from './judgement.ts'
import type { LeftOut } from './names.ts'
import { LIST_FORMS, type ListKind } from './offer.ts'
import type { View } from './view.ts'

export interface ListAsked {
  readonly view: View
  readonly principal: Principal
  readonly kind: ListKind
  readonly request: RequestFacts
  readonly cursor: unknown
}

export interface Lists {
  /** JSON text of the result. Throws BearerError where no server behind the view may be listed with this token. */
  resultText(asked: ListAsked): string | Promise<string>
  /** Everything that the view has, whoever asks. */
  compositionOf(view: View): Composition | Promise<Composition>
  /** What the caller sees of it. */
  visible(asked: Omit<ListAsked, 'cursor'>): readonly Shown[] | Promise<readonly Shown[]>
}

interface Needs {
  readonly catalog: Pick<Catalog, 'read'>
  readonly policy: Policy
  /** Throws BearerError `insufficient_scope`. */
  checkScopes(principal: Principal, call: Call): void
  readonly clock: Clock
  /** How long a client may keep a list, milliseconds. */
  readonly ttl: number
  readonly onLeftOut: (view: View, leftOut: readonly LeftOut[]) => void
}

const PAGE = 1000
/** What is kept of a caller's lists is asked for again after so long: conditions may read the time. */
const FRESH = 1000
const MOST_KEPT = 500
const LARGEST_KEPT = 64 * 1024 * 1024
export const META_UNAVAILABLE = 'portcullis/unavailable'
const SERVER_INFO = { name: 'portcullis', version: '1' }

interface Kept {
  readonly at: number
  readonly versions: string
  readonly text: string
}

interface Made {
  readonly versions: string
  readonly composition: Composition
  readonly known: readonly Known[]
}

export function createLists(needs: Needs): Lists {
  const { catalog, policy, clock } = needs
  const made = new Map<string, Made>()
  const kept = createKept()

  const make = (view: View, known: readonly Known[]): Made => {
    const versions = known.map(({ version }) => version).join()
    const held = made.get(view.id)
    if (held?.versions === versions) return held
    const fresh = { versions, composition: view.compose(known), known }
    made.set(view.id, fresh)
    if (fresh.composition.leftOut.length > 0) needs.onLeftOut(view, fresh.composition.leftOut)
    return fresh
  }
  const read = (view: View): Made | Promise<Made> => {
    const known = catalog.read(view.servers)
    return known instanceof Promise ? known.then((all) => make(view, all)) : make(view, known)
  }

  function write(asked: ListAsked, { versions, composition, known }: Made): string {
    const { principal } = asked
    // What a proxy signed for one request is not asked for twice.
    const key = principal.capabilities === undefined ? keyOf(asked) : undefined
    const now = clock()
    const before = key === undefined ? undefined : kept.find(key)
    if (before?.versions === versions && now >= before.at && now - before.at < FRESH) return before.text
    const text = textOf(asked, seen(asked, composition), unavailable(asked, known))
    if (key !== undefined) kept.keep(key, { at: now, versions, text })
    return text
  }

  function seen(
    { view, principal, kind, request }: Omit<ListAsked, 'cursor'>,
    composition: Composition,
  ): readonly Shown[] {
    const open = listable({ view, principal, kind, request })
    return composition.lists[kind].filter(({ server, own, name, definition }) => {
      if (!open.has(server)) return false
      const rules = view.virtual ? throughAlias(policy, { server: view.id, name }) : policy
      const tool = kind === 'tools' ? definition : undefined
      const thing = {
        principal,
        server,
        method: LIST_FORMS[kind].method,
        kind: policyKind(kind),
        name: own,
        tool,
        request,
      }
      return rules.couldAllow(thing).effect === 'allow'
    })
  }

  /** Servers whose lists the caller may ask for. A token that opens none of them is told what would. */
  function listable({ view, principal, kind, request }: Omit<ListAsked, 'cursor'>): ReadonlySet<string> {
    const { method } = LIST_FORMS[kind]
    const callTo = (server: string): Call => ({ principal, server, method, kind: 'method', name: method, request })
    const shown = view.virtual ? [view.id] : view.servers
    const visible = shown.filter((server) => policy.couldAllow(callTo(server)).effect === 'allow')
    const open = checkAnyScope(needs, visible, callTo)
    return new Set(view.virtual && open.length > 0 ? view.servers : open)
  }

  /** Told only of servers that the caller sees. */
  function unavailable({ view, principal, kind }: ListAsked, known: readonly Known[]): readonly object[] {
    return known.flatMap(({ server, offer, failure }) => {
      const reason = failure ?? offer?.lists[kind].reason
      if (reason === undefined || (!view.virtual && policy.view(principal, server) === 'none')) return []
      return [{ server, reason }]
    })
  }

  return {
    resultText(asked) {
      const found = read(asked.view)
      return found instanceof Promise ? found.then((all) => write(asked, all)) : write(asked, found)
    },
    compositionOf(view) {
      const found = read(view)
      return found instanceof Promise ? found.then(({ composition }) => composition) : found.composition
    },
    visible(asked) {
      const found = read(asked.view)
      return found instanceof Promise
        ? found.then(({ composition }) => seen(asked, composition))
        : seen(asked, found.composition)
    },
  }

  function textOf({ kind, request, cursor }: ListAsked, all: readonly Shown[], missing: readonly object[]): string {
    const start = parseCursor(cursor, all.length)
    const page = all.slice(start, start + PAGE)
    const next = start + PAGE < all.length ? { nextCursor: String(start + PAGE) } : {}
    const told = missing.length === 0 ? {} : { [META_UNAVAILABLE]: missing }
    const entries = { [kind]: page.map(({ entry }) => entry) }
    if (request.era === 'legacy')
      return JSON.stringify({ ...entries, ...next, ...(missing.length > 0 && { _meta: told }) })
    const caching = { ttlMs: needs.ttl, cacheScope: 'private' }
    const meta = { [META_SERVER_INFO]: SERVER_INFO, ...told }
    return JSON.stringify({ resultType: 'complete', ...entries, ...next, ...caching, _meta: meta })
  }
}

function parseCursor(cursor: unknown, length: number): number {
  if (cursor === undefined) return 0
  const start = typeof cursor === 'string' && /^[1-9]\d{0,8}$/.test(cursor) ? Number(cursor) : -1
  if (start > 0 && start < length) return start
  throw new RpcError(RPC.invalidParams, 'bad_cursor', 'Invalid params: cursor', { status: 200 })
}

/** All that a judgement without arguments can depend on. */
function keyOf({ view, principal, kind, request, cursor }: ListAsked): string {
  const { subject, identity, issuer, email, client, method, tokenId, kind: who } = principal
  const { groups, roles, teams, scopes, scopeRule, reach, claims, name } = principal
  const person = [subject, identity, issuer, email, name, client, method, tokenId, who, groups, roles, teams]
  return JSON.stringify([view.id, kind, request.era, request.address, cursor, person, scopes, scopeRule, reach, claims])
}

/** The longest unused goes first. */
function createKept() {
  const all = new Map<string, Kept>()
  let size = 0
  const drop = (key: string): void => {
    size -= all.get(key)?.text.length ?? 0
    all.delete(key)
  }
  return {
    find: (key: string): Kept | undefined => all.get(key),
    keep(key: string, entry: Kept): void {
      drop(key)
      all.set(key, entry)
      size += entry.text.length
      for (const oldest of all.keys()) {
        if (all.size <= MOST_KEPT && size <= LARGEST_KEPT) break
        drop(oldest)
      }
    },
  }
}
