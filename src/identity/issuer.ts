// Tokens of another authorization server as a way to knock: proved by its keys or by asking it, then held to what the configuration
// wants of them. RFC 9068 §4, RFC 7662, RFC 8725. What one of its tokens fails, no other way judges again.
import type { IdentityConfig } from '../config/identity.ts'
import type { IssuerConfig } from '../config/issuers.ts'
import type { Log } from '../observe/log.ts'
import type { Claims } from '../protocol/claims.ts'
import type { Clock } from '../protocol/clock.ts'
import { claimRules } from './claim-rules.ts'
import type { Fetches } from './document.ts'
import { findIntrospectedFlaw } from './introspection.ts'
import { issuerAdvisor } from './issuer-advice.ts'
import { issuerProfile } from './issuer-profile.ts'
import { issuerSources } from './issuer-sources.ts'
import { peekIssuer, refuseToken, verifyJwt } from './jwt.ts'
import { provedTokens } from './proved-tokens.ts'
import { callerReader } from './token-caller.ts'
import { audiencesOf, checkLifetime } from './token-claims.ts'
import type { IsEmailAdmitted, Vouched, Vouching } from './vouched.ts'
import type { TokenWay, Wanted } from './way.ts'

interface Needs {
  readonly config: IssuerConfig
  /** Every configured issuer, so that none is told to be a misspelling of another. */
  readonly configured: ReadonlySet<string>
  readonly identity: Pick<IdentityConfig, 'mapping' | 'claims'>
  readonly fetches: Fetches
  readonly admit: Vouching['admit']
  readonly isEmailAdmitted: IsEmailAdmitted
  readonly clock: Clock
  readonly log: Log
}

export interface IssuerTokens {
  /** `audience`: what its tokens must name at one server, in place of what the issuer's entry says. */
  way(audience: string | undefined): TokenWay
}

/** What is the same for every server that the token may be shown to; `undefined`: its issuer says that it is over. */
type Proved = { readonly caller: Vouched; readonly audiences: readonly string[] } | undefined

/** Then a proved token is looked at again: its key may have been withdrawn. */
const RECHECK = 300_000

/** Contacts nobody: that is for the first token to do. Throws OperatorError for keys in the configuration that cannot be used. */
export function issuerTokens(needs: Needs): IssuerTokens {
  const { config, clock } = needs
  const profile = issuerProfile(config)
  const advice = issuerAdvisor(config, needs)
  const { findKeys, introspect } = issuerSources(needs, profile)
  const findClaimFlaw = claimRules(config)
  const caller = callerReader(config, { identity: needs.identity, profile })
  const known = provedTokens<{ proved: Proved }>(clock)

  async function claimsOfJwt(token: string): Promise<Claims> {
    const jwt = await verifyJwt(token, { algorithms: config.algorithms, findKeys })
    const { iss } = jwt.claims
    if (typeof iss !== 'string' || !profile.isIssuer(iss)) throw refuseToken('issuer_mismatch')
    refuse(profile.findFlaw(jwt), jwt.claims)
    return jwt.claims
  }

  async function claimsByAsking(token: string): Promise<Claims | undefined> {
    const claims = await introspect?.(token)
    if (claims === undefined) return undefined
    // RFC 7662 §2.2: optional, but what it says must be true.
    const { iss } = claims
    if (iss !== undefined && !(typeof iss === 'string' && profile.isIssuer(iss))) throw refuseToken('issuer_mismatch')
    refuse(findIntrospectedFlaw(claims), claims)
    return claims
  }

  function refuse(flaw: string | undefined, claims: Claims): void {
    if (flaw === undefined) return
    advice.refused(flaw, claims)
    throw refuseToken(flaw)
  }

  function judge(claims: Claims): { proved: NonNullable<Proved>; endsAt: number } {
    const lifetime = checkLifetime(claims, config, clock())
    refuse(findClaimFlaw(claims) ?? caller.findFlaw(claims), claims)
    const audiences = audiencesOf(claims)
    if (audiences.length === 0) refuse('audience_missing', claims)
    return { proved: { caller: caller.read(claims, lifetime), audiences }, endsAt: lifetime.endsAt }
  }

  async function examine(token: string): Promise<Proved> {
    const isJwt = peekIssuer(token) !== undefined
    const claims = isJwt ? await claimsOfJwt(token) : await claimsByAsking(token)
    const again = clock() + (isJwt ? RECHECK : (config.introspection?.cache ?? 0))
    if (claims === undefined) {
      known.keep(token, { proved: undefined }, again)
      return undefined
    }
    const { proved, endsAt } = judge(claims)
    known.keep(token, { proved }, Math.min(again, endsAt))
    return proved
  }

  function isMine(token: string): boolean {
    if (known.recall(token) !== undefined) return true
    const iss = peekIssuer(token)
    if (iss === undefined) return introspect !== undefined && isOpaque(token)
    if (profile.isIssuer(iss)) return true
    advice.nearMiss(iss)
    return false
  }

  return {
    way(audience) {
      const instead = audience ?? config.audience

      function admit(proved: Proved, { resources }: Wanted) {
        if (proved === undefined) throw refuseToken('inactive')
        const accepted = instead === undefined ? resources : [instead].flat()
        if (!proved.audiences.some((one) => accepted.includes(one))) {
          advice.audience(proved.audiences, accepted)
          throw refuseToken('audience_mismatch')
        }
        return needs.admit(proved.caller, needs.isEmailAdmitted)
      }

      return {
        isMine,
        prove(token, _credentials, wanted) {
          const found = known.recall(token)
          if (found !== undefined) return admit(found.proved, wanted)
          return examine(token).then((proved) => admit(proved, wanted))
        },
      }
    },
  }
}

/** Nothing that could be read here, signed or encrypted, and none of our own: those are nobody else's business. */
const isOpaque = (token: string): boolean => !/^(?:eyJ[\w-]*\.|pc_)/.test(token)
