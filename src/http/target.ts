// The request target, RFC 9112 §3.2: decided on exactly as received, so that what is authorised is what is served.
import { RequestError } from '../protocol/errors.ts'

const LONGEST = 8192
/** Encoded separators, dots and NUL: a later reader might decode them into another path. */
const ENCODED_SEPARATOR = /%(?:2f|5c|2e|00|25)/i
const DOT_SEGMENT = /(?:^|\/)\.{1,2}(?:\/|$)/
const PLAIN = /^\/[\x21\x23-\x5b\x5d-\x7e]*$/
/** What most targets are: nothing in it could be read in two ways. */
const WORDS = /^(?:\/[A-Za-z0-9_-]+)+$/

/** Splits an origin-form target; every other form and every ambiguous spelling is 400. */
export function parseTarget(raw: string): { path: string; query: string } {
  if (raw.length > LONGEST) throw new RequestError(414, 'target_too_long', 'The request target is too long.')
  if (WORDS.test(raw)) return { path: raw, query: '' }
  const mark = raw.indexOf('?')
  const path = mark === -1 ? raw : raw.slice(0, mark)
  const query = mark === -1 ? '' : raw.slice(mark + 1)
  // RFC 9112 §3.2.2: absolute-form is for proxies, and its host could differ from the Host header; `#` is never sent.
  if (!PLAIN.test(raw) || raw.includes('#')) throw invalidTarget()
  if (path.includes('//') || DOT_SEGMENT.test(path) || ENCODED_SEPARATOR.test(path)) throw invalidTarget()
  return { path, query }
}

const invalidTarget = () => new RequestError(400, 'bad_target', 'The request target is not a plain path.')
