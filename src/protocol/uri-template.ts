// URIs with variables, as rules name them: `{id}` is one segment, `{+path}` at the end is any run of characters. A part of RFC 6570
// (§3.2.2, §3.2.3) that can be matched in one pass over the text.
import type { Glob } from './glob.ts'

export interface UriTemplate extends Glob {
  /** What the variables stand for, as written in the URI; `undefined` where it does not match. */
  readonly params: (uri: string) => Readonly<Record<string, string>> | undefined
}

const VARIABLE = /\{(\+?)([A-Za-z_][A-Za-z0-9_]*)\}/
const EVERY_VARIABLE = new RegExp(VARIABLE, 'g')
/** RFC 3986 §3: these end a segment. */
const BOUNDARY = /[/?#]/

export const isTemplate = (text: string): boolean => /[{}]/.test(text)

/** What is wrong with a template, in words for whoever wrote it. */
export function templateFlaw(text: string): string | undefined {
  if (/[{}]/.test(text.replace(EVERY_VARIABLE, '')))
    return 'Write {name} for one segment of the URI, or {+name} at its end for the rest.'
  const names = [...text.matchAll(EVERY_VARIABLE)].map(([, , name]) => name)
  if (new Set(names).size < names.length) return 'Each variable of a URI has a name of its own.'
  const inner = text.replace(/(?:\{\+\w+\}|\*)$/, '')
  if (/\{\+|\*/.test(inner)) return '{+name} and * stand at the end of a URI with variables.'
  return /\}\{|\}\*/.test(text) ? 'Two variables need something between them.' : undefined
}

interface Step {
  readonly name: string
  /** What follows the variable, up to the next one. */
  readonly text: string
}

/** For a text without a flaw. */
export function compileTemplate(source: string): UriTemplate {
  const pattern = source.replace(/\*+$/, '*')
  const [head, tail] = pattern.endsWith('*') ? [pattern.slice(0, -1), '*'] : [pattern, undefined]
  const parts = head.split(EVERY_VARIABLE)
  const prefix = parts[0] ?? ''
  const steps: Step[] = []
  let rest = tail
  for (let at = 1; at < parts.length; at += 3) {
    const [plus, name = '', text = ''] = parts.slice(at, at + 3)
    if (plus === '+') rest = name
    else steps.push({ name, text })
  }
  const params = (uri: string) => readParams(uri, { prefix, steps, rest })
  return {
    pattern,
    prefix,
    literal: false,
    params,
    matches: (uri) => params(uri) !== undefined,
    // Of a pattern one segment stands for one segment only.
    covers(other) {
      const values = params(other)
      return values !== undefined && steps.every(({ name }) => !/\*|\{\+/.test(values[name] ?? ''))
    },
  }
}

function readParams(
  uri: string,
  { prefix, steps, rest }: { prefix: string; steps: readonly Step[]; rest: string | undefined },
): Readonly<Record<string, string>> | undefined {
  if (!uri.startsWith(prefix)) return undefined
  const values: [string, string][] = []
  let at = prefix.length
  for (const [index, { name, text }] of steps.entries()) {
    const end = endOf(uri, at, { text, last: rest === undefined && index === steps.length - 1 })
    if (end === undefined) return undefined
    values.push([name, uri.slice(at, end)])
    at = end + text.length
  }
  if (rest === undefined) return at === uri.length ? Object.fromEntries(values) : undefined
  return Object.fromEntries(rest === '*' ? values : [...values, [rest, uri.slice(at)]])
}

/** Where the value that begins at `at` ends: there is one place for it, or the first leaves the most room for the next. */
function endOf(uri: string, at: number, { text, last }: { text: string; last: boolean }): number | undefined {
  const boundary = uri.slice(at).search(BOUNDARY)
  const limit = boundary < 0 ? uri.length : at + boundary
  const within = text.search(BOUNDARY)
  const end = last ? uri.length - text.length : within >= 0 ? limit - within : uri.indexOf(text, at + 1)
  return end > at && end <= limit && uri.startsWith(text, end) ? end : undefined
}
