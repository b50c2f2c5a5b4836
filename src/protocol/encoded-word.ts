// Text beyond ASCII in a header value: RFC 2047, as proxies write it (Tailscale). Pure, and for showing only.
import { isUtf8 } from 'node:buffer'

/** §2: character set, encoding, text; the first alone knows its end. */
const WORD = /=\?([^?\s]{1,40})\?([QqBb])\?([^?\s]*)\?=/g
/** §6.2: what stands between two words is not of the text. */
const BETWEEN = /(\?=)\s+(?==\?[^?\s]{1,40}\?[QqBb]\?[^?\s]*\?=)/g

/** Words that cannot be read stay as they are written. */
export function decodeEncodedWords(value: string): string {
  if (!value.includes('=?')) return value
  return value
    .replace(BETWEEN, '$1')
    .replace(
      WORD,
      (word, charset: string, encoding: string, text: string) => decodeWord(charset, encoding, text) ?? word,
    )
}

function decodeWord(charset: string, encoding: string, text: string): string | undefined {
  if (!/^(?:utf-8|us-ascii)$/i.test(charset)) return undefined
  const bytes = /q/i.test(encoding) ? ofQ(text) : Buffer.from(text, 'base64')
  return isUtf8(bytes) ? bytes.toString('utf8') : undefined
}

/** §4.2: a letter stands for itself, `_` for a space, `=` and two digits for a byte. */
function ofQ(text: string): Buffer {
  const bytes = text
    .replaceAll('_', ' ')
    .replace(/=([0-9A-Fa-f]{2})/g, (_all, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))
  return Buffer.from(bytes, 'latin1')
}
