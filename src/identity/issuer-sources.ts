// Where an issuer's keys and its word on a token come from: the configuration, else what the issuer publishes of itself.
import type { KeyObject } from 'node:crypto'
import type { IssuerConfig } from '../config/issuers.ts'
import type { Log } from '../observe/log.ts'
import { rarely } from '../observe/rarely.ts'
import type { Claims } from '../protocol/claims.ts'
import type { Clock } from '../protocol/clock.ts'
import { OperatorError } from '../protocol/errors.ts'
import { KeySetError, type PublicKeys, parsePublicKeys } from '../protocol/public-keys.ts'
import type { Fetches } from './document.ts'
import { introspector, unavailable } from './introspection.ts'
import { issuerMetadata } from './issuer-metadata.ts'
import type { IssuerProfile } from './issuer-profile.ts'
import type { FindKeys } from './jwt.ts'
import { Unavailable } from './lasting.ts'
import { remoteKeys } from './remote-keys.ts'

interface Needs {
  readonly config: IssuerConfig
  readonly fetches: Fetches
  readonly clock: Clock
  readonly log: Log
}

export interface IssuerSources {
  /** Throws RequestError 503 where no keys were ever had. */
  findKeys: FindKeys
  /** `undefined` where the issuer is not asked about tokens. */
  readonly introspect: ((token: string) => Promise<Claims | undefined>) | undefined
}

const TOLD = { every: 30_000, most: 5 }

export function issuerSources(
  needs: Needs,
  { discovery, calledItself }: Pick<IssuerProfile, 'discovery' | 'calledItself'>,
): IssuerSources {
  const { config, fetches, clock, log } = needs
  const metadata = issuerMetadata({ issuer: discovery, calledItself, fetches, clock, log })
  const { jwks, jwksUri, introspection } = config

  function publishedKeys(): FindKeys {
    const keys = remoteKeys({
      locate: async () =>
        jwksUri === undefined ? metadata.endpoint('jwks_uri') : { uri: jwksUri, fetch: fetches.configured },
      of: config.issuer,
      clock,
      log,
    })
    return (header) =>
      keys.find(header).catch((error: unknown) => {
        throw error instanceof Unavailable ? unavailable(error, error.retryAfter) : error
      })
  }

  function introspectAt({ endpoint, ...client }: NonNullable<typeof introspection>) {
    const isTime = rarely({ ...TOLD, clock })
    return introspector({
      config: client,
      locate: async () =>
        endpoint === undefined
          ? metadata.endpoint('introspection_endpoint')
          : { uri: endpoint, fetch: fetches.configured },
      onFailure(error) {
        if (isTime('outage')) log.warn({ issuer: config.issuer, error }, 'an issuer could not be asked about a token')
      },
    })
  }

  const findKeys = jwks === undefined ? publishedKeys() : writtenKeys(jwks, needs)
  return { findKeys, introspect: introspection && introspectAt(introspection) }
}

function writtenKeys(text: string, { config: { issuer }, log }: Needs): FindKeys {
  const keys = parseWritten(text, issuer)
  if (keys.flaws.length > 0) log.warn({ of: issuer, flaws: keys.flaws }, 'keys of an issuer are left out')
  return async (header): Promise<readonly KeyObject[]> => keys.select(header)
}

function parseWritten(text: string, issuer: string): PublicKeys {
  const refusal = (why: string) =>
    new OperatorError(
      `auth.issuers: jwks of ${issuer} cannot be used: ${why}. Write its JWK Set as JSON, or its public keys as PEM, or take jwks out to fetch them.`,
    )
  try {
    const keys = parsePublicKeys(text)
    if (keys.size === 0) throw refusal(`no key in it counts (${keys.flaws.join('; ') || 'it is empty'})`)
    return keys
  } catch (error) {
    throw error instanceof KeySetError ? refusal(error.message) : error
  }
}
