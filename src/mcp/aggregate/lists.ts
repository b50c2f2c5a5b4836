// The lists of a view as one caller may see them: whoever could call a thing with some arguments sees it, and nobody else.
// MCP 2025-11-25 and 2026-07-28, Pagination and Caching.
import type { Policy } from '../../policy/policy.ts'
import type { Clock } from '../../protocol/clock.ts'
import type { Call, RequestFacts } from '../../protocol/decision.ts'
import { RpcError } from '../../protocol/errors.ts'
import { META_SERVER_INFO, RPC } from '../../protocol/mcp.ts'
import type { Principal } from '../../protocol/principal.ts'
import type { Caller } from '../../upstreams/caller.ts'
import { OUR_HELLO } from '../bridge/hello.ts'
import { isConnectTool } from '../connect/connect-tool.ts'
import { LIST_FORMS, type ListKind } from '../list-forms.ts'
import { throughAlias } from './alias.ts'
import { CONNECTION_NEEDED } from './catalog/catalog.ts'
import type { Known } from './catalog/slots.ts'
import { checkAnyScope } from './decide.ts'
import { type Compose, type Composed, FRESH, personKey } from './views/caller-composition.ts'
import type { Composition, Shown } from './views/composition.ts'
import type { View } from './views/view.ts'

export interface ListAsked {
  readonly view: View
  readonly caller: Caller
  readonly kind: ListKind
  readonly request: RequestFacts
  readonly cursor: unknown
}

export interface Lists {
  /** The result as JSON. Throws BearerError where no server behind the view may be listed with this token. */
  result(asked: ListAsked): Buffer | Promise<Buffer>
  /** The entries that the caller sees, and the servers whose list did not come. */
  visible(asked: Omit<ListAsked, 'cursor'>): Promise<{ entries: readonly Shown[]; unavailable: readonly Unavailable[] }>
}

export interface Unavailable {
  readonly server: string
  readonly reason: string
}

interface Needs {
  readonly compose: Compose
  readonly policy: Policy
  /** Throws BearerError `insufficient_scope`. */
  checkScopes(principal: Principal, call: Call): void
  readonly clock: Clock
  /** How long a client may keep a list, milliseconds. */
  readonly ttl: number
}

const PAGE = 1000
const MOST_KEPT = 500
const LARGEST_KEPT = 64 * 1024 * 1024
const META_UNAVAILABLE = 'portcullis/unavailable'

interface Kept {
  readonly at: number
  readonly version: string
  readonly bytes: Buffer
}

