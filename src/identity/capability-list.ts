// The claims of a signed list of capabilities, as Kuadrant writes them: JSON text inside a claim. Pure; whatever could be read in two
// ways, or names what this gate cannot hold a caller to, is no list.

import type { Claims } from '../protocol/claims.ts'
import { isRecord } from '../protocol/json.ts'
import type { Capabilities } from '../protocol/principal.ts'
import { readClaims, refuseToken } from './jwt.ts'

const KINDS = ['tools', 'prompts'] as const

const CLAIM = 'allowed-capabilities'
/** Until April 2026: tools only, without a name for their kind. */
const OLDER_CLAIM = 'allowed-tools'

/** `required`: a kind that the list does not name has nothing in it, and is not left open. Throws BearerError. */
export function capabilitiesIn(claims: Claims, required: boolean): Capabilities {
  const kinds = kindsIn(claims)
  // A list of what may be used that has nothing in it allows nothing.
  const isClosed = required || Object.keys(kinds).length === 0
  const named = KINDS.flatMap((kind) =>
    Object.hasOwn(kinds, kind) || isClosed ? [[kind, serversIn(kinds[kind])] as const] : [],
  )
  return Object.fromEntries(named)
}

function kindsIn(claims: Claims): Claims {
  const { [CLAIM]: current, [OLDER_CLAIM]: older } = claims
  if (current === undefined && older === undefined) throw refuseToken('list_missing')
  if (current !== undefined && older !== undefined) throw refuseToken('list_twice')
  const kinds = current === undefined ? { tools: readText(older) } : readText(current)
  if (Object.keys(kinds).some((kind) => !KINDS.some((known) => known === kind))) throw refuseToken('list_malformed')
  return kinds
}

function readText(text: unknown): Claims {
  const value = typeof text === 'string' ? readClaims(Buffer.from(text)) : undefined
  if (value === undefined) throw refuseToken('list_malformed')
  return value
}

/** `{ "namespace/server": ["name"] }`. Go writes an empty list as `null`. */
function serversIn(servers: unknown): ReadonlyMap<string, ReadonlySet<string>> {
  const value = servers ?? {}
  if (!isRecord(value)) throw refuseToken('list_malformed')
  return new Map(Object.entries(value).map(([server, names]) => [server, namesIn(names)]))
}

function namesIn(names: unknown): ReadonlySet<string> {
  const value = names ?? []
  if (!Array.isArray(value) || !value.every((name) => typeof name === 'string')) throw refuseToken('list_malformed')
  return new Set(value)
}
