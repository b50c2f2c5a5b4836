// Claims that conditions of rules may read (`identity.claims`), kept as whoever vouches for the caller wrote them. Pure; every value is
// hostile text.

import { type Claims, claimAt } from '../protocol/claims.ts'
import { isRecord } from '../protocol/json.ts'
import { ClaimError, isPlainText, stringsAt } from './claims.ts'

const LARGEST = 16 * 1024
const DEEPEST = 8

/** What is kept. */
export interface KeptPaths {
  readonly claims: readonly string[]
  /** Kept under that name, wherever it is. */
  readonly organisation: string | undefined
}

/**
 * Each from the first source that has it, at its own place, so that `a.b` is read as it was written. Throws ClaimError for what cannot be
 * kept whole: a claim that silently went missing would open what a deny rule closes.
 */
export function keepClaims(sources: readonly Claims[], { claims, organisation }: KeptPaths): Claims | undefined {
  let kept: Claims | undefined
  for (const path of claims) {
    const holder = holderOf(sources, path)
    if (holder === undefined) continue
    const value = claimAt(holder, path)
    if (!isKeepable(value, 1)) throw new ClaimError(path)
    kept = withValue(kept ?? {}, Object.hasOwn(holder, path) ? [path] : path.split('.'), value)
  }
  const holder = organisation === undefined ? undefined : holderOf(sources, organisation)
  if (organisation !== undefined && holder !== undefined) {
    const [first, ...others] = stringsAt(holder, organisation)
    if (first !== undefined) kept = { ...kept, organisation: others.length === 0 ? first : [first, ...others] }
  }
  if (kept !== undefined && Buffer.byteLength(JSON.stringify(kept)) > LARGEST) throw new ClaimError(claims.join(', '))
  return kept
}

const holderOf = (sources: readonly Claims[], path: string): Claims | undefined =>
  sources.find((claims) => claimAt(claims, path) !== undefined)

/** Texts of letters alone: one that is cleaned would be another one, and might equal what a rule asks for. */
function isKeepable(value: unknown, depth: number): boolean {
  if (typeof value === 'string') return isPlainText(value)
  if (typeof value !== 'object' || value === null) return true
  if (depth > DEEPEST) return false
  return Object.entries(value).every(([name, member]) => isPlainText(name) && isKeepable(member, depth + 1))
}

/** Own properties only, whatever they are called. */
function withValue(tree: Claims, [step = '', ...steps]: readonly string[], value: unknown): Claims {
  const below = Object.hasOwn(tree, step) ? tree[step] : undefined
  return { ...tree, [step]: steps.length === 0 ? value : withValue(isRecord(below) ? below : {}, steps, value) }
}
