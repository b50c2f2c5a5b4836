// Rows C12, C13, C14, C16 and C17 of the attack catalogue for tokens of another issuer: keys that a token brings along, strings that are
// nearly a token, extensions and encryptions. RFC 8725 §3, RFC 7515 §4.1.
import { createHmac, generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ExternalRange, startExternalRange } from '../support/external-range.ts'
import { encode } from '../support/forge.ts'
import { type Bent, signingKey } from '../support/issuer.ts'
import { attackTable, shoot } from '../support/range.ts'

let external: ExternalRange
beforeAll(async () => {
  external = await startExternalRange()
})
afterAll(() => external?.close())

interface Row {
  readonly id: string
  readonly bent?: () => Bent
  readonly token?: () => string
  readonly reason: string
}
const fire = ({ bent, token, reason }: Row) => external.expectRefused(token?.() ?? external.token(bent?.()), reason)

const thief = signingKey('thief')
const stolen = (input: Buffer) => sign('sha256', input, { key: thief.privateKey, dsaEncoding: 'ieee-p1363' })
const publicJwk = thief.publicKey.export({ format: 'jwk' })
const pem = () => external.issuer.key.publicKey.export({ type: 'spki', format: 'pem' }).toString()
const mac =
  (secret: () => string, hash = 'sha256') =>
  (input: Buffer) =>
    createHmac(hash, secret()).update(input).digest()

const PATHS = ['../../../../dev/null', "' or 1=1 --", '"; drop table keys; --', '__proto__', '\0']

attackTable(
  'C12: another algorithm, another key',
  [
    ...['none', 'NONE', 'None', 'nOnE'].map((alg) => ({
      id: `alg "${alg}"`,
      bent: () => ({ header: { alg } }),
      reason: 'algorithm',
    })),
    {
      id: 'alg none, unsigned',
      bent: () => ({ header: { alg: 'none' }, signature: () => Buffer.alloc(0) }),
      reason: 'malformed',
    },
    {
      id: 'HS256 with the public key',
      bent: () => ({ header: { alg: 'HS256' }, signature: mac(pem) }),
      reason: 'algorithm',
    },
    {
      id: 'HS256 with the key set',
      bent: () => ({ header: { alg: 'HS256' }, signature: mac(() => JSON.stringify(external.issuer.keySet)) }),
      reason: 'algorithm',
    },
    { id: 'HS384', bent: () => ({ header: { alg: 'HS384' }, signature: mac(pem, 'sha384') }), reason: 'algorithm' },
    { id: 'alg as a list', bent: () => ({ header: { alg: ['ES256'] } }), reason: 'malformed' },
    {
      id: 'its key embedded',
      bent: () => ({ header: { kid: undefined, jwk: publicJwk }, signature: stolen }),
      reason: 'header_forbidden',
    },
    {
      id: 'its key embedded, under our kid',
      bent: () => ({ header: { jwk: publicJwk }, signature: stolen }),
      reason: 'header_forbidden',
    },
    {
      id: 'its key by address',
      bent: () => ({ header: { jku: `${external.bait}/jwks` }, signature: stolen }),
      reason: 'header_forbidden',
    },
    {
      id: 'its certificate by address',
      bent: () => ({ header: { x5u: `${external.bait}/cert` }, signature: stolen }),
      reason: 'header_forbidden',
    },
    {
      id: 'its certificate embedded',
      bent: () => ({ header: { x5c: [encode('certificate')] }, signature: stolen }),
      reason: 'header_forbidden',
    },
    {
      id: 'an issuer of its own',
      bent: () => ({ claims: { iss: external.bait }, signature: stolen }),
      reason: 'bad_token',
    },
    {
      id: 'an issuer that looks like it',
      bent: () => ({ claims: { iss: `${external.issuer.issuer}@${external.bait.slice(7)}` } }),
      reason: 'bad_token',
    },
    ...PATHS.map((kid) => ({
      id: `kid ${JSON.stringify(kid)}`,
      bent: () => ({ header: { kid }, signature: stolen }),
      reason: 'unknown_key',
    })),
    { id: 'kid as a number', bent: () => ({ header: { kid: 0 }, signature: stolen }), reason: 'malformed' },
    { id: 'no kid', bent: () => ({ header: { kid: undefined }, signature: stolen }), reason: 'bad_signature' },
    { id: 'random bytes', bent: () => ({ signature: () => randomBytes(64) }), reason: 'bad_signature' },
    { id: 'zeros', bent: () => ({ signature: () => Buffer.alloc(64) }), reason: 'bad_signature' },
    {
      id: 'DER in place of two numbers',
      bent: () => ({ signature: (input) => sign('sha256', input, external.issuer.key.privateKey) }),
      reason: 'bad_signature',
    },
    {
      id: 'claims of another under a genuine signature',
      token: () => {
        const [head, , signature] = external.token().split('.')
        return `${head}.${encode(JSON.stringify({ ...external.claims(), sub: 'ext-admin' }))}.${signature}`
      },
      reason: 'bad_signature',
    },
    {
      id: 'RS256 with a key of its own under our kid',
      bent: () => ({
        header: { alg: 'RS256' },
        signature: (input) => sign('sha256', input, generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey),
      }),
      reason: 'unknown_key',
    },
  ] satisfies readonly Row[],
  fire,
)

