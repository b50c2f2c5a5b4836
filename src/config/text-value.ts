// A setting's value given as text (a variable, a flag, `${VAR}` in a file), read the way its schema asks for.
import { bare, kindOf, type Path, schemasAt } from './settings.ts'

export type TextValue = { readonly value: unknown } | { readonly problem: string }

const WORDS = new Map([
  ...['true', '1', 'yes', 'on'].map((word) => [word, true] as const),
  ...['false', '0', 'no', 'off'].map((word) => [word, false] as const),
])

/** Comma list, or JSON; blanks around an item do not count. */
export function readList(text: string): TextValue {
  if (/^\s*[[{]/.test(text)) return readJson(text)
  return {
    value: text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== ''),
  }
}

export const readBoolean = (text: string): boolean | undefined => WORDS.get(text.trim().toLowerCase())

function readJson(text: string): TextValue {
  try {
    return { value: JSON.parse(text) }
  } catch {
    // The parser's own message would quote the text, which may be a secret.
    return { problem: 'This is not valid JSON.' }
  }
}

/** What the schema at `path` makes of the text; text that does not fit stays text, and the schema refuses it with its own words. */
export function readTextValue(path: Path, text: string): TextValue {
  const [schema] = schemasAt(path)
  if (schema === undefined) return { value: text }
  switch (kindOf(bare(schema))) {
    case 'boolean':
      return { value: readBoolean(text) ?? text }
    case 'number':
      return { value: /^-?\d+(?:\.\d+)?$/.test(text.trim()) ? Number(text) : text }
    case 'list':
      return readList(text)
    case 'json':
      return readJson(text)
    default:
      return { value: text }
  }
}
