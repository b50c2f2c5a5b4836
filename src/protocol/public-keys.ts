// The public keys of somebody who signs, judged before they count: RFC 7517, RFC 7518 §6, RFC 8725 §3.5. A weak key is as good as
// none, since whoever breaks it signs in that name: it is left out, and told.
import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { isRocaModulus } from './roca.ts'

export interface PublicKeys {
  /** Those that may have made a signature under this header: of its `kid`, and those that have none. */
  select(header: { readonly alg: string; readonly kid: string | undefined }): readonly KeyObject[]
  readonly size: number
  /** What was left out, and why; for the log. */
  readonly flaws: readonly string[]
}

interface PublicKey {
  readonly kid: string | undefined
  /** The one algorithm it is for, where it says so. */
  readonly alg: string | undefined
  readonly key: KeyObject
}

type Members = Readonly<Record<string, unknown>>

/** No key set at all. The message says why, in words for the operator. */
export class KeySetError extends Error {
  override readonly name = 'KeySetError'
}

const MOST_KEYS = 100
const LEAST_BITS = 2048
/** A longer modulus makes each signature cost milliseconds. */
const MOST_BITS = 8192
const LEAST_EXPONENT = 65_537n
const MOST_EXPONENT = 2n ** 32n

/** What an algorithm is signed with, by OpenSSL's names (RFC 7518 §3.1, RFC 8037 §3.1). */
const CURVES: Readonly<Record<string, string>> = { ES256: 'prime256v1', ES384: 'secp384r1', ES512: 'secp521r1' }

function fits({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject, alg: string): boolean {
  if (/^[RP]S/.test(alg)) return asymmetricKeyType === 'rsa'
  if (alg === 'EdDSA') return asymmetricKeyType === 'ed25519'
  return asymmetricKeyType === 'ec' && asymmetricKeyDetails?.namedCurve === CURVES[alg]
}

/** A JWK Set (RFC 7517 §5) as JSON text, or public keys and certificates as PEM. Throws KeySetError. */
export function parsePublicKeys(text: string): PublicKeys {
  return text.trimStart().startsWith('-----BEGIN') ? ofPem(text) : ofJwkSet(text)
}

function ofJwkSet(text: string): PublicKeys {
  const listed = listedKeys(text)
  const judged = listed.slice(0, MOST_KEYS).map(judge)
  const flaws = judged.flatMap((one) => ('flaw' in one ? [one.flaw] : []))
  if (listed.length > MOST_KEYS) flaws.push(`${listed.length - MOST_KEYS} keys beyond the first ${MOST_KEYS}`)
  const sound = judged.flatMap((one) => ('key' in one ? [one] : []))
  // RFC 7517 §4.5: which of two keys of one name is meant, nobody can say; one that is listed twice is meant both times.
  const isAmbiguous = ({ kid, key }: PublicKey) =>
    kid !== undefined && sound.some((other) => other.kid === kid && !other.key.equals(key))
  const ambiguous = new Set(sound.filter(isAmbiguous).map(({ kid }) => kid))
  for (const kid of ambiguous) flaws.push(`${label(kid)}: several keys have this kid`)
  return holding(
    sound.filter(({ kid }) => kid === undefined || !ambiguous.has(kid)),
    flaws,
  )
}

function holding(keys: readonly PublicKey[], flaws: readonly string[]): PublicKeys {
  return {
    select: ({ alg, kid }) =>
      keys
        .filter((one) => one.kid === undefined || kid === undefined || one.kid === kid)
        .filter((one) => (one.alg === undefined || one.alg === alg) && fits(one.key, alg))
        .map(({ key }) => key),
    size: keys.length,
    flaws,
  }
}

function listedKeys(text: string): readonly unknown[] {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new KeySetError('it is not JSON', { cause })
  }
  const keys = typeof value === 'object' && value !== null && 'keys' in value ? value.keys : undefined
  if (!Array.isArray(keys)) throw new KeySetError('it is no JWK Set: an object with a list `keys` is expected')
  return keys
}

const isObject = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const label = (kid: unknown): string =>
  typeof kid === 'string' ? JSON.stringify(kid.slice(0, 64)) : 'a key without a kid'

