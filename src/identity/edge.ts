// Identity from an edge that signs what it says: the signature, whoever signed, for whom and until when are what counts, never the plain
// field beside it. RFC 7515, RFC 7519 §7.2.
import type { Log } from '../observe/log.ts'
import type { Clock } from '../protocol/clock.ts'
import type { FetchDocument } from './document.ts'
import type { Asserted, SignedEdge } from './edge-assertions.ts'
import { checkAudience, checkIssuer, claimsIn, groupsIn, nameIn } from './edge-claims.ts'
import type { IdentityHeaders } from './edge-headers.ts'
import { loadBalancerAssertion } from './elb-assertion.ts'
import { elbKeys } from './elb-keys.ts'
import { unavailable } from './introspection.ts'
import { type FindKeys, type Jwt, refuseToken, verifyJwt } from './jwt.ts'
import type { KeptPaths } from './kept-claims.ts'
import { Unavailable } from './lasting.ts'
import { provedTokens } from './proved-tokens.ts'
import { singleValue, unclearCaller } from './proxy-header.ts'
import { isNamed } from './proxy-way.ts'
import { remoteKeys } from './remote-keys.ts'
import { checkLifetime, tokenIdOf } from './token-claims.ts'
import type { IsEmailAdmitted, Vouched, Vouching } from './vouched.ts'
import type { Credentials, TransportWay } from './way.ts'

interface Needs {
  readonly edge: SignedEdge
  readonly headers: IdentityHeaders
  readonly kept: KeptPaths
  readonly clockTolerance: number
  /** No proxy is named, so that anybody may hand over what the edge signed; else only those who are trusted. */
  readonly fromAnybody: boolean
  readonly fetch: FetchDocument
  readonly admit: Vouching['admit']
  readonly isEmailAdmitted: IsEmailAdmitted
  /** An assertion came from a peer that is not trusted, and is not looked at. */
  onUntrusted(peer: string): void
  readonly clock: Clock
  readonly log: Log
}

/** Then a proved assertion is looked at again: its key may have been withdrawn. */
const RECHECK = 300_000
/**
 * Where each request has an assertion of its own, that one only has to reach us (AWS: two minutes). What it opened, a stream or a long
 * call, may last as long as with an access token of ours, to the full minute: so one request says of its caller what the next one says,
 * and what others keep by the principal is not kept for one request alone.
 */
const OPENED = 600_000
const MINUTE = 60_000
const toTheMinute = (time: number): number => Math.ceil(time / MINUTE) * MINUTE
/** A few kilobytes each; edges that sign each request show the same one only for a moment. */
const MOST_HELD = 5000

/** Contacts nobody: that is for the first assertion to do. */
export function edgeWay(needs: Needs): TransportWay {
  const { edge, headers, admit, isEmailAdmitted, onUntrusted, clock } = needs
  const prove = proverOf(needs)
  const known = provedTokens<Vouched>(clock, MOST_HELD)

  function vouchedBy({ header, claims }: Jwt): { vouched: Vouched; endsAt: number } {
    // RFC 8725 §3.11: made for another purpose, though by the same issuer.
    if (header.typ !== undefined && header.typ !== 'jwt') throw refuseToken('token_type')
    checkIssuer(claims, edge.issuer)
    checkAudience(claims, edge.audiences)
    const lifetime = checkLifetime(claims, { clockTolerance: needs.clockTolerance, maxTokenAge: undefined }, clock())
    const { issuedAt, endsAt } = lifetime
    const lasts = edge.perRequest
      ? { issuedAt: undefined, expiresAt: toTheMinute(Math.max(endsAt, clock() + OPENED)) }
      : { issuedAt, expiresAt: endsAt }
    return { vouched: { ...callerOf(edge.asserted(claims), claims), ...lasts }, endsAt }
  }

  function callerOf(asserted: Asserted, claims: Jwt['claims']): Omit<Vouched, 'issuedAt' | 'expiresAt'> {
    return {
      ...asserted,
      method: 'edge',
      issuer: String(claims['iss']),
      name: nameIn(claims),
      groups: groupsIn(claims, edge.groupsClaim),
      claims: claimsIn(claims, needs.kept),
      roles: [],
      teams: [],
      client: undefined,
      scopes: [],
      scopeRule: 'none',
      // Pomerium's `jti` is another one each time, and nobody is called by it.
      tokenId: edge.perRequest ? undefined : tokenIdOf(claims),
    }
  }

  async function examine(assertion: string): Promise<Vouched> {
    const { vouched, endsAt } = vouchedBy(await prove(assertion))
    known.keep(assertion, vouched, Math.min(endsAt, clock() + RECHECK))
    return vouched
  }

  return (credentials) => {
    const { trusted, relayed = false, peer } = credentials.transport
    if (!trusted && !relayed && !needs.fromAnybody) {
      if (isNamed([headers.user], credentials)) onUntrusted(peer)
      return undefined
    }
    const assertion = singleValue(credentials, headers.user)
    if (assertion === undefined) return undefined
    const take = (vouched: Vouched) => {
      checkSame(vouched, headers, credentials)
      return admit(vouched, isEmailAdmitted)
    }
    const found = known.recall(assertion)
    return found === undefined ? examine(assertion).then(take) : take(found)
  }
}

/** Whoever reads the plain field instead must not see somebody else. */
function checkSame({ identity }: Vouched, { subject }: IdentityHeaders, credentials: Credentials): void {
  const said = subject === undefined ? undefined : singleValue(credentials, subject)
  if (said !== undefined && said !== identity) throw unclearCaller('identity_headers_differ')
}

function proverOf({ edge, fetch, clock, log }: Needs): (assertion: string) => Promise<Jwt> {
  const { signer, keys, algorithms } = edge
  if (signer !== undefined)
    return loadBalancerAssertion({ signer, findKeys: elbKeys({ keys, of: signer, fetch, clock, log }) })
  const published = remoteKeys({ locate: async () => ({ uri: keys, fetch }), of: edge.issuer ?? keys, clock, log })
  const findKeys: FindKeys = (header) =>
    published.find(header).catch((error: unknown) => {
      throw error instanceof Unavailable ? unavailable(error, error.retryAfter) : error
    })
  return (assertion) => verifyJwt(assertion, { algorithms, findKeys })
}
