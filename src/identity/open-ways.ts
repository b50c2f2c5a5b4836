// The ways to knock that one server leaves open, in their order: built once for each server that says otherwise than the rest.
import type { MtlsConfig } from '../config/auth.ts'
import type { ProxyConfig } from '../config/auth-proxy.ts'
import type { WaysConfig } from '../config/ways.ts'
import type { Authenticate, Ways } from './authenticate.ts'
import { CLOSED, type OwnTokens } from './own-token.ts'
import type { Credentials, TokenWay, TransportWay } from './way.ts'

/** A proxy or an edge that says who is calling, and why it did not. */
export interface SpokesmanWay {
  readonly way: TransportWay
  whyNobody(credentials: Credentials): string
}

/** What the gate can do; the configuration chooses. */
export interface WayMakers {
  /** `auth.header`, lower case. */
  readonly header: string
  readonly own: OwnTokens
  readonly apiTokens: TokenWay | undefined
  /** `auth.staticToken`. */
  readonly staticToken: TokenWay | undefined
  issuers(at: Pick<WaysConfig, 'issuers' | 'audience'>): readonly TokenWay[]
  spokesman(proxy: ProxyConfig): SpokesmanWay
  certificate(mtls: MtlsConfig): TransportWay
  /** A trusted proxy sent a caller without saying who it is. */
  onHeaderMissing(): void
}

export function openWays(at: WaysConfig, makers: WayMakers): Ways {
  const { own, header } = makers
  const apiTokens = at.tokens ? makers.apiTokens : undefined
  const staticToken = at.tokens ? makers.staticToken : undefined
  const spokesman = at.proxy && makers.spokesman(at.proxy)
  const certificate = at.mtls && makers.certificate(at.mtls)
  return {
    header,
    recall: at.tokens ? own.recall : () => undefined,
    // Our own stand last: they judge, and refuse, whatever nobody else claims.
    tokens: [...given(staticToken), ...given(apiTokens), ...makers.issuers(at), at.tokens ? own.way : CLOSED],
    apiTokens,
    transports: [...given(spokesman?.way), ...given(certificate)],
    anonymous: at.anonymous,
    explainNobody(credentials) {
      const reason = spokesman?.whyNobody(credentials) ?? 'no_credential'
      if (reason === 'proxy_header_missing') makers.onHeaderMissing()
      return reason
    },
  }
}

const given = <Part>(part: Part | undefined): readonly Part[] => (part === undefined ? [] : [part])

/** `others`: servers with ways of their own. */
export function authenticateAt(general: Authenticate, others: ReadonlyMap<string, Authenticate>): Authenticate {
  if (others.size === 0) return general
  return (credentials, wanted) => {
    const own = wanted.server === undefined ? undefined : others.get(wanted.server)
    return (own ?? general)(credentials, wanted)
  }
}
