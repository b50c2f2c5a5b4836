// What a caller was known by when a decision was made, as the record keeps it: bounded, and it says where it is not all there was.
import type { Principal } from '../protocol/principal.ts'

/** A list that is not there was empty. */
export interface KeptAttributes {
  readonly groups?: readonly string[]
  readonly roles?: readonly string[]
  readonly teams?: readonly string[]
  /** Those that rules read, which are the only ones that are kept of a caller at all. */
  readonly claims?: Readonly<Record<string, unknown>>
  /** Of these there was more than is kept: what is missing among them may have been there. */
  readonly partly?: readonly AttributeKind[]
}

export type AttributeKind = 'groups' | 'roles' | 'teams' | 'claims'

const MOST_NAMES = 32
const MOST_BYTES = 512
const LONGEST_NAME = 128

/** By the principal itself: a token in use brings the same one with every call. */
const known = new WeakMap<Principal, KeptAttributes>()

export function keptAttributes(principal: Principal): KeptAttributes {
  const before = known.get(principal)
  if (before !== undefined) return before
  const kept = keep(principal)
  known.set(principal, kept)
  return kept
}

function keep(principal: Principal): KeptAttributes {
  const kept: { -readonly [Key in keyof KeptAttributes]: KeptAttributes[Key] } = {}
  const partly: AttributeKind[] = []
  for (const kind of ['roles', 'groups', 'teams'] as const) {
    const names = principal[kind]
    const fitting = fitNames(names)
    if (fitting.length > 0) kept[kind] = fitting
    if (fitting.length < names.length) partly.push(kind)
  }
  const claims = Object.entries(principal.claims ?? {})
  const fitting = fitClaims(claims)
  if (fitting.length > 0) kept.claims = Object.fromEntries(fitting)
  if (fitting.length < claims.length) partly.push('claims')
  if (partly.length > 0) kept.partly = partly
  return kept
}

function fitNames(names: readonly string[]): readonly string[] {
  const kept: string[] = []
  let bytes = 0
  for (const name of names) {
    bytes += Buffer.byteLength(name)
    if (kept.length === MOST_NAMES || bytes > MOST_BYTES || name.length > LONGEST_NAME) break
    kept.push(name)
  }
  return kept
}

/** Whole claims: half of one would say something else. */
function fitClaims(claims: readonly [string, unknown][]): readonly [string, unknown][] {
  let bytes = 0
  return claims.filter(([name, value]) => {
    const size = Buffer.byteLength(name) + Buffer.byteLength(JSON.stringify(value) ?? '')
    if (bytes + size > MOST_BYTES) return false
    bytes += size
    return true
  })
}
