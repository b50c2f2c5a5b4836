// The signed identity that travels to servers, ours and those behind an ingress (`X-Portcullis-Assertion`): a JWT (RFC 7519) of our own type,
// for one of them and one minute. Anyone can check it against /.well-known/jwks.json; replayed at another it names the wrong audience.
import { createPrivateKey, type JsonWebKey, randomBytes, sign } from 'node:crypto'
import type { JWK } from 'jose'
import type { Clock } from '../protocol/clock.ts'
import { IDENTITY_ATTRIBUTES, type IdentityAttribute, organisationsOf } from '../protocol/identity-headers.ts'
import type { Principal } from '../protocol/principal.ts'
import type { Keyring } from './keyring.ts'

/** RFC 8725 §3.11: a type of its own, so that it is taken for no other token and no other token for it. */
export const ASSERTION_TYPE = 'portcullis-assertion+jwt'
const TTL = 60
/** A head with more is refused on the way. */
const MOST_LIST_BYTES = 2048
const MOST_TEXT_BYTES = 512
const MOST_HELD = 20_000

export type Asserted = Pick<
  Principal,
  | 'kind'
  | 'subject'
  | 'email'
  | 'name'
  | 'groups'
  | 'roles'
  | 'teams'
  | 'scopes'
  | 'client'
  | 'method'
  | 'issuer'
  | 'expiresAt'
  | 'claims'
  | 'actor'
>

export interface Assertion {
  readonly jwt: string
  /** Until then it may be shown again: half its life, in milliseconds since the epoch. */
  readonly freshUntil: number
}

interface Needs {
  readonly keyring: Pick<Keyring, 'signingKeys' | 'onRotation'>
  readonly issuer: string
  readonly clock: Clock
}

/** `attributes`: which of them it names. Default: all. */
export type MintAssertion = (who: Asserted, audience: string, attributes?: readonly IdentityAttribute[]) => Assertion

/** Answers the one made for the same audience and the same attributes, for half its life: a signature costs more than the rest of the answer. */
export function assertionMinter({ keyring, issuer, clock }: Needs): MintAssertion {
  const held = new Map<string, Assertion>()
  let signer = signerOf(keyring.signingKeys())
  keyring.onRotation(() => {
    signer = signerOf(keyring.signingKeys())
    held.clear()
  })

  return function mintAssertion(who, audience, attributes = IDENTITY_ATTRIBUTES) {
    const now = clock()
    const claims = claimsOf(who, attributes)
    const key = JSON.stringify([audience, who.expiresAt, claims])
    const known = held.get(key)
    // Minted later than now: the clock was set back.
    if (known !== undefined && now < known.freshUntil && known.freshUntil - now <= TTL * 500) return known
    const issuedAt = Math.floor(now / 1000)
    // Not beyond the credential that it speaks of.
    const ends = Math.min(issuedAt + TTL, Math.floor((who.expiresAt ?? Number.POSITIVE_INFINITY) / 1000))
    const jti = randomBytes(12).toString('base64url')
    const jwt = signer({ iss: issuer, aud: audience, iat: issuedAt, exp: ends, jti, ...claims })
    const made = { jwt, freshUntil: now + (ends * 1000 - now) / 2 }
    held.delete(key)
    if (held.size >= MOST_HELD) held.delete(held.keys().next().value ?? '')
    held.set(key, made)
    return made
  }
}

function claimsOf(who: Asserted, attributes: readonly IdentityAttribute[]) {
  const { kind, subject, email, name, client, method, issuer, actor } = who
  const tells = (attribute: IdentityAttribute) => attributes.includes(attribute)
  const lists = listsOf(who, tells)
  const tooLong = Buffer.byteLength(JSON.stringify(lists)) > MOST_LIST_BYTES
  const fits = (text: string | undefined) => text !== undefined && Buffer.byteLength(text) <= MOST_TEXT_BYTES
  return {
    sub: subject,
    kind,
    ...(tells('method') && { auth_method: method }),
    ...(issuer !== undefined && { sub_issuer: issuer }),
    ...(tells('email') && email !== undefined && { email, email_verified: true }),
    ...(tells('name') && fits(name) && { name }),
    ...(tells('client') && fits(client) && { client_id: client }),
    ...(actor !== undefined && { act: actOf(actor) }),
    // All or none: a list cut short would say that the person belongs to no other group.
    ...(tooLong ? { lists_omitted: true } : lists),
  }
}

function listsOf(who: Asserted, tells: (attribute: IdentityAttribute) => boolean) {
  const { scopes, groups, roles, teams } = who
  const organisations = organisationsOf(who)
  return {
    ...(tells('scopes') && { scope: scopes.join(' ') }),
    ...(tells('groups') && { groups }),
    ...(tells('roles') && { roles }),
    ...(tells('teams') && { teams }),
    ...(tells('organisation') && organisations.length > 0 && { organisations }),
  }
}

/** RFC 8693 §4.1: who acts for the subject, and for whom they in turn were acted for. */
const actOf = ({ subject, actor }: Pick<Principal, 'subject' | 'actor'>): object =>
  actor === undefined ? { sub: subject } : { sub: subject, act: actOf(actor) }

/** RFC 7518 §3.4: ES256 with the two numbers side by side. */
function signerOf([jwk]: readonly JWK[]): (claims: object) => string {
  if (jwk === undefined) throw new TypeError('There is no key to sign assertions with.')
  const key = createPrivateKey({ key: jwk as JsonWebKey, format: 'jwk' })
  const head = encode({ alg: 'ES256', typ: ASSERTION_TYPE, kid: jwk.kid })
  return (claims) => {
    const signed = `${head}.${encode(claims)}`
    const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' })
    return `${signed}.${signature.toString('base64url')}`
  }
}

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
