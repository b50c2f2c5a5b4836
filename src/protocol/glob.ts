// Patterns of rules and scopes: `*` stands for any run of characters, everything else for itself. No regular expressions:
// a pattern costs one pass over the text, whatever the text is (CWE-1333).

export interface Glob {
  readonly pattern: string
  /** What stands before the first `*`; the whole pattern when there is none. */
  readonly prefix: string
  readonly literal: boolean
  readonly matches: (text: string) => boolean
  /** Whatever another pattern matches, this one matches too. */
  readonly covers: (pattern: string) => boolean
}

export function compileGlob(source: string): Glob {
  const pattern = source.replace(/\*+/g, '*')
  const [prefix = '', ...rest] = pattern.split('*')
  const suffix = rest.pop()
  if (suffix === undefined) {
    const is = (text: string) => text === pattern
    return { pattern, prefix, literal: true, matches: is, covers: is }
  }
  const shortest = pattern.length - rest.length - 1
  const matches = (text: string): boolean => {
    if (text.length < shortest || !text.startsWith(prefix) || !text.endsWith(suffix)) return false
    const end = text.length - suffix.length
    let at = prefix.length
    // The leftmost place of each piece leaves the most room for the next, so that nothing is ever tried twice.
    for (const piece of rest) {
      const found = text.indexOf(piece, at)
      if (found < 0 || found + piece.length > end) return false
      at = found + piece.length
    }
    return true
  }
  // A pattern that matches another, stars and all, matches whatever that one does.
  return { pattern, prefix, literal: false, matches, covers: matches }
}
