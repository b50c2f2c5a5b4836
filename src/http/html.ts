// HTML by tagged template: every value is escaped unless it is markup made here. No raw insertion is offered.

/** Markup that this file made. */
export interface Html {
  readonly markup: string
}

type Value = Html | string | number | readonly Html[] | false | undefined

const MADE = new WeakSet<Html>()

export function html(parts: TemplateStringsArray, ...values: readonly Value[]): Html {
  const markup = parts.reduce((text, part, at) => text + markupOf(values[at - 1]) + part)
  const made: Html = Object.freeze({ markup })
  MADE.add(made)
  return made
}

function markupOf(value: Value): string {
  if (value === undefined || value === false) return ''
  if (typeof value === 'number') return String(value)
  if (typeof value === 'string') return escapeHtml(value)
  if (isList(value)) return value.map(markupOf).join('')
  // An object that only looks like markup, out of somebody's JSON, is not.
  if (!MADE.has(value)) throw new TypeError('Markup is made by the html template only.')
  return value.markup
}

const isList = (value: Html | readonly Html[]): value is readonly Html[] => Array.isArray(value)

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Safe as text and in an attribute with quotes; those are the only two places where the pages put values. */
const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (mark) => ENTITIES[mark] ?? '')

/**
 * Text of a stranger (a client's name, a provider's error) made harmless to read: no control, direction or invisible characters, no
 * towers of accents, one line, cut to `most` characters. Escaping is still the template's work.
 */
export function shown(text: string, most = 80): string {
  const clean = text
    .normalize('NFC')
    .replace(/[\s\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Cs}\p{Default_Ignorable_Code_Point}\u2800\ufffc]+/gu, ' ')
    .replace(/(\p{M}{2})\p{M}+/gu, '$1')
    .trim()
  const characters = [...clean]
  return characters.length > most ? `${characters.slice(0, most - 1).join('')}…` : clean
}