type Judged = PublicKey | { readonly flaw: string } | { readonly other: true }

function judge(jwk: unknown): Judged {
  if (!isObject(jwk)) return { flaw: 'an entry that is no key' }
  const { kid, use, key_ops: operations, alg } = jwk
  // RFC 7517 §4.2: a key for encryption is nothing to complain of; it is just not for us.
  if (use === 'enc') return { other: true }
  const flaw = flawOf(jwk)
  if (flaw !== undefined) return { flaw: `${label(kid)}: ${flaw}` }
  if (use !== undefined && use !== 'sig') return { flaw: `${label(kid)}: its use is not known` }
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify')))
    return { flaw: `${label(kid)}: it is not for verifying` }
  const key = importKey(jwk)
  const weakness = key === undefined ? 'it is malformed' : weaknessOf(key, jwk)
  if (key === undefined || weakness !== undefined) return { flaw: `${label(kid)}: ${weakness}` }
  return { kid: kid as string | undefined, alg: alg as string | undefined, key }
}

function flawOf({ kty, kid, alg, d, k }: Members): string | undefined {
  if (kty === 'oct' || k !== undefined) return 'it is symmetric'
  // Whoever has read it can sign with it.
  if (d !== undefined) return 'its private part is published'
  if ((kid !== undefined && typeof kid !== 'string') || (alg !== undefined && typeof alg !== 'string'))
    return 'it is malformed'
  return undefined
}

/** Public members alone. OpenSSL refuses a point that is not on its curve. */
function importKey({ kty, crv, x, y, n, e }: Members): KeyObject | undefined {
  try {
    return createPublicKey({ key: { kty, crv, x, y, n, e } as JsonWebKey, format: 'jwk' })
  } catch {
    // Which member is wrong, OpenSSL does not say; `undefined` is told as malformed.
    return undefined
  }
}

function weaknessOf({ asymmetricKeyType, asymmetricKeyDetails = {} }: KeyObject, { n }: Members): string | undefined {
  const { modulusLength = 0, publicExponent = 0n, namedCurve } = asymmetricKeyDetails
  switch (asymmetricKeyType) {
    case 'rsa':
      if (modulusLength < LEAST_BITS) return `RSA of ${modulusLength} bits; ${LEAST_BITS} are needed`
      if (modulusLength > MOST_BITS) return `RSA of ${modulusLength} bits; more than ${MOST_BITS}`
      if (publicExponent < LEAST_EXPONENT || publicExponent > MOST_EXPONENT || publicExponent % 2n === 0n)
        return 'RSA with a public exponent other than 65537'
      return typeof n === 'string' && isRocaModulus(n) ? 'RSA that can be factored (ROCA)' : undefined
    case 'ec':
      return Object.values(CURVES).includes(namedCurve ?? '') ? undefined : 'its curve is not used for signatures'
    case 'ed25519':
      return undefined
    default:
      return 'its kind is not used for signatures'
  }
}

const PEM_BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[A-Za-z0-9+/=\s]+-----END \1-----/g

/** PEM has no names for keys: each may be the one. */
function ofPem(text: string): PublicKeys {
  const blocks = [...text.matchAll(PEM_BLOCK)]
  // One that is cut short must not go missing beside one that is whole.
  if (blocks.length !== text.split('-----BEGIN ').length - 1) throw new KeySetError('its PEM is cut short or malformed')
  const keys = blocks.map(([block, kind = '']): PublicKey => {
    if (kind.endsWith('PRIVATE KEY')) throw new KeySetError('it is a private key; write the public one')
    const key = importPem(block)
    const weakness = weaknessOf(key, { n: key.export({ format: 'jwk' }).n })
    if (weakness !== undefined) throw new KeySetError(`its key cannot be used: ${weakness}`)
    return { kid: undefined, alg: undefined, key }
  })
  return holding(keys, [])
}

function importPem(block: string): KeyObject {
  try {
    return createPublicKey(block)
  } catch (cause) {
    throw new KeySetError('its PEM is cut short or malformed', { cause })
  }
}