attackTable(
  'C13: strings that are nearly the token',
  (
    [
      ['padded', (token) => `${token}==`],
      ['with a space in its head', (token) => token.replace('.', ' .')],
      ['with a dot more', (token) => `${token}.`],
      ['with a tab at its end', (token) => `${token}\t`],
      [
        'with other unused bits at its end',
        (token) => `${token.slice(0, -1)}${String.fromCharCode((token.at(-1) ?? '').charCodeAt(0) + 1)}`,
      ],
    ] satisfies readonly (readonly [string, (token: string) => string])[]
  ).map(([id, change]) => ({ id, change })),
  async ({ change }) => {
    // Warm: what is remembered must not be found under another string.
    const known = external.token()
    await external.expectTaken(known)
    const before = external.range.canary.requests.length
    const answer = await shoot(external.range, { bend: { Authorization: `Bearer ${change(known)}` } })
    // A field's value ends before the whitespace after it (RFC 9110 §5.5): then it is the token itself.
    const trimmed = change(known).trim() === known
    expect(answer.status).toBe(trimmed ? 200 : 401)
    expect(external.range.canary.requests.length).toBe(before + (trimmed ? 1 : 0))
    await external.expectTaken(known)
  },
)

describe('C14: beginnings and ends of a token that is remembered', () => {
  it('are nobody, however long they are', async () => {
    const known = external.token()
    await external.expectTaken(known)
    const before = external.range.canary.requests.length
    const lengths = [16, 20, 64, 86, 128, known.length - 1]
    const junk = 'A'.repeat(known.length)
    const forged = lengths.flatMap((n) => [
      known.slice(0, n) + junk.slice(n),
      junk.slice(n) + known.slice(-n),
      known.slice(-n),
    ])
    // One signature in four ends in the very letter that is put in place of its last.
    for (const token of forged.filter((one) => one !== known)) {
      const { status } = await shoot(external.range, { bend: { Authorization: `Bearer ${token}` } })
      expect(status).toBe(401)
    }
    expect(external.range.canary.requests.length).toBe(before)
    await external.expectTaken(known)
  })

  it('of one person are not those of another with the same header and kid', async () => {
    const { gateway } = external.range
    const who = async (token: string) => {
      const { headers } = await fetch(gateway.resource('canary'), {
        method: 'POST',
        headers: { authorization: `Bearer ${token}` },
      })
      const id = headers.get('x-request-id')
      const events = await gateway.audit((all) => all.some((event) => event.id === id))
      return events.find((event) => event.id === id)?.subject
    }
    const [ann, bob] = [external.token(), external.token({ claims: { sub: 'ext-bob' } })]
    for (const [token, name] of [
      [ann, 'ext-ann'],
      [bob, 'ext-bob'],
      [ann, 'ext-ann'],
    ] as const)
      expect(await who(token)).toBe(`${external.issuer.issuer}|${name}`)
  })
})

attackTable(
  'C16: what must be understood',
  [
    { id: 'an unknown extension', bent: () => ({ header: { crit: ['x'], x: 1 } }), reason: 'header_forbidden' },
    { id: 'an empty list', bent: () => ({ header: { crit: [] } }), reason: 'header_forbidden' },
    { id: 'null', bent: () => ({ header: { crit: null } }), reason: 'header_forbidden' },
    { id: 'b64 false', bent: () => ({ header: { crit: ['b64'], b64: false } }), reason: 'header_forbidden' },
    { id: 'b64 false, not critical', bent: () => ({ header: { b64: false } }), reason: 'header_forbidden' },
    {
      id: 'detached',
      token: () => external.token().replace(/\.[^.]+\./, '..'),
      reason: 'malformed',
    },
  ] satisfies readonly Row[],
  fire,
)

const jwe = (header: Record<string, unknown>) =>
  [JSON.stringify(header), 'k'.repeat(40), 'i'.repeat(12), 'c'.repeat(64), 't'.repeat(16)].map(encode).join('.')

attackTable(
  'C17: what is not opened',
  [
    ...[
      { alg: 'dir', enc: 'A256GCM' },
      { alg: 'RSA-OAEP-256', enc: 'A256GCM', zip: 'DEF' },
      { alg: 'PBES2-HS256+A128KW', enc: 'A128GCM', p2c: 2 ** 31 - 1, p2s: encode('salt') },
    ].map((header) => ({ id: `five parts: ${header.alg}`, token: () => jwe(header), reason: 'malformed' })),
    {
      id: 'PBES2 before a signature',
      bent: () => ({ header: { alg: 'PBES2-HS256+A128KW', p2c: 2 ** 31 - 1 } }),
      reason: 'header_forbidden',
    },
    {
      id: 'an encryption before a signature',
      bent: () => ({ header: { enc: 'A256GCM' } }),
      reason: 'header_forbidden',
    },
    { id: 'compressed', bent: () => ({ header: { zip: 'DEF' } }), reason: 'header_forbidden' },
  ] satisfies readonly Row[],
  fire,
)

it('C17: 16 KB and more are no token of anybody', async () => {
  const long = external.token({ claims: { x: 'x'.repeat(12_500) } })
  expect(long.length).toBeGreaterThan(16_384)
  const { status } = await shoot(external.range, { bend: { Authorization: `Bearer ${long}` } })
  expect([401, 431]).toContain(status)
  await external.expectTaken(external.token({ claims: { x: 'x'.repeat(8000) } }))
})
