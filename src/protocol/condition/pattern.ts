// Patterns of `matches`: RE2, linear in the text (CWE-1333), compiled once where the rule is read.
import { RE2JS } from '@bufbuild/re2'
import { spend } from './meter.ts'

const LONGEST = 256
/** Instructions of the compiled pattern; `a{1000}` is a thousand. */
const MOST_STEPS = 200
/** The matcher keeps what it learnt of texts, about a kilobyte a character; it forgets after so many. */
const REMEMBERED = 1000

export interface Pattern {
  test(text: string): boolean
}

/** By their text: patterns come from the rules alone. */
const known = new Map<string, Pattern>()

/** Throws for a pattern that no rule was checked with. */
export function knownPattern(source: string): Pattern {
  const pattern = known.get(source)
  if (pattern === undefined) throw new TypeError('a pattern is checked with its condition')
  return pattern
}

/** What is wrong with a pattern, in words for whoever wrote it; one without a flaw is known from then on. */
export function patternFlaw(source: string): string | undefined {
  const pattern = known.get(source) ?? patternOf(source)
  if (typeof pattern === 'string') return pattern
  known.set(source, pattern)
  return undefined
}

function patternOf(source: string): Pattern | string {
  if (source.length > LONGEST) return `A pattern has at most ${LONGEST} characters.`
  const compiled = compilePattern(source)
  if (compiled === undefined) return 'This is no regular expression of RE2.'
  const steps = compiled.re2().prog.inst.length
  if (steps > MOST_STEPS) return 'The pattern is too large: write it with smaller repetitions.'
  let learnt = 0
  return {
    test(text) {
      spend(1 + (text.length * (steps + 10)) / 6)
      learnt += text.length
      if (learnt > REMEMBERED) {
        compiled.reset()
        learnt = text.length
      }
      return compiled.test(text)
    },
  }
}

function compilePattern(source: string): RE2JS | undefined {
  try {
    return RE2JS.compile(source)
  } catch {
    return undefined
  }
}
