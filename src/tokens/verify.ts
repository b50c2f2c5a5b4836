// Is this one of our access tokens, alive, and for this resource? RFC 9068 §4, RFC 8725.
import { createLocalJWKSet, type JWK, type JWTPayload, jwtVerify } from 'jose'
import type { Clock } from '../protocol/clock.ts'
import { BearerError, RequestError } from '../protocol/errors.ts'
import { parseScope } from '../protocol/scope.ts'
import type { AccessToken, VerifyAccessToken } from './access-token.ts'
import type { Keyring } from './keyring.ts'
import type { RevocationList } from './revocations.ts'

const COMPACT = /^[A-Za-z0-9_-]{2,}\.[A-Za-z0-9_-]{2,}\.[A-Za-z0-9_-]{2,}$/
const LONGEST = 8192
const MOST_CACHED = 20_000
/** Characters of the end of an ES256 signature (RFC 7518 §3.4) in base64url: 192 bits of it, which cost less to look up than all 512. */
const SIGNATURE_END = 32

/** A token that was proved, at the revocations that were known then. */
interface Proved {
  readonly raw: string
  readonly token: AccessToken
  readonly epoch: number
}

interface Needs {
  readonly keyring: Pick<Keyring, 'signingKeys' | 'onRotation'>
  readonly revocations: Pick<RevocationList, 'epoch' | 'isRevoked' | 'isStale'>
  readonly issuer: string
  readonly clock: Clock
}

export interface AccessTokenVerifier {
  /** A token that was proved before, for one of the resources, and that nothing has happened to since. */
  recall(token: string, resources: readonly string[]): AccessToken | undefined
  verify: VerifyAccessToken
  /** Any audience of ours, for revocation and introspection; `undefined` when it is not a live token of ours. */
  find(token: string): Promise<AccessToken | undefined>
}

export function accessTokenVerifier({ keyring, revocations, issuer, clock }: Needs): AccessTokenVerifier {
  // By the end of the signature, which nobody can guess: whoever gets as far as the comparison of the whole has seen the token, so that
  // the time it takes tells nothing. Hashing the whole would cost more than all other checks of a known token together.
  const cache = new Map<string, Proved>()
  let keys = publicKeys(keyring.signingKeys())
  keyring.onRotation(() => {
    keys = publicKeys(keyring.signingKeys())
    // A key may have been withdrawn because it leaked.
    cache.clear()
  })

  async function prove(raw: string): Promise<AccessToken> {
    // jose accepts non-canonical base64url: another string that still verifies would slip past cache and deny-list.
    if (raw.length > LONGEST || !COMPACT.test(raw) || !raw.split('.').every(isCanonical))
      throw invalidToken('malformed')
    try {
      const { payload } = await jwtVerify(raw, keys, {
        issuer,
        algorithms: ['ES256'],
        typ: 'at+jwt',
        currentDate: new Date(clock()),
      })
      // RFC 8725 §2.4: we write each name once, and nothing around it; what has a second reading is not from our pen.
      if (!raw.split('.', 2).every(hasOneReading)) throw invalidToken('malformed')
      return parseClaims(payload, clock())
    } catch (cause) {
      if (cause instanceof BearerError) throw cause
      throw invalidToken((cause as { code?: string }).code === 'ERR_JWT_EXPIRED' ? 'expired' : 'bad_token')
    }
  }

  function find(raw: string): Proved | undefined {
    const held = cache.get(raw.slice(-SIGNATURE_END))
    return held?.raw === raw ? held : undefined
  }

  async function live(raw: string): Promise<AccessToken> {
    if (revocations.isStale())
      throw new RequestError(503, 'revocations_stale', 'The gate cannot reach its store. Try again shortly.', {
        retryAfter: 5,
      })
    const key = raw.slice(-SIGNATURE_END)
    const held = find(raw)
    if (held !== undefined && held.token.expiresAt <= clock()) {
      cache.delete(key)
      throw invalidToken('expired')
    }
    const epoch = revocations.epoch()
    if (held?.epoch === epoch) return held.token
    const token = held?.token ?? (await prove(raw))
    if (revocations.isRevoked(token)) {
      cache.delete(key)
      throw invalidToken('revoked')
    }
    if (held === undefined && cache.size >= MOST_CACHED) cache.delete(cache.keys().next().value ?? '')
    cache.set(key, { raw, token, epoch })
    return token
  }

  return {
    recall(raw, resources) {
      const held = find(raw)
      if (held === undefined || held.epoch !== revocations.epoch() || revocations.isStale()) return undefined
      const { token } = held
      return token.expiresAt > clock() && resources.includes(token.audience) ? token : undefined
    },
    async verify(raw, resources) {
      const token = await live(raw)
      // RFC 8707 §2: good for another resource is not good here, however well it is signed.
      if (!resources.includes(token.audience)) throw invalidToken('audience_mismatch')
      return token
    },
    async find(raw) {
      try {
        return await live(raw)
      } catch (error) {
        if (error instanceof BearerError) return undefined
        throw error
      }
    },
  }
}

// One sentence for every cause: which check failed is for the operator, not for the caller.
const invalidToken = (reason: string) => new BearerError('invalid_token', reason, 'The access token is not valid here.')

const isCanonical = (segment: string): boolean => Buffer.from(segment, 'base64url').toString('base64url') === segment

function hasOneReading(segment: string): boolean {
  const text = Buffer.from(segment, 'base64url').toString()
  return JSON.stringify(JSON.parse(text)) === text
}

const publicKeys = (keys: readonly JWK[]) =>
  createLocalJWKSet({
    keys: keys.map(({ kty, crv, x, y, kid, alg, use }) => ({ kty, crv, x, y, kid, alg, use }) as JWK),
  })

const text = (value: unknown): value is string => typeof value === 'string' && value.length > 0 && value.length <= 1024
const seconds = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value > 0 && value < 1e11

/** RFC 9068 §2.2: every claim is there and has its one type; our own clock gets no tolerance. */
function parseClaims(payload: JWTPayload, now: number): AccessToken {
  const { sub, aud, client_id: client, scope, jti, iat, exp, fam } = payload
  if (!text(sub) || !text(aud) || !text(client) || !text(jti)) throw invalidToken('claim_type')
  if (!seconds(iat) || !seconds(exp) || iat * 1000 > now || (scope !== undefined && typeof scope !== 'string'))
    throw invalidToken('claim_type')
  if (fam !== undefined && !text(fam)) throw invalidToken('claim_type')
  return {
    jti,
    subject: sub,
    client,
    audience: aud,
    scopes: parseScope(scope ?? ''),
    family: fam,
    issuedAt: iat * 1000,
    expiresAt: exp * 1000,
  }
}
