// Header fields of callers that a server gets, by the operator's list. A field names nobody unless the gate has verified it.
import type { PassthroughConfig } from '../config/forwarding.ts'
import { type IdentityAttribute, identityValue } from '../protocol/identity-headers.ts'
import { passageOf, soundsPersonal, soundsSecret, targetFlaw } from '../protocol/passage.ts'
import type { Principal } from '../protocol/principal.ts'
import type { HeadersFor } from './binding.ts'

export interface PassthroughNeeds {
  readonly list: PassthroughConfig
  /** They may take the place of what the gate sets itself. */
  readonly overwrite: boolean
  /** Further fields that say who calls, lower case: those of the proxies in front. `undefined` keeps a field here. */
  identityOf(field: string): { readonly attribute: IdentityAttribute | undefined } | undefined
  /** Begins, lower case, the fields under which this server is told who calls. */
  readonly ownPrefix: string
}

/** Set by the gate for each request, and no secret. */
const SET_HERE = new Set(['x-request-id'])
const MOST_BYTES = 4096

/** `undefined` where the list lets nothing through. */
export function passthroughFor(needs: PassthroughNeeds): HeadersFor | undefined {
  const { list } = needs
  return Array.isArray(list) ? listed(list, needs) : allBut(list.allExcept, needs)
}

type Rule = (field: string) => readonly string[] | undefined

interface Told {
  readonly to: string
  readonly attribute: IdentityAttribute
}

function listed(list: Extract<PassthroughConfig, readonly unknown[]>, needs: PassthroughNeeds): HeadersFor | undefined {
  const named = new Map<string, string[]>()
  const told: Told[] = []
  for (const entry of list) {
    const { from, to } = typeof entry === 'string' ? { from: entry, to: entry } : entry
    const [field, target] = [from.toLowerCase(), to.toLowerCase()]
    const who = attributeOf(field, needs)
    if (who !== undefined) {
      if (who.attribute !== undefined && mayTell(target, needs)) told.push({ to: target, attribute: who.attribute })
    } else if (mayPass(field, needs) && mayBeSet(from, target, needs))
      named.set(field, [...(named.get(field) ?? []), target])
  }
  if (named.size === 0 && told.length === 0) return undefined
  return passing((field) => named.get(field), told)
}

function allBut(names: readonly string[], needs: PassthroughNeeds): HeadersFor {
  const kept = new Set(names.map((name) => name.toLowerCase()))
  const passes = (field: string) =>
    !kept.has(field) &&
    !soundsSecret(field) &&
    !soundsPersonal(field) &&
    attributeOf(field, needs) === undefined &&
    mayPass(field, needs) &&
    mayBeSet(field, field, needs)
  return passing((field) => (passes(field) ? [field] : undefined), [])
}

function attributeOf(field: string, { identityOf }: PassthroughNeeds) {
  const passage = passageOf(field)
  if (passage.kind === 'never') return undefined
  return passage.kind === 'identity' ? passage : identityOf(field)
}

const mayPass = (field: string, { ownPrefix }: PassthroughNeeds): boolean =>
  passageOf(field).kind === 'passes' && !field.startsWith(ownPrefix)

const mayBeSet = (from: string, to: string, needs: PassthroughNeeds): boolean =>
  targetFlaw(from, to) === undefined &&
  needs.identityOf(to) === undefined &&
  !to.startsWith(needs.ownPrefix) &&
  mayReplace(to, needs)

/** A name that says who calls may carry what was verified. */
const mayTell = (to: string, needs: PassthroughNeeds): boolean =>
  passageOf(to).kind !== 'never' && !isProof(needs.identityOf(to)) && mayReplace(to, needs)

const isProof = (who: ReturnType<PassthroughNeeds['identityOf']>): boolean =>
  who !== undefined && who.attribute === undefined

const mayReplace = (to: string, { overwrite }: PassthroughNeeds): boolean => overwrite || !SET_HERE.has(to)

/** What the rule lets through of one request, under the names it gives. */
function passing(rule: Rule, told: readonly Told[]): HeadersFor {
  return ({ principal, rawHeaders }) => {
    const found = read(rawHeaders, rule)
    if (found === undefined && told.length === 0) return undefined
    const headers = verified(principal, told)
    for (const [field, value] of found ?? []) {
      const cleaned = value === undefined ? '' : clean(value)
      if (cleaned !== '') for (const to of rule(field) ?? []) headers[to] ??= cleaned
    }
    return headers
  }
}

function verified(principal: Principal, told: readonly Told[]): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const { to, attribute } of told) {
    const value = identityValue(principal, attribute)
    if (value !== undefined && value !== '') headers[to] = value
  }
  return headers
}

/** By lower-case name; `undefined` for what came twice, and nothing at all for what concerns the connection (RFC 9110 §7.6.1). */
function read(rawHeaders: readonly string[], rule: Rule): Map<string, string | undefined> | undefined {
  let found: Map<string, string | undefined> | undefined
  let ofConnection: string | undefined
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const field = (rawHeaders[at] ?? '').toLowerCase()
    const value = rawHeaders[at + 1] ?? ''
    if (field === 'connection') ofConnection = ofConnection === undefined ? value : `${ofConnection},${value}`
    else if (rule(field) !== undefined) {
      found ??= new Map()
      // RFC 9110 §5.3: only a list may come in several lines, and which fields are lists nobody knows here. One reader would take the
      // first, another the last.
      found.set(field, found.has(field) ? undefined : value)
    }
  }
  if (found !== undefined && ofConnection !== undefined)
    for (const name of ofConnection.split(',')) found.delete(name.trim().toLowerCase())
  return found
}

/** RFC 9110 §5.5: without control characters, those of Latin-1 included, and white space around it. */
const clean = (value: string): string =>
  value
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out.
    .replace(/[\x00-\x1f\x7f-\x9f]/g, '')
    .trim()
    .slice(0, MOST_BYTES)
    .trim()
