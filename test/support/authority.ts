// A certificate authority of the test's own: issues what a test names, however odd, and revokes it. RFC 5280 §4.1, §4.2, §5.1.
import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { bits, integer, octets, oid, pem, sequence, set, time, tlv, utf8, yes } from './der.ts'

/** Attribute type and value, most general first, as they stand in the certificate. */
export type Subject = readonly (readonly [type: keyof typeof ATTRIBUTES, value: string])[]

export interface Sans {
  readonly uri?: readonly string[]
  readonly dns?: readonly string[]
  readonly email?: readonly string[]
  readonly ip?: readonly string[]
}

export interface Wish {
  /** A text is the common name. */
  readonly subject?: string | Subject
  readonly sans?: Sans
  readonly usage?: 'client' | 'server' | 'none'
  /** Days from now. */
  readonly from?: number
  readonly until?: number
  /** May issue further certificates. */
  readonly authority?: boolean
}

export interface Issued {
  readonly cert: string
  readonly key: string
  readonly serial: Buffer
}

export interface Authority extends Issued {
  issue(wish?: Wish): Issued
  /** An authority below this one. */
  below(name: string): Authority
  /** The list of what it revoked; `until`: days it is good for. */
  revoke(revoked: readonly Issued[], until?: number): string
}

const ATTRIBUTES = {
  CN: '550403',
  C: '550406',
  O: '55040a',
  OU: '55040b',
  UID: '0992268993f22c640101',
} as const
const ECDSA_WITH_SHA256 = sequence(oid('2a8648ce3d040302'))
const SUBJECT_ALT_NAME = '551d11'
const BASIC_CONSTRAINTS = '551d13'
const EXTENDED_KEY_USAGE = '551d25'
const USAGES = { client: '2b06010505070302', server: '2b06010505070301' } as const
const DAY = 86_400_000

interface Signer {
  readonly name: Buffer
  readonly key: KeyObject
}

/** Signed by itself, or by `signer`. */
export function createAuthority(name: string, wish: Wish = {}, signer?: Signer): Authority {
  const own = nameOf(name)
  const { issued, key } = certify({ ...wish, subject: name, authority: true }, signer)
  return {
    ...issued,
    issue: (wanted = {}) => certify(wanted, { name: own, key }).issued,
    below: (subordinate) => createAuthority(subordinate, {}, { name: own, key }),
    revoke: (revoked, until = 1) => pem('X509 CRL', revocationList({ name: own, key }, revoked, until)),
  }
}

/** Signs with the key of a certificate that may not: what RFC 5280 §4.2.1.9 is about. `name`: its common name. */
export function abuse({ key }: Pick<Issued, 'key'>, name: string): Pick<Authority, 'issue'> {
  const signer = { name: nameOf(name), key: createPrivateKey(key) }
  return { issue: (wish = {}) => certify(wish, signer).issued }
}

function certify(wish: Wish, signer?: Signer): { issued: Issued; key: KeyObject } {
  const { privateKey: key, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const serial = Buffer.concat([Buffer.from([1]), randomBytes(15)])
  const subject = nameOf(wish.subject ?? 'client')
  const body = sequence(
    tlv(0xa0, integer(Buffer.from([2]))),
    integer(serial),
    ECDSA_WITH_SHA256,
    signer?.name ?? subject,
    sequence(time(inDays(wish.from ?? -1)), time(inDays(wish.until ?? 1))),
    subject,
    publicKey.export({ type: 'spki', format: 'der' }),
    tlv(0xa3, sequence(...extensionsOf(wish))),
  )
  const cert = pem('CERTIFICATE', signed(body, signer?.key ?? key))
  return { issued: { cert, key: key.export({ type: 'pkcs8', format: 'pem' }).toString(), serial }, key }
}

function extensionsOf({ sans = {}, usage = 'client', authority = false }: Wish): Buffer[] {
  const names = [
    ...(sans.email ?? []).map((name) => tlv(0x81, Buffer.from(name, 'latin1'))),
    ...(sans.dns ?? []).map((name) => tlv(0x82, Buffer.from(name, 'latin1'))),
    ...(sans.uri ?? []).map((name) => tlv(0x86, Buffer.from(name, 'latin1'))),
    ...(sans.ip ?? []).map((address) => tlv(0x87, Buffer.from(address.split('.').map(Number)))),
  ]
  const alternative = names.length === 0 ? [] : [sequence(oid(SUBJECT_ALT_NAME), octets(sequence(...names)))]
  if (authority) return [...alternative, sequence(oid(BASIC_CONSTRAINTS), yes(), octets(sequence(yes())))]
  if (usage === 'none') return alternative
  return [...alternative, sequence(oid(EXTENDED_KEY_USAGE), octets(sequence(oid(USAGES[usage]))))]
}

function revocationList({ name, key }: Signer, revoked: readonly Issued[], until: number): Buffer {
  const entries = revoked.map(({ serial }) => sequence(integer(serial), time(inDays(0))))
  const list = entries.length === 0 ? [] : [sequence(...entries)]
  const body = sequence(
    integer(Buffer.from([1])),
    ECDSA_WITH_SHA256,
    name,
    time(inDays(-1)),
    time(inDays(until)),
    ...list,
  )
  return signed(body, key)
}

const signed = (body: Buffer, key: KeyObject): Buffer =>
  sequence(body, ECDSA_WITH_SHA256, bits(sign('sha256', body, key)))

function nameOf(subject: string | Subject): Buffer {
  const parts: Subject = typeof subject === 'string' ? [['CN', subject]] : subject
  return sequence(...parts.map(([type, value]) => set(sequence(oid(ATTRIBUTES[type]), utf8(value)))))
}

const inDays = (days: number): Date => new Date(Date.now() + days * DAY)
