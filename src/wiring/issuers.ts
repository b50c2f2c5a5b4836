// Other authorization servers whose tokens count, each with its keys and its memory once, whatever servers its tokens are shown at.
import { readFileSync } from 'node:fs'
import type { IssuerConfig } from '../config/issuers.ts'
import type { WaysConfig } from '../config/ways.ts'
import { outboundFetch } from '../http/outbound.ts'
import { emailMatcher } from '../identity/admission.ts'
import { type IssuerTokens, issuerTokens } from '../identity/issuer.ts'
import type { Vouching } from '../identity/vouched.ts'
import type { TokenWay } from '../identity/way.ts'
import { OperatorError } from '../protocol/errors.ts'
import type { Ground } from './ground.ts'

function withKeys(issuer: IssuerConfig): IssuerConfig {
  const { jwksFile } = issuer
  if (jwksFile === undefined) return issuer
  try {
    return { ...issuer, jwks: readFileSync(jwksFile, 'utf8') }
  } catch (cause) {
    throw new OperatorError(`auth.issuers: jwksFile of ${issuer.issuer}: ${jwksFile} cannot be read. Check its path.`, {
      cause,
    })
  }
}

/** Far above any key set, and what an issuer's answer may make us hold. */
const LARGEST = 1024 * 1024

export function openIssuers(
  { config, identity, names, clock, log }: Ground,
  { admit }: Pick<Vouching, 'admit'>,
): (at: Pick<WaysConfig, 'issuers' | 'audience'>) => readonly TokenWay[] {
  const { auth, server } = config
  const fetches = {
    configured: outboundFetch({ allowLoopback: true, configured: true, maxBytes: LARGEST, resolve: names.resolve }),
    named: outboundFetch({ allowLoopback: server.development, maxBytes: LARGEST, resolve: names.resolvePublic }),
  }
  const configured = new Set(auth.issuers.map(({ issuer }) => issuer))
  const open = (issuer: IssuerConfig): IssuerTokens =>
    issuerTokens({
      config: withKeys(issuer),
      configured,
      identity,
      fetches,
      admit,
      isEmailAdmitted: emailMatcher(issuer.allowedEmails ?? identity.allowedEmails),
      clock,
      log,
    })
  const tokens = new Map(auth.issuers.map((issuer) => [issuer.issuer, open(issuer)]))
  return ({ issuers, audience }) => issuers.flatMap(({ issuer }) => tokens.get(issuer)?.way(audience) ?? [])
}
