// Who is calling, from fields that a trusted proxy writes as they are: one spelling, one line, one value (RFC 9110 §5.3).
import { isUtf8 } from 'node:buffer'
import { parseEmail } from '../protocol/email.ts'
import { decodeEncodedWords } from '../protocol/encoded-word.ts'
import { BearerError } from '../protocol/errors.ts'
import { isRecord } from '../protocol/json.ts'
import { displayName } from './claims.ts'
import type { IdentityHeaders } from './edge-headers.ts'
import type { IdentityReader, Named } from './proxy-way.ts'
import type { Credentials } from './way.ts'

const LONGEST = 256
const MOST_GROUPS = 1000
const PLAIN = /^[\x20-\x7e]*$/

/** Names, addresses and groups as they are, each in a field of its own. */
export function headerReader(families: readonly IdentityHeaders[], separator: string): IdentityReader {
  return {
    fields: families.map(({ user }) => user),
    read: (credentials) => readIdentity(families, separator, credentials),
  }
}

function readIdentity(
  families: readonly IdentityHeaders[],
  separator: string,
  credentials: Credentials,
): Named | undefined {
  const found = families.flatMap((family) => readFamily(family, separator, credentials) ?? [])
  const [first, ...others] = found
  // A proxy sets one family. Where another one is there as well, its client wrote it, be it only for the groups in it.
  if (first !== undefined && others.some((other) => !isSame(first, other)))
    throw unclearCaller('identity_headers_differ')
  return first
}

const isSame = (one: Named, other: Named): boolean =>
  one.identity === other.identity && one.email === other.email && one.groups.join('\n') === other.groups.join('\n')

function readFamily(family: IdentityHeaders, separator: string, credentials: Credentials): Named | undefined {
  if (family.stranger !== undefined && singleValue(credentials, family.stranger) === 'true') return undefined
  const user = singleName(credentials, family.user)
  if (user === undefined) return undefined
  if (isEncoded(user)) throw unclearCaller('identity_header_encoded')
  const address = parseEmail(user)
  const email = family.email === undefined ? undefined : singleName(credentials, family.email)
  return {
    identity: address ?? user,
    email: email === undefined ? address : parseEmail(email),
    name: family.name === undefined ? undefined : readDisplayName(credentials.field(family.name)),
    groups: family.groups === undefined ? [] : readGroups(singleValue(credentials, family.groups), separator),
  }
}

/** Empty and blank are absent. */
export function singleValue(credentials: Credentials, name: string): string | undefined {
  const lines = credentials.field(name)
  if (lines.length > 1) throw unclearCaller('identity_header_repeated')
  const [line = ''] = lines
  if (!PLAIN.test(line)) throw unclearCaller('identity_header_illegal')
  const value = line.trim()
  return value === '' ? undefined : value
}

/** RFC 9110 §5.3: two lines may have been joined to one on the way, with a comma. */
export function singleName(credentials: Credentials, name: string): string | undefined {
  const value = singleValue(credentials, name)
  if (value !== undefined && (value.includes(',') || value.length > LONGEST))
    throw unclearCaller('identity_header_list')
  return value
}

/** Not skipped one by one: a group that silently went missing would open what a deny rule closes. */
function readGroups(value: string | undefined, separator: string): readonly string[] {
  if (value === undefined) return []
  const groups = value
    .split(separator)
    .map((group) => group.trim())
    .filter((group) => group !== '')
  if (groups.length > MOST_GROUPS || groups.some((group) => group.length > LONGEST))
    throw unclearCaller('groups_header_long')
  return [...new Set(groups)]
}

/** For showing only; proxies write it in UTF-8, which Node hands over byte by byte, or in encoded words. */
export function readDisplayName(lines: readonly string[]): string | undefined {
  if (lines.length > 1) throw unclearCaller('identity_header_repeated')
  const bytes = Buffer.from(lines[0] ?? '', 'latin1')
  return isUtf8(bytes) ? displayName(decodeEncodedWords(bytes.toString('utf8'))) : undefined
}

/** Claims or a token where a name should be, such as Istio's `outputPayloadToHeader`: whoever reads them as a name reads nobody's. */
function isEncoded(value: string): boolean {
  // `{` and what may follow it, in base64.
  return /^e[wy]/.test(value) && isClaims(Buffer.from(value.split('.')[0] ?? '', 'base64').toString('utf8'))
}

function isClaims(text: string): boolean {
  try {
    return isRecord(JSON.parse(text))
  } catch {
    // A name that only looks like it.
    return false
  }
}

export const unclearCaller = (reason: string): BearerError =>
  new BearerError('invalid_request', reason, 'It is not clear who is calling.')
