// Which name of a certificate says who is calling (`auth.mtls.identity`), in the one spelling that is compared. Pure.
import type { MtlsConfig } from '../config/auth.ts'
import { type CertificateNames, formatDistinguishedName } from '../protocol/certificate-names.ts'
import { parseEmail } from '../protocol/email.ts'
import { BearerError } from '../protocol/errors.ts'
import { compileGlob } from '../protocol/glob.ts'
import { isSpiffeLike, parseSpiffeId } from '../protocol/spiffe.ts'

type Kind = Exclude<MtlsConfig['identity'], 'subject'>

/** The one name of the wanted kind: of several, none is more the caller's than another. Throws BearerError. */
export function nameOf(names: CertificateNames, kind: MtlsConfig['identity']): string {
  if (kind === 'subject') return subjectOf(names)
  const found = namesOf(names, kind)
  const [name] = found
  if (name === undefined) throw certificateRefused('certificate_name_missing')
  if (found.length > 1) throw certificateRefused('certificate_name_ambiguous')
  const checked = CHECKS[kind](name)
  if (checked === undefined) throw certificateRefused('certificate_name_illegal')
  return checked
}

export const certificateRefused = (reason: string) =>
  new BearerError('invalid_token', reason, 'The client certificate is not accepted here.')

function namesOf({ uris, dnsNames, emails, subject = [] }: CertificateNames, kind: Kind): readonly string[] {
  if (kind === 'subject-cn') return subject.filter(({ type }) => type === 'CN').map(({ value }) => value)
  return { 'san-uri': uris, 'san-dns': dnsNames, 'san-email': emails }[kind]
}

const LONGEST = 2048
/** RFC 3986 §2, without what only encoding could have put there. */
const URI = /^[A-Za-z][A-Za-z0-9+.-]*:[\w!#$%&'()*+,./:;=?@[\]~-]+$/
/** RFC 1123 §2.1, with the underscore of many machines. A wildcard is no name. */
const HOST_NAME = /^(?!-)[a-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9_-]{1,63}(?<!-))*$/
/** What a reader would not see, or would take for the end. */
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}]|^\s|\s$/u

const CHECKS: Readonly<Record<Kind, (name: string) => string | undefined>> = {
  'san-uri': (uri) => {
    if (isSpiffeLike(uri)) return parseSpiffeId(uri)
    return uri.length <= LONGEST && URI.test(uri) ? uri : undefined
  },
  'san-dns': (name) => {
    const folded = name.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
    return folded.length <= 253 && HOST_NAME.test(folded) ? folded : undefined
  },
  'san-email': parseEmail,
  'subject-cn': (name) => (name !== '' && name.length <= LONGEST && !UNSEEN.test(name) ? name : undefined),
}

function subjectOf({ subject }: CertificateNames): string {
  if (subject === undefined) throw certificateRefused('certificate_name_ambiguous')
  if (subject.length === 0) throw certificateRefused('certificate_name_missing')
  const text = formatDistinguishedName(subject)
  if (text.length > LONGEST || subject.some(({ value }) => UNSEEN.test(value)))
    throw certificateRefused('certificate_name_illegal')
  return text
}

/** `*` is any run of letters without a slash: `spiffe://example.org/ns/*` opens one level, and not what is below. No pattern: every name. */
export function nameMatcher(patterns: readonly string[]): (name: string) => boolean {
  if (patterns.length === 0) return () => true
  const compiled = patterns.map((pattern) => pattern.split('/').map(compileGlob))
  return (name) => {
    const parts = name.split('/')
    return compiled.some(
      (globs) => globs.length === parts.length && globs.every((glob, at) => glob.matches(parts[at] ?? '')),
    )
  }
}
