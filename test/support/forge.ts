// Access tokens made by hand (RFC 7515 §3.1): with the gate's own key, with another one, or with none at all. What a verifier must
// tell apart is bent one member at a time, so that every forgery has a twin that is accepted.
import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'
import type { JWK } from 'jose'
import type { TestGateway } from './gateway.ts'

export type Members = Readonly<Record<string, unknown>>

export interface Bent {
  /** Over the members of the genuine header; `undefined` leaves one out. */
  readonly header?: Members
  readonly claims?: Members
  /** Instead of the members: the exact text, for what no serialiser would write. */
  readonly headerText?: string | Buffer
  readonly claimsText?: string | Buffer
  /** Instead of the gate's own key. */
  readonly signature?: (input: Buffer) => Buffer
}

export interface Forge {
  /** Of the token that it was made from. */
  readonly header: Members
  readonly claims: Members
  /** The key that signs now, private part included. */
  readonly jwk: JWK
  readonly publicKey: KeyObject
  /** Without a bend: as good as a genuine one. */
  token(bent?: Bent): string
}

export const encode = (part: string | Buffer): string => Buffer.from(part).toString('base64url')

/** ECDSA as JWS wants it: both numbers side by side (RFC 7518 §3.4). */
export const es256 =
  (key: KeyObject) =>
  (input: Buffer): Buffer =>
    sign('sha256', input, { key, dsaEncoding: 'ieee-p1363' })

export async function forgeFrom({ store }: TestGateway, genuine: string): Promise<Forge> {
  const [header, claims] = genuine.split('.', 2).map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()))
  const records = await store.durable.keys.list('signing')
  const jwk = records.map(({ material }) => JSON.parse(material) as JWK).find(({ kid }) => kid === header.kid)
  if (jwk === undefined) throw new TypeError('The key that signed it is not in the store.')
  const key = createPrivateKey({ key: { ...jwk }, format: 'jwk' })
  return {
    header,
    claims,
    jwk,
    publicKey: createPublicKey(key),
    token(bent = {}) {
      const head = bent.headerText ?? JSON.stringify({ ...header, ...bent.header })
      const body = bent.claimsText ?? JSON.stringify({ ...claims, ...bent.claims })
      const input = `${encode(head)}.${encode(body)}`
      return `${input}.${encode((bent.signature ?? es256(key))(Buffer.from(input)))}`
    },
  }
}
