// How we prove to an authorization server who we are: RFC 6749 §2.3.1, RFC 7523 §2.2.
import { createPrivateKey, type JsonWebKey, type KeyObject, randomUUID } from 'node:crypto'
import { SignJWT } from 'jose'
import type { Clock } from '../../protocol/clock.ts'
import { parseRecord } from '../../protocol/json.ts'
import type { TokenPlace } from './token-place.ts'

export interface ClientConfig {
  readonly clientId: string
  readonly clientSecret?: string | undefined
  readonly privateKey?: string | undefined
  readonly clientAuth?: 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt' | 'none' | undefined
}

export interface Proof {
  readonly headers: Readonly<Record<string, string>>
  /** Beside the parameters of the request. */
  readonly form: Readonly<Record<string, string>>
}

export type ProveClient = (place: Pick<TokenPlace, 'audience' | 'methods'>) => Promise<Proof>

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const ASSERTION_TTL = 60

/** Throws TypeError with what the operator has to change. */
export function clientProof(config: ClientConfig, clock: Clock): ProveClient {
  const { clientId, clientSecret, privateKey, clientAuth } = config
  if (clientAuth === 'private_key_jwt' && privateKey === undefined)
    throw new TypeError('clientAuth is private_key_jwt, and there is no privateKey.')
  if (clientAuth?.startsWith('client_secret') && clientSecret === undefined)
    throw new TypeError(`clientAuth is ${clientAuth}, and there is no clientSecret.`)
  const signer = privateKey === undefined ? undefined : readKey(privateKey)

  function methodFor({ methods }: Pick<TokenPlace, 'methods'>): NonNullable<ClientConfig['clientAuth']> {
    if (clientAuth !== undefined) return clientAuth
    if (signer !== undefined) return 'private_key_jwt'
    if (clientSecret === undefined) return 'none'
    // RFC 8414 §2: one that lists nothing takes `client_secret_basic`.
    const onlyPost = methods?.includes('client_secret_post') === true && !methods.includes('client_secret_basic')
    return onlyPost ? 'client_secret_post' : 'client_secret_basic'
  }

  return async function prove(place) {
    switch (methodFor(place)) {
      case 'client_secret_basic':
        return { headers: { authorization: basic(clientId, clientSecret ?? '') }, form: {} }
      case 'client_secret_post':
        return { headers: {}, form: { client_id: clientId, client_secret: clientSecret ?? '' } }
      case 'private_key_jwt':
        return { headers: {}, form: await assertion(place.audience) }
      case 'none':
        return { headers: {}, form: { client_id: clientId } }
    }
  }

  async function assertion(audience: string): Promise<Record<string, string>> {
    if (signer === undefined) throw new TypeError('no key to sign with')
    const { key, alg, kid } = signer
    const now = Math.floor(clock() / 1000)
    const jwt = await new SignJWT({ jti: randomUUID() })
      .setProtectedHeader({ alg, ...(kid !== undefined && { kid }) })
      .setIssuer(clientId)
      .setSubject(clientId)
      .setAudience(audience)
      .setIssuedAt(now)
      .setExpirationTime(now + ASSERTION_TTL)
      .sign(key)
    return { client_id: clientId, client_assertion_type: ASSERTION_TYPE, client_assertion: jwt }
  }
}

interface Signer {
  readonly key: KeyObject
  readonly alg: string
  readonly kid: string | undefined
}

function readKey(text: string): Signer {
  const jwk = parseRecord(text)
  const key = openKey(jwk, text)
  const { alg, kid } = jwk ?? {}
  return {
    key,
    alg: typeof alg === 'string' ? alg : algorithmOf(key),
    kid: typeof kid === 'string' ? kid : undefined,
  }
}

function openKey(jwk: Record<string, unknown> | undefined, pem: string): KeyObject {
  try {
    return jwk === undefined ? createPrivateKey(pem) : createPrivateKey({ key: jwk as JsonWebKey, format: 'jwk' })
  } catch {
    throw new TypeError('privateKey is no private key: write it as PEM (PKCS #8) or as a JWK.')
  }
}

const CURVES: Readonly<Record<string, string>> = { prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512' }

/** RFC 7518 §3.1. */
function algorithmOf({ asymmetricKeyType: type, asymmetricKeyDetails: details }: KeyObject): string {
  if (type === 'rsa') return 'RS256'
  if (type === 'ed25519') return 'EdDSA'
  const curve = type === 'ec' ? CURVES[details?.namedCurve ?? ''] : undefined
  if (curve !== undefined) return curve
  throw new TypeError('privateKey is of a kind that no authorization server takes: use RSA, P-256, P-384 or Ed25519.')
}

/** RFC 6749 §2.3.1: both parts are form-encoded before they are joined. */
function basic(clientId: string, clientSecret: string): string {
  const encoded = [clientId, clientSecret].map((part) => new URLSearchParams({ part }).toString().slice('part='.length))
  return `Basic ${Buffer.from(encoded.join(':')).toString('base64')}`
}