export function createLists(needs: Needs): Lists {
  const { compose, policy, clock } = needs
  const kept = createKept()

  function write(asked: ListAsked, composed: Composed): Buffer {
    const { view, caller, kind, request, cursor } = asked
    const person = personKey(caller.principal)
    const key = person && JSON.stringify([view.id, kind, request.era, request.address, cursor, person])
    const now = clock()
    const before = key === undefined ? undefined : kept.find(key)
    const { version } = composed
    if (before?.version === version && now >= before.at && now - before.at < FRESH) return before.bytes
    const bytes = Buffer.from(textOf(asked, seen(asked, composed.composition), composed.known))
    if (key !== undefined) kept.keep(key, { at: now, version, bytes })
    return bytes
  }

  function seen(
    { view, caller, kind, request }: Omit<ListAsked, 'cursor'>,
    composition: Composition,
  ): readonly Shown[] {
    const { principal } = caller
    const { method, target } = LIST_FORMS[kind]
    const open = listable({ view, caller, kind, request })
    return composition.lists[kind].filter(({ server, own, name, definition }) => {
      if (!open.has(server)) return false
      // Whoever sees the server may connect an account to it, whatever else they may do there.
      if (isConnectTool(definition)) return true
      const rules = view.virtual ? throughAlias(policy, { server: view.id, name }) : policy
      const tool = kind === 'tools' ? definition : undefined
      const thing = {
        principal,
        server,
        method,
        kind: target,
        name: own,
        tool,
        request,
      }
      return rules.couldAllow(thing).effect === 'allow'
    })
  }

  /** Servers whose lists the caller may ask for. A token that opens none of them is told what would. */
  function listable({ view, caller, kind, request }: Omit<ListAsked, 'cursor'>): ReadonlySet<string> {
    const { principal } = caller
    const { method } = LIST_FORMS[kind]
    const callTo = (server: string): Call => ({ principal, server, method, kind: 'method', name: method, request })
    const shown = view.virtual ? [view.id] : view.servers
    const visible = shown.filter((server) => policy.couldAllow(callTo(server)).effect === 'allow')
    const open = checkAnyScope(needs, visible, callTo)
    return new Set(view.virtual && open.length > 0 ? view.servers : open)
  }

  return {
    result(asked) {
      const found = compose(asked.view, asked.caller)
      return found instanceof Promise ? found.then((composed) => write(asked, composed)) : write(asked, found)
    },
    async visible(asked) {
      const { composition, known } = await compose(asked.view, asked.caller)
      return { entries: seen(asked, composition), unavailable: missing(asked, known) }
    },
  }

  function textOf(asked: ListAsked, all: readonly Shown[], known: readonly Known[]): string {
    const { kind, request, cursor } = asked
    const unavailable = missing(asked, known)
    const start = parseCursor(cursor, all.length)
    const page = all.slice(start, start + PAGE)
    const next = start + PAGE < all.length ? { nextCursor: String(start + PAGE) } : {}
    const told = unavailable.length === 0 ? {} : { [META_UNAVAILABLE]: unavailable }
    const entries = { [kind]: page.map(({ entry }) => entry) }
    if (request.era === 'legacy')
      return JSON.stringify({ ...entries, ...next, ...(unavailable.length > 0 && { _meta: told }) })
    // Once an account is connected, all is there at once.
    const ttlMs = known.some(({ failure }) => failure === CONNECTION_NEEDED) ? 0 : needs.ttl
    const caching = { ttlMs, cacheScope: 'private' }
    const meta = { [META_SERVER_INFO]: OUR_HELLO.clientInfo, ...told }
    return JSON.stringify({ resultType: 'complete', ...entries, ...next, ...caching, _meta: meta })
  }
}

function parseCursor(cursor: unknown, length: number): number {
  if (cursor === undefined) return 0
  const start = typeof cursor === 'string' && /^[1-9]\d{0,8}$/.test(cursor) ? Number(cursor) : -1
  if (start > 0 && start < length) return start
  throw new RpcError(RPC.invalidParams, 'bad_cursor', 'Invalid params: cursor', { status: 200 })
}

/** What stands behind a virtual server is not named: who uses it need not know. */
function missing({ view, kind }: Pick<ListAsked, 'view' | 'kind'>, known: readonly Known[]): readonly Unavailable[] {
  const all = unavailableOf(kind, known)
  return view.virtual ? all.slice(0, 1).map(({ reason }) => ({ server: view.id, reason })) : all
}

export function unavailableOf(kind: ListKind, known: readonly Known[]): readonly Unavailable[] {
  return known.flatMap(({ server, offer, failure }) => {
    const reason = failure ?? offer?.lists[kind].reason
    return reason === undefined ? [] : [{ server, reason }]
  })
}

/** The longest unused goes first. */
function createKept() {
  const all = new Map<string, Kept>()
  let size = 0
  const drop = (key: string): void => {
    size -= all.get(key)?.bytes.length ?? 0
    all.delete(key)
  }
  return {
    find: (key: string): Kept | undefined => all.get(key),
    keep(key: string, entry: Kept): void {
      drop(key)
      all.set(key, entry)
      size += entry.bytes.length
      for (const oldest of all.keys()) {
        if (all.size <= MOST_KEPT && size <= LARGEST_KEPT) break
        drop(oldest)
      }
    },
  }
}
