// Patterns that no value can make slow. A backtracking matcher takes exponential time where a repetition is inside a repetition, or
// where many of them may share the text among themselves; those are refused where they are written.

const MOST_REPETITIONS = 3
const ESCAPE_OR_CLASS = /\\(?:.|$)|\[(?:\\.|[^\]\\])*\]/gsu
/** A group that is repeated, by its end; `?` repeats nothing. */
const REPEATED_GROUP = /\)(?:[*+]|\{)/
/** Those that may take more or less of the text; `{8}` has no choice. */
const REPETITION = /(?:[*+?]|\{\d+,\d*\})\??/g

/** What is wrong with a pattern, in words for whoever wrote it. */
export function patternFlaw(pattern: string): string | undefined {
  if (!isRegExp(pattern)) return 'This is no regular expression.'
  // What is escaped or in brackets is one character to the matcher.
  const bare = pattern.replace(ESCAPE_OR_CLASS, 'x').replace(/\(\?(?::|<\w+>)/g, '(')
  if (/\\(?:[1-9]|k<)/u.test(pattern) || /\(\?<?[=!]/.test(bare))
    return 'Write it without back-references and look-around.'
  if (REPEATED_GROUP.test(bare)) return 'Write it without repeating a group: some values would take for ever to match.'
  const repetitions = bare.match(REPETITION)?.length ?? 0
  return repetitions > MOST_REPETITIONS ? `Write it with at most ${MOST_REPETITIONS} repetitions.` : undefined
}

function isRegExp(pattern: string): boolean {
  try {
    new RegExp(`^(?:${pattern})$`, 'u')
    return true
  } catch {
    return false
  }
}

/** Matches the whole of a text. */
export const wholeMatch = (pattern: string): RegExp => new RegExp(`^(?:${pattern})$`, 'u')
