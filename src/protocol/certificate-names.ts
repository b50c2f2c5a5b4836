// The names in a certificate, taken apart so that no name can pass for another (CVE-2021-44532, CVE-2021-44533). RFC 5280 §4.1.2.6,
// §4.2.1.6; the texts are those of node:crypto's X509Certificate, RFC 4514 inside. Pure.
import { isUtf8 } from 'node:buffer'

export interface CertificateNames {
  readonly uris: readonly string[]
  readonly dnsNames: readonly string[]
  readonly emails: readonly string[]
  /** Attributes of the subject, most specific first; `undefined` when it cannot be told apart safely. */
  readonly subject: readonly Attribute[] | undefined
}

export interface Attribute {
  /** As OpenSSL calls it: `CN`, `O`, or an object identifier. */
  readonly type: string
  readonly value: string
}

/** Names of a certificate. A list of alternative names that cannot be read holds none. */
export function readNames(certificate: {
  readonly subject: string | undefined
  readonly subjectAltName: string | undefined
}): CertificateNames {
  const { uris, dnsNames, emails } = parseAlternativeNames(certificate.subjectAltName ?? '')
  // Node writes one attribute a line, most general first.
  const subject = parseDistinguishedName(certificate.subject ?? '', '\n')
  return { uris, dnsNames, emails, subject: subject && [...subject].reverse() }
}

/** `DNS:a.example, URI:"…"`: what could be read as two names stands in quotes, as a JSON string. */
const ALTERNATIVE = /([A-Za-z ]+):((?:[^",]+:)?"(?:[^"\\]|\\.)*"|[^",]*)(?:, |$)/y
const NONE = { uris: [], dnsNames: [], emails: [] } as const

export function parseAlternativeNames(text: string): Omit<CertificateNames, 'subject'> {
  const found = { URI: [] as string[], DNS: [] as string[], email: [] as string[] }
  ALTERNATIVE.lastIndex = 0
  while (ALTERNATIVE.lastIndex < text.length) {
    const match = ALTERNATIVE.exec(text)
    if (match === null) return NONE
    const [, kind = '', value = ''] = match
    if (kind !== 'URI' && kind !== 'DNS' && kind !== 'email') continue
    const name = value.startsWith('"') ? parseQuoted(value) : value
    if (name === undefined) return NONE
    found[kind].push(name)
  }
  return { uris: found.URI, dnsNames: found.DNS, emails: found.email }
}

function parseQuoted(text: string): string | undefined {
  try {
    return String(JSON.parse(text))
  } catch {
    // Not written by Node, then; nothing of it is believed.
    return undefined
  }
}

const ATTRIBUTE = /^([A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)+)=(.*)$/s

/**
 * RFC 4514 §2, in the order of the text. `undefined` for what is none, for an attribute in hexadecimal, and for several attributes in
 * one part (`CN=a+UID=b`), which two readers would put in two orders.
 */
export function parseDistinguishedName(text: string, separator: ',' | '\n'): readonly Attribute[] | undefined {
  if (text === '') return []
  const attributes: Attribute[] = []
  for (const part of splitUnescaped(text, separator)) {
    const [, type, raw = ''] = ATTRIBUTE.exec(part) ?? []
    const value = type === undefined ? undefined : unescapeValue(raw)
    if (type === undefined || value === undefined) return undefined
    attributes.push({ type, value })
  }
  return attributes
}

function splitUnescaped(text: string, separator: string): string[] {
  const parts: string[] = []
  let start = 0
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === separator) {
      parts.push(text.slice(start, at))
      start = at + 1
    }
  }
  return [...parts, text.slice(start)]
}

/** RFC 4514 §2.4: `\,` is the character itself, `\0A` a byte of its UTF-8. */
function unescapeValue(raw: string): string | undefined {
  // An unescaped `+` begins another attribute, `#` a value in hexadecimal; quotes and brackets are never left plain.
  if (raw.startsWith('#') || /["+,;<>]/.test(raw.replace(/\\./gs, ''))) return undefined
  const bytes: Buffer[] = []
  for (const [piece] of raw.matchAll(/\\[0-9A-Fa-f]{2}|\\.|[^\\]+|\\/gs)) {
    if (piece === '\\') return undefined
    if (/^\\[0-9A-Fa-f]{2}$/.test(piece)) bytes.push(Buffer.from(piece.slice(1), 'hex'))
    else bytes.push(Buffer.from(piece.startsWith('\\') ? piece.slice(1) : piece))
  }
  const value = Buffer.concat(bytes)
  return isUtf8(value) ? value.toString('utf8') : undefined
}

/** RFC 4514 §2.4 in one spelling: ASCII only, so that two readers compare the same letters. */
export function formatDistinguishedName(attributes: readonly Attribute[]): string {
  return attributes.map(({ type, value }) => `${type}=${escapeValue(value)}`).join(',')
}

function escapeValue(value: string): string {
  return value
    .replace(/[\\",+;<>]|^[ #]| $/g, '\\$&')
    .replace(/[^\x20-\x7e]/gu, (letter) =>
      [...Buffer.from(letter)].map((byte) => `\\${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
    )
}
