// Claims that a trusted proxy hands over in a header, decoded and checked by it and signed by nobody: Istio's payload of a token, and the
// principal of Azure's built-in authentication. What can be compared is compared; that it is true is the proxy's word.
import type { ProxyConfig } from '../config/auth-proxy.ts'
import type { Claims } from '../protocol/claims.ts'
import type { Clock } from '../protocol/clock.ts'
import { parseEmail } from '../protocol/email.ts'
import { isRecord } from '../protocol/json.ts'
import { verifiedEmail } from './claims.ts'
import { checkAudience, checkIssuer, claimsIn, groupsIn, nameIn } from './edge-claims.ts'
import type { IdentityHeaders } from './edge-headers.ts'
import { readClaims } from './jwt.ts'
import type { KeptPaths } from './kept-claims.ts'
import { readDisplayName, singleName, singleValue, unclearCaller } from './proxy-header.ts'
import type { IdentityReader, Named } from './proxy-way.ts'
import { checkLifetime, subjectOf } from './token-claims.ts'
import type { Credentials } from './way.ts'

type Settings = Pick<ProxyConfig, 'issuer' | 'audience' | 'groupsClaim' | 'clockTolerance'> & {
  readonly kept: KeptPaths
}

const EMAIL = { verifiedBy: ['email_verified'], loose: true }

/** `outputPayloadToHeader`: the claims of a token that the mesh has verified, in base64url. Its issuer's people stay its issuer's. */
export function payloadReader({ user }: IdentityHeaders, settings: Settings, clock: Clock): IdentityReader {
  return {
    fields: [user],
    read(credentials): Named | undefined {
      const claims = claimsAt(user, credentials)
      if (claims === undefined) return undefined
      checkWanted(claims, settings)
      const { iss, exp } = claims
      const expires =
        exp === undefined ? undefined : checkLifetime(claims, { ...settings, maxTokenAge: undefined }, clock())
      return {
        identity: subjectOf(claims),
        issuer: typeof iss === 'string' && iss !== '' ? iss : undefined,
        email: verifiedEmail(claims, EMAIL),
        name: nameIn(claims),
        groups: groupsIn(claims, settings.groupsClaim ?? 'groups'),
        claims: claimsIn(claims, settings.kept),
        expiresAt: expires?.endsAt,
      }
    },
  }
}

/** Providers whose names are addresses that they vouch for; with others people choose what they are called. */
const NAMED_BY_ADDRESS: readonly (string | undefined)[] = ['aad', 'google']

/** `X-MS-CLIENT-PRINCIPAL-ID` and `-IDP` name the caller; groups and roles are in `X-MS-CLIENT-PRINCIPAL`. */
export function principalReader(headers: IdentityHeaders, settings: Settings): IdentityReader {
  return {
    fields: [headers.user],
    read(credentials): Named | undefined {
      const id = singleName(credentials, headers.user)
      if (id === undefined) return undefined
      const provider = singleName(credentials, headers.provider ?? '')
      const names = credentials.field(headers.name ?? '')
      const name = readDisplayName(names)
      const claims = principalAt(headers.claims ?? '', credentials)
      checkWanted(claims, settings)
      if (claims['hasgroups'] !== undefined || claims['_claim_names'] !== undefined)
        throw unclearCaller('groups_overage')
      return {
        // A number of one provider may be somebody else's number at the next.
        identity: provider === undefined ? id : `${provider}:${id}`,
        email: NAMED_BY_ADDRESS.includes(provider) ? addressOf(names[0]?.trim() ?? '') : undefined,
        name: nameIn(claims) ?? name,
        groups: groupsIn(claims, settings.groupsClaim ?? 'groups'),
        roles: groupsIn(claims, 'roles'),
        claims: claimsIn(claims, settings.kept),
      }
    },
  }
}

/** A guest's name (`ann_partner.example#EXT#@corp.onmicrosoft.com`) is in the domain of the host, and no mailbox there. */
const addressOf = (name: string): string | undefined => (/#ext#/i.test(name) ? undefined : parseEmail(name))

function checkWanted(claims: Claims, { issuer, audience }: Settings): void {
  checkIssuer(claims, issuer)
  checkAudience(claims, audience === undefined ? undefined : [audience].flat())
}

function claimsAt(field: string, credentials: Credentials): Claims | undefined {
  const value = singleValue(credentials, field)
  if (value === undefined) return undefined
  const bytes = decodeBase64(value)
  const claims = bytes && readClaims(bytes)
  // A proxy that we trust writes what can be read; what cannot came from behind it.
  if (claims === undefined) throw unclearCaller('identity_header_malformed')
  return claims
}

/** RFC 4648 §4 or §5, padded or not: proxies differ, but of one value each writes one form. */
export function decodeBase64(value: string): Buffer | undefined {
  if (!/^(?:[A-Za-z0-9_-]+|[A-Za-z0-9+/]+)={0,2}$/.test(value)) return undefined
  const bare = value.replace(/=+$/, '')
  if (value !== bare && value.length % 4 !== 0) return undefined
  const bytes = Buffer.from(bare, 'base64')
  // Spare bits in the last letter: two spellings of one value.
  return bytes.toString('base64url') === bare.replaceAll('+', '-').replaceAll('/', '_') ? bytes : undefined
}

/** `{ auth_typ, name_typ, role_typ, claims: [{ typ, val }] }`; what comes several times is a list. */
function principalAt(field: string, credentials: Credentials): Claims {
  const principal = claimsAt(field, credentials)
  if (principal === undefined) return {}
  const { claims, role_typ: roleType } = principal
  if (!Array.isArray(claims)) throw unclearCaller('identity_header_malformed')
  const said = new Map<string, string[]>()
  for (const claim of claims) {
    const { typ, val } = isRecord(claim) ? claim : {}
    if (typeof typ !== 'string' || typeof val !== 'string') throw unclearCaller('identity_header_malformed')
    const name = typ === roleType ? 'roles' : typ
    said.set(name, [...(said.get(name) ?? []), val])
  }
  return Object.fromEntries([...said].map(([name, values]) => [name, values.length === 1 ? values[0] : values]))
}
