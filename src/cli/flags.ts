// Go-style flags of other systems (`-port=11000`, `-oauthDomain x`), taken out of the words before the command parser reads them.
import { OperatorError } from '../protocol/errors.ts'

export interface Translated {
  /** What our own parser is to read. */
  readonly rest: readonly string[]
  /** Flag without dash → value. */
  readonly seeds: Readonly<Record<string, string>>
}

const FLAG = /^--?([A-Za-z][A-Za-z0-9-]*)(?:=([\s\S]*))?$/

export function translateFlags(
  words: readonly string[],
  known: ReadonlyMap<string, { readonly bool?: true }>,
): Translated {
  const rest: string[] = []
  const seeds: Record<string, string> = {}
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? ''
    if (word === '--') return { rest: [...rest, ...words.slice(at)], seeds }
    const [, name = '', inline] = FLAG.exec(word) ?? []
    const row = known.get(name)
    if (row === undefined) {
      rest.push(word)
      continue
    }
    // As Go's flag package: a boolean takes a value only after `=`, any other takes the next word.
    const value = inline ?? (row.bool ? 'true' : words[++at])
    if (value === undefined) throw new OperatorError(`${word} needs a value.`)
    if (seeds[name] !== undefined && seeds[name] !== value)
      throw new OperatorError(`-${name} is given twice, with different values.`)
    seeds[name] = value
  }
  return { rest, seeds }
}
