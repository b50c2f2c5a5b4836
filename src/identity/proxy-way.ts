// Identity from a proxy that is believed because of where it stands, however it writes it down.
import type { Principal } from '../protocol/principal.ts'
import type { IsEmailAdmitted, Vouching } from './vouched.ts'
import type { Credentials, TransportWay } from './way.ts'

/** Whom a proxy names. */
export interface Named {
  readonly identity: string
  readonly email: string | undefined
  readonly name: string | undefined
  readonly groups: readonly string[]
  readonly roles?: readonly string[]
  /** For conditions; of proxies that hand claims over. */
  readonly claims?: Principal['claims']
  /** Who vouched for them to the proxy, where it says so; else they are the proxy's own. */
  readonly issuer?: string | undefined
  /** When what the proxy was shown ends, where it says so. */
  readonly expiresAt?: number | undefined
}

/** How a kind of proxy says who is calling. */
export interface IdentityReader {
  /** Fields that name a caller, each enough by itself. */
  readonly fields: readonly string[]
  /** Throws BearerError for what two readers could read as two callers. */
  read(credentials: Credentials): Named | undefined
}

interface Needs {
  readonly reader: IdentityReader
  /** Whose names these are: two proxies may each have an `ann`. */
  readonly issuer: string
  readonly admit: Vouching['admit']
  readonly isEmailAdmitted: IsEmailAdmitted
  /** An identity came from a peer that is not trusted, and is not believed. */
  onUntrusted(peer: string): void
}

export function proxyWay({ reader, issuer, admit, isEmailAdmitted, onUntrusted }: Needs): TransportWay {
  return (credentials) => {
    const { trusted, relayed, peer } = credentials.transport
    if (!trusted) {
      if (!relayed && isNamed(reader.fields, credentials)) onUntrusted(peer)
      return undefined
    }
    const named = reader.read(credentials)
    if (named === undefined) return undefined
    return admit(
      {
        ...named,
        kind: 'person',
        method: 'proxy',
        issuer: named.issuer ?? issuer,
        roles: named.roles ?? [],
        teams: [],
        client: undefined,
        scopes: [],
        scopeRule: 'none',
        tokenId: undefined,
        issuedAt: undefined,
        expiresAt: named.expiresAt,
      },
      isEmailAdmitted,
    )
  }
}

/** Why a proxy's caller stayed unknown, for the record. */
export function whyNobody(fields: readonly string[], credentials: Credentials): string {
  if (credentials.transport.trusted) return 'proxy_header_missing'
  return isNamed(fields, credentials) ? 'proxy_header_untrusted' : 'no_credential'
}

export const isNamed = (fields: readonly string[], credentials: Credentials): boolean =>
  fields.some((field) => credentials.field(field).length > 0)
