// What a view has for one caller: the things of the servers that the caller sees. A server that is hidden from them is not asked, does
// not keep them waiting, and takes no name away.
import type { Policy } from '../../../policy/policy.ts'
import type { Clock } from '../../../protocol/clock.ts'
import type { Denials } from '../../../protocol/denials.ts'
import type { Principal } from '../../../protocol/principal.ts'
import type { Caller } from '../../../upstreams/caller.ts'
import type { Catalog } from '../catalog/catalog.ts'
import type { Known } from '../catalog/slots.ts'
import type { Composition } from './composition.ts'
import type { LeftOut } from './names.ts'
import type { View } from './view.ts'

export interface Composed {
  /** Changes with anything that it is made of. */
  readonly version: string
  /** One for each server, in the order of the view. */
  readonly known: readonly Known[]
  readonly composition: Composition
  /** Made in haste, where a server's lists may be others by now. */
  readonly hasty?: true
}

/** `haste`: made of lists that may have been others for a moment, rather than waiting for the servers that have them. */
export type Compose = (view: View, caller: Caller, haste?: 'haste') => Composed | Promise<Composed>

export interface ComposeNeeds {
  readonly catalog: Pick<Catalog, 'read' | 'known' | 'changes'>
  readonly policy: Pick<Policy, 'view'>
  readonly denials: Denials
  readonly clock: Clock
  readonly onLeftOut: (view: View, leftOut: readonly LeftOut[]) => void
}

/** What a principal was shown last. Held weakly: what is one person's alone is kept once, and no longer than there. */
interface Shown {
  readonly view: View
  readonly servers: readonly string[]
  readonly composed: WeakRef<Composed>
  readonly at: number
}

/** So long what a caller sees is believed, milliseconds: rules may read the time. */
export const FRESH = 1000
const MOST_MADE = 500
const MOST_CALLERS = 10_000

export function createCompose({ catalog, policy, denials, clock, onLeftOut }: ComposeNeeds): Compose {
  const made = new Map<string, Composed>()
  const seen = new Map<string, { composed: Composed; at: number; changes: number }>()

  function make(view: View, servers: readonly string[], known: readonly Known[]): Composed {
    // Of servers that list for each person apart there is one for each of them.
    const contexts = known.flatMap(({ context }) => context ?? [])
    const place = JSON.stringify([view.id, servers, contexts])
    const version = `${place} ${known.map((each) => each.version).join()}`
    const held = made.get(place)
    if (held?.version === version) return held
    const fresh = { version, known, composition: view.compose(known) }
    keep(made, place, fresh, MOST_MADE)
    if (fresh.composition.leftOut.length > 0) onLeftOut(view, fresh.composition.leftOut)
    return fresh
  }

  const seenBy = (view: View, principal: Principal): readonly string[] =>
    // Who is refused by name must have the name: there the servers are no secret.
    view.virtual || denials === 'explicit'
      ? view.servers
      : view.servers.filter((server) => policy.view(principal, server) !== 'none')

  const last = new WeakMap<Principal, Shown>()

  /** Where lists are one person's alone. They may have become others, or those of another account of theirs: looked at each time. */
  function shownBefore(view: View, caller: Caller, now: number): Composed | undefined {
    const shown = last.get(caller.principal)
    if (shown?.view !== view || now < shown.at || now - shown.at >= FRESH) return undefined
    const composed = shown.composed.deref()
    if (composed === undefined) return undefined
    const known = catalog.read(shown.servers, caller)
    return !(known instanceof Promise) && known.every((one, at) => one === composed.known[at]) ? composed : undefined
  }

  return (view, caller, haste) => {
    const { principal } = caller
    const at = clock()
    const before = shownBefore(view, caller, at)
    if (before !== undefined) return before
    const person = personKey(principal)
    const key = person && `${view.id} ${person}`
    const held = key === undefined ? undefined : seen.get(key)
    if (held !== undefined && at >= held.at && at - held.at < FRESH && held.changes === catalog.changes())
      return held.composed
    const servers = seenBy(view, principal)
    const found = (known: readonly Known[]): Composed => {
      const composed = make(view, servers, known)
      if (key === undefined) return composed
      if (isShared(known)) keep(seen, key, { composed, at, changes: catalog.changes() }, MOST_CALLERS)
      else last.set(principal, { view, servers, composed: new WeakRef(composed), at })
      return composed
    }
    const known = catalog.read(servers, caller)
    if (!(known instanceof Promise)) return found(known)
    const now = catalog.known(servers, caller)
    if (haste === undefined || now.some(({ version }) => version === 0)) return known.then(found)
    return { ...make(view, servers, now), hasty: true }
  }
}

const isShared = (known: readonly Known[]): boolean => known.every(({ context }) => context === undefined)

/** The longest unused goes first. */
function keep<T>(all: Map<string, T>, key: string, entry: T, most: number): void {
  all.delete(key)
  all.set(key, entry)
  if (all.size <= most) return
  const [oldest] = all.keys()
  if (oldest !== undefined) all.delete(oldest)
}

const keys = new WeakMap<Principal, string>()

/** All of a caller that rules can read; `undefined` for what was signed for one request, and is not met again. */
export function personKey(principal: Principal): string | undefined {
  if (principal.capabilities !== undefined) return undefined
  const known = keys.get(principal)
  if (known !== undefined) return known
  const key = writeKey(principal)
  keys.set(principal, key)
  return key
}

function writeKey(principal: Principal): string {
  const { subject, identity, issuer, email, name, client, method, tokenId, kind } = principal
  const { groups, roles, teams, scopes, scopeRule, reach, claims } = principal
  const person = [subject, identity, issuer, email, name, client, method, tokenId, kind]
  return JSON.stringify([person, groups, roles, teams, scopes, scopeRule, reach, claims])
}
