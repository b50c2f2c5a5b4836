// Identity from a proxy that is believed because of where it stands: one field in one spelling, one line, one value (RFC 9110 §5.3).
import { isUtf8 } from 'node:buffer'
import { parseEmail } from '../protocol/email.ts'
import { BearerError } from '../protocol/errors.ts'
import { isRecord } from '../protocol/json.ts'
import { displayName } from './claims.ts'
import type { IdentityHeaders } from './edge-headers.ts'
import type { IsEmailAdmitted, Vouching } from './vouched.ts'
import type { Credentials, TransportWay } from './way.ts'

const LONGEST = 256
const MOST_GROUPS = 1000
const PLAIN = /^[\x20-\x7e]*$/

/** Whom the fields name. */
export interface Named {
  readonly identity: string
  readonly email: string | undefined
  readonly name: string | undefined
  readonly groups: readonly string[]
}

interface Needs {
  readonly families: readonly IdentityHeaders[]
  readonly groupsSeparator: string
  /** Whose names these are: two proxies may each have an `ann`. */
  readonly issuer: string
  readonly admit: Vouching['admit']
  readonly isEmailAdmitted: IsEmailAdmitted
  /** An identity came from a peer that is not trusted, and is not believed. */
  onUntrusted(peer: string): void
}

export function proxyWay(needs: Needs): TransportWay {
  const { families, groupsSeparator, issuer, admit, isEmailAdmitted } = needs
  return (credentials) => {
    const { trusted, peer } = credentials.transport
    if (!trusted) {
      if (isNamed(families, credentials)) needs.onUntrusted(peer)
      return undefined
    }
    const named = readIdentity(families, groupsSeparator, credentials)
    if (named === undefined) return undefined
    return admit(
      {
        ...named,
        kind: 'person',
        method: 'proxy',
        issuer,
        roles: [],
        teams: [],
        client: undefined,
        scopes: [],
        scopeRule: 'none',
        tokenId: undefined,
        issuedAt: undefined,
        expiresAt: undefined,
      },
      isEmailAdmitted,
    )
  }
}

/** Why a proxy's caller stayed unknown, for the record. */
export function whyNobody(families: readonly IdentityHeaders[], credentials: Credentials): string {
  if (credentials.transport.trusted) return 'proxy_header_missing'
  return isNamed(families, credentials) ? 'proxy_header_untrusted' : 'no_credential'
}

const isNamed = (families: readonly IdentityHeaders[], credentials: Credentials): boolean =>
  families.some(({ user }) => credentials.field(user).length > 0)

/** Throws BearerError `invalid_request` for what two readers could read as two callers. */
export function readIdentity(
  families: readonly IdentityHeaders[],
  separator: string,
  credentials: Credentials,
): Named | undefined {
  const found = families.flatMap((family) => readFamily(family, separator, credentials) ?? [])
  const [first, ...others] = found
  // A proxy sets one family. Where another one is there as well, its client wrote it, be it only for the groups in it.
  if (first !== undefined && others.some((other) => !isSame(first, other))) throw unclear('identity_headers_differ')
  return first
}

const isSame = (one: Named, other: Named): boolean =>
  one.identity === other.identity && one.email === other.email && one.groups.join('\n') === other.groups.join('\n')

function readFamily(family: IdentityHeaders, separator: string, credentials: Credentials): Named | undefined {
  if (family.stranger !== undefined && singleValue(credentials, family.stranger) === 'true') return undefined
  const user = singleName(credentials, family.user)
  if (user === undefined) return undefined
  if (isEncoded(user)) throw unclear('identity_header_encoded')
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
function singleValue(credentials: Credentials, name: string): string | undefined {
  const lines = credentials.field(name)
  if (lines.length > 1) throw unclear('identity_header_repeated')
  const [line = ''] = lines
  if (!PLAIN.test(line)) throw unclear('identity_header_illegal')
  const value = line.trim()
  return value === '' ? undefined : value
}

/** RFC 9110 §5.3: two lines may have been joined to one on the way, with a comma. */
function singleName(credentials: Credentials, name: string): string | undefined {
  const value = singleValue(credentials, name)
  if (value !== undefined && (value.includes(',') || value.length > LONGEST)) throw unclear('identity_header_list')
  return value
}

/** Not skipped one by one: a group that silently went missing would open what a deny rule closes. */
function readGroups(value: string | undefined, separator: string): readonly string[] {
  if (value === undefined) return []
  const groups = value
    .split(separator)
    .map((group) => group.trim())
    .filter((group) => group !== '')
  if (groups.length > MOST_GROUPS || groups.some((group) => group.length > LONGEST)) throw unclear('groups_header_long')
  return [...new Set(groups)]
}

/** For showing only; proxies write it in UTF-8, which Node hands over byte by byte. */
function readDisplayName(lines: readonly string[]): string | undefined {
  if (lines.length > 1) throw unclear('identity_header_repeated')
  const bytes = Buffer.from(lines[0] ?? '', 'latin1')
  return isUtf8(bytes) ? displayName(bytes.toString('utf8')) : undefined
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

const unclear = (reason: string) => new BearerError('invalid_request', reason, 'It is not clear who is calling.')
