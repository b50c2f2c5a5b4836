// Names and patterns of one kind: the first rule that matches a name, found by the text before the pattern's first `*`.
import type { Glob } from '../protocol/glob.ts'
import type { Rule } from './rules.ts'

/** A rule and its place: of several that match, the first one written is the one that decided. */
export interface Ranked {
  readonly rule: Rule
  readonly rank: number
}

export interface NameIndex {
  /** Entries come in the order of their rules. */
  add(name: Glob, ranked: Ranked): void
  first(name: string): Ranked | undefined
}

export function nameIndex(): NameIndex {
  const exact = new Map<string, Ranked>()
  const byPrefix = new Map<string, { readonly name: Glob; readonly ranked: Ranked }[]>()
  let lengths: number[] = []

  function addPattern(name: Glob, ranked: Ranked): void {
    const list = byPrefix.get(name.prefix)
    if (list) list.push({ name, ranked })
    else byPrefix.set(name.prefix, [{ name, ranked }])
    if (!lengths.includes(name.prefix.length)) lengths = [...lengths, name.prefix.length].sort((a, b) => a - b)
  }

  return {
    add(name, ranked) {
      if (!name.literal) addPattern(name, ranked)
      else if (!exact.has(name.pattern)) exact.set(name.pattern, ranked)
    },
    first(name) {
      let best = exact.get(name)
      for (const length of lengths) {
        if (length > name.length) break
        const list = byPrefix.get(name.slice(0, length))
        const hit = list?.find((entry) => entry.name.matches(name))?.ranked
        best = earlier(best, hit)
      }
      return best
    },
  }
}

export function earlier(one: Ranked | undefined, other: Ranked | undefined): Ranked | undefined {
  if (one === undefined || other === undefined) return one ?? other
  return other.rank < one.rank ? other : one
}
