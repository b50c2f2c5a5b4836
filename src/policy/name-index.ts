// Names and patterns of one kind: the rules that match a name, found by the text before the pattern's first `*`.
import type { Glob } from '../protocol/glob.ts'
import type { Rule } from './rules.ts'
import type { Target } from './target.ts'

/** A rule, its place, and what of it matched: of several that match, the first one written is the one that decided. */
export interface Ranked {
  readonly rule: Rule
  readonly rank: number
  readonly target: Target
}

export interface NameIndex {
  /** Entries come in the order of their rules. */
  add(name: Glob, ranked: Ranked): void
  first(name: string): Ranked | undefined
  /** The first that matches whatever the pattern does. */
  covering(pattern: string): Ranked | undefined
  /** All that match, added to `found`; their order is not that of the rules. */
  collect(name: string, found: Ranked[]): void
}

interface Entry {
  readonly name: Glob
  readonly ranked: Ranked
}

export function nameIndex(): NameIndex {
  const exact = new Map<string, Ranked[]>()
  const byPrefix = new Map<string, Entry[]>()
  let lengths: number[] = []

  function addPattern(name: Glob, ranked: Ranked): void {
    append(byPrefix, name.prefix, { name, ranked })
    if (!lengths.includes(name.prefix.length)) lengths = [...lengths, name.prefix.length].sort((a, b) => a - b)
  }

  function firstWhere(name: string, fits: (entry: Entry) => boolean): Ranked | undefined {
    let best = exact.get(name)?.[0]
    for (const length of lengths) {
      if (length > name.length) break
      const list = byPrefix.get(name.slice(0, length))
      best = earlier(best, list?.find(fits)?.ranked)
    }
    return best
  }

  return {
    add(name, ranked) {
      if (name.literal) append(exact, name.pattern, ranked)
      else addPattern(name, ranked)
    },
    first: (name) => firstWhere(name, (entry) => entry.name.matches(name)),
    covering: (pattern) => firstWhere(pattern, (entry) => entry.name.covers(pattern)),
    collect(name, found) {
      found.push(...(exact.get(name) ?? []))
      for (const length of lengths) {
        if (length > name.length) break
        for (const entry of byPrefix.get(name.slice(0, length)) ?? [])
          if (entry.name.matches(name)) found.push(entry.ranked)
      }
    },
  }
}

function append<Value>(lists: Map<string, Value[]>, key: string, value: Value): void {
  const list = lists.get(key)
  if (list) list.push(value)
  else lists.set(key, [value])
}

export function earlier(one: Ranked | undefined, other: Ranked | undefined): Ranked | undefined {
  if (one === undefined || other === undefined) return one ?? other
  return other.rank < one.rank ? other : one
}
