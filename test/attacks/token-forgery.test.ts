// Rows C12, C15, C16 and C17 of the attack catalogue: tokens that nobody gave out, with our key and without it.
// RFC 8725 §3 (algorithms, types, one reading), RFC 7515 §4.1.11 (`crit`), RFC 9068 §2.2 (claims).
import { createHmac, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { createServer, type Server } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { encode, es256, type Forge, forgeFrom } from '../support/forge.ts'
import { BOB } from '../support/gateway.ts'
import {
  attackTable,
  expectNoSecret,
  expectRecorded,
  expectServed,
  type Range,
  shoot,
  startRange,
} from '../support/range.ts'

let range: Range
let forge: Forge
let thief: { privateKey: KeyObject; publicKey: KeyObject }
let subjectOfBob: string

/** Where headers of tokens point to; whoever comes was sent by one. */
let bait: Server
let visits = 0
let baitUrl = ''

beforeAll(async () => {
  bait = createServer((socket) => {
    visits++
    socket.destroy()
  })
  await new Promise<void>((resolve) => bait.listen(0, '127.0.0.1', resolve))
  const address = bait.address()
  baitUrl = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
  range = await startRange()
  forge = await forgeFrom(range.gateway, range.token)
  thief = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  subjectOfBob = (await range.gateway.addUser(BOB)).id
})
afterAll(async () => {
  await range?.close()
  bait?.close()
})

async function expectRefusedToken(token: string, reason: string): Promise<void> {
  const before = range.canary.requests.length
  const answer = await shoot(range, { bend: { Authorization: `Bearer ${token}` } })
  expect({ status: answer.status, body: answer.body.toString() }).toMatchObject({ status: 401 })
  expect(answer.header('www-authenticate')).toMatch(/^Bearer error="invalid_token", .*resource_metadata="/)
  // Which check failed is not the caller's to know.
  expect(answer.body.toString()).toBe('{"error":"Unauthorized","message":"The access token is not valid here."}')
  expect(range.canary.requests.length).toBe(before)
  await expectRecorded(range, answer, reason)
  expectNoSecret(range, token)
  expect(visits).toBe(0)
}

interface Row {
  readonly id: string
  readonly token: () => string
  readonly reason?: string
}

/** The positive twin of every forgery is the same one without its bend. */
async function fire({ token, reason = 'bad_token' }: Row): Promise<void> {
  await expectRefusedToken(token(), reason)
  await expectServed({ ...range, token: forge.token() })
}

// ---- C12: who says how it is signed, and with what.

const asThief = (input: Buffer) => es256(thief.privateKey)(input)
const publicJwk = (key: KeyObject) => key.export({ format: 'jwk' })
const pem = () => forge.publicKey.export({ type: 'spki', format: 'pem' }).toString()
const mac =
  (secret: string | Buffer, hash = 'sha256') =>
  (input: Buffer) =>
    createHmac(hash, secret).update(input).digest()
const nothing = () => Buffer.alloc(0)
const withKey = (secret: () => string | Buffer) => () =>
  forge.token({ header: { alg: 'HS256' }, signature: (input) => mac(secret())(input) })

const PATHS = [
  '../../../../dev/null',
  '/dev/null',
  '/proc/self/environ',
  "' or 1=1 --",
  '"; drop table keys; --',
  '*',
  '',
  '\0',
  '__proto__',
  'constructor',
]

const ALGORITHMS: readonly Row[] = [
  ...['none', 'None', 'NONE', 'nOnE', ''].map((alg) => ({
    id: `alg "${alg}", unsigned`,
    token: () => forge.token({ header: { alg }, signature: nothing }),
    reason: 'malformed',
  })),
  ...['none', 'NONE'].map((alg) => ({
    id: `alg "${alg}", with a signature`,
    token: () => forge.token({ header: { alg } }),
  })),
  { id: 'ES256, unsigned', token: () => forge.token({ signature: nothing }), reason: 'malformed' },
  { id: 'ES256, zeros', token: () => forge.token({ signature: () => Buffer.alloc(64) }) },
  {
    id: 'ES256, r and s of one',
    token: () => forge.token({ signature: () => Buffer.from(`${'00'.repeat(31)}01`.repeat(2), 'hex') }),
  },
  { id: 'ES256, random', token: () => forge.token({ signature: () => randomBytes(64) }) },
  { id: 'ES256, one byte short', token: () => forge.token({ signature: (input) => asThief(input).subarray(1) }) },
  { id: 'ES256, in DER', token: () => forge.token({ signature: (input) => sign('sha256', input, ownKey()) }) },
  { id: 'HS256 with the public key as PEM', token: withKey(pem) },
  { id: 'HS256 with the public key as PEM, trimmed', token: withKey(() => pem().trim()) },
  {
    id: 'HS256 with the public key as DER',
    token: withKey(() => forge.publicKey.export({ type: 'spki', format: 'der' })),
  },
  { id: 'HS256 with the public key as JWK', token: withKey(() => JSON.stringify(publicJwk(forge.publicKey))) },
  { id: 'HS256 with x of the public key', token: withKey(() => Buffer.from(String(forge.jwk.x), 'base64url')) },
  { id: 'HS256 with an empty key', token: withKey(() => '') },
  {
    id: 'HS384 with the public key',
    token: () => forge.token({ header: { alg: 'HS384' }, signature: (input) => mac(pem(), 'sha384')(input) }),
  },
  { id: 'RS256 by the header', token: () => forge.token({ header: { alg: 'RS256' } }) },
  { id: 'ES384 by the header', token: () => forge.token({ header: { alg: 'ES384' } }) },
  { id: 'EdDSA by the header', token: () => forge.token({ header: { alg: 'EdDSA' } }) },
  { id: 'alg in lower case', token: () => forge.token({ header: { alg: 'es256' } }) },
  { id: 'alg as a list', token: () => forge.token({ header: { alg: ['ES256'] } }) },
  { id: 'no alg', token: () => forge.token({ header: { alg: undefined } }) },
  { id: 'another key, our kid', token: () => forge.token({ signature: asThief }) },
  { id: 'another key, its own kid', token: () => forge.token({ header: { kid: 'thief' }, signature: asThief }) },
  { id: 'another key, no kid', token: () => forge.token({ header: { kid: undefined }, signature: asThief }) },
  {
    id: 'its key embedded',
    token: () => forge.token({ header: { jwk: publicJwk(thief.publicKey) }, signature: asThief }),
  },
  {
    id: 'its key embedded, no kid',
    token: () => forge.token({ header: { kid: undefined, jwk: publicJwk(thief.publicKey) }, signature: asThief }),
  },
  {
    id: 'its key by address',
    token: () => forge.token({ header: { jku: `${baitUrl}/jwks.json` }, signature: asThief }),
  },
  {
    id: 'its key by address and kid',
    token: () => forge.token({ header: { kid: 'thief', jku: `${baitUrl}/jwks.json` }, signature: asThief }),
  },
  {
    id: 'its certificate by address',
    token: () => forge.token({ header: { kid: 'thief', x5u: `${baitUrl}/cert.pem` }, signature: asThief }),
  },
  {
    id: 'its certificate embedded',
    token: () => forge.token({ header: { x5c: [encode('certificate')] }, signature: asThief }),
  },
  { id: 'an issuer of its own', token: () => forge.token({ claims: { iss: baitUrl }, signature: asThief }) },
  ...PATHS.map((kid) => ({
    id: `kid ${JSON.stringify(kid)}`,
    token: () => forge.token({ header: { kid }, signature: asThief }),
  })),
  ...PATHS.slice(0, 2).map((kid) => ({
    id: `kid ${kid}, HS256 with what is there`,
    token: () => forge.token({ header: { kid, alg: 'HS256' }, signature: mac('') }),
  })),
  { id: 'kid as a number', token: () => forge.token({ header: { kid: 0 }, signature: asThief }) },
  {
    id: 'kid of 6 KB',
    token: () => forge.token({ header: { kid: 'k'.repeat(6000) }, signature: asThief }),
    reason: 'malformed',
  },
  {
    id: 'claims of another under a genuine signature',
    token: () => {
      const [head, , signature] = range.token.split('.')
      return `${head}.${encode(JSON.stringify({ ...forge.claims, sub: subjectOfBob }))}.${signature}`
    },
  },
  {
    id: 'a header of another under a genuine signature',
    token: () => {
      const [, body, signature] = range.token.split('.')
      return `${encode(JSON.stringify({ ...forge.header, x: 1 }))}.${body}.${signature}`
    },
  },
  {
    id: 'JSON serialisation',
    token: () => encode(JSON.stringify({ payload: range.token.split('.')[1], signatures: [] })),
    reason: 'malformed',
  },
]

const ownKey = () => ({ key: { ...forge.jwk }, format: 'jwk' }) as never

attackTable('C12: another algorithm, another key', ALGORITHMS, fire)

// ---- C15: the right key under the wrong words.

const now = () => Math.floor(range.gateway.clock.now() / 1000)
const claim = (id: string, claims: () => Record<string, unknown>, reason?: string): Row => ({
  id,
  token: () => forge.token({ claims: claims() }),
  ...(reason === undefined ? {} : { reason }),
})
const TYPE = 'claim_type'
/** The genuine members as text, and this after them. */
const more = (text: string) => `${JSON.stringify(forge.claims).slice(0, -1)},${text}}`

const CLAIMS: readonly Row[] = [
  claim('no exp', () => ({ exp: undefined }), TYPE),
  claim('exp null', () => ({ exp: null })),
  claim('exp as text', () => ({ exp: String(now() + 60) })),
  claim('exp 1e300', () => ({ exp: 1e300 }), TYPE),
  {
    id: 'exp 1e400',
    token: () => forge.token({ claimsText: JSON.stringify(forge.claims).replace(/"exp":\d+/, '"exp":1e400') }),
    reason: 'malformed',
  },
  claim('exp beyond 2^53', () => ({ exp: 2 ** 53 }), TYPE),
  claim('exp negative', () => ({ exp: -1 }), 'expired'),
  claim('exp 0', () => ({ exp: 0 }), 'expired'),
  claim('exp with a fraction', () => ({ exp: now() + 60.5 }), TYPE),
  claim('exp as a list', () => ({ exp: [now() + 60] })),
  claim('exp true', () => ({ exp: true })),
  claim('exp now', () => ({ exp: now() }), 'expired'),
  claim('exp a second ago', () => ({ exp: now() - 1 }), 'expired'),
  claim('nbf in a minute', () => ({ nbf: now() + 60 })),
  claim('nbf as text', () => ({ nbf: '0' })),
  claim('iat in ten minutes', () => ({ iat: now() + 600, exp: now() + 1200 }), TYPE),
  claim('iat in five seconds', () => ({ iat: now() + 5 }), TYPE),
  claim('iat as text', () => ({ iat: String(now()) })),
  claim('iat negative', () => ({ iat: -1 }), TYPE),
  claim('no iat', () => ({ iat: undefined }), TYPE),
  claim('sub as a number', () => ({ sub: 1 }), TYPE),
  claim('sub empty', () => ({ sub: '' }), TYPE),
  claim('no sub', () => ({ sub: undefined }), TYPE),
  claim('sub null', () => ({ sub: null }), TYPE),
  claim('sub as a list', () => ({ sub: [forge.claims['sub']] }), TYPE),
  claim('sub of nobody', () => ({ sub: '00000000-0000-4000-8000-000000000000' }), 'account_gone'),
  claim('sub with a NUL', () => ({ sub: `${forge.claims['sub']}\0` }), 'account_gone'),
  claim('sub in upper case', () => ({ sub: String(forge.claims['sub']).toUpperCase() }), 'account_gone'),
  claim('sub by name', () => ({ sub: 'ann' }), 'account_gone'),
  claim('sub of an attack', () => ({ sub: "' or '1'='1" }), 'account_gone'),
  claim('sub __proto__', () => ({ sub: '__proto__' }), 'account_gone'),
  claim('sub of 2 KB', () => ({ sub: 'x'.repeat(2048) }), TYPE),
  claim('iss as a list', () => ({ iss: [range.gateway.url] })),
  claim('no iss', () => ({ iss: undefined })),
  claim('iss with a slash', () => ({ iss: `${range.gateway.url}/` })),
  claim('iss in upper case', () => ({ iss: range.gateway.url.toUpperCase() })),
  claim('iss of another', () => ({ iss: 'https://evil.example' })),
  claim('aud as an object', () => ({ aud: { aud: range.gateway.resource('canary') } }), TYPE),
  claim('aud in a list in a list', () => ({ aud: [[range.gateway.resource('canary')]] }), TYPE),
  claim('no client_id', () => ({ client_id: undefined }), TYPE),
  claim('client_id as a list', () => ({ client_id: ['x'] }), TYPE),
  claim('no jti', () => ({ jti: undefined }), TYPE),
  claim('jti as a number', () => ({ jti: 1 }), TYPE),
  claim('scope as a list', () => ({ scope: ['mcp:tools'] }), TYPE),
  claim('family as a number', () => ({ fam: 1 }), TYPE),
  claim('family empty', () => ({ fam: '' }), TYPE),
  { id: 'sub twice', token: () => forge.token({ claimsText: more(`"sub":"${subjectOfBob}"`) }), reason: 'malformed' },
  {
    id: 'sub twice, once escaped',
    token: () => forge.token({ claimsText: more(`"s\\u0075b":"${subjectOfBob}"`) }),
    reason: 'malformed',
  },
  { id: 'exp twice', token: () => forge.token({ claimsText: more(`"exp":${now() + 9999}`) }), reason: 'malformed' },
  {
    id: 'aud twice',
    token: () => forge.token({ claimsText: more(`"aud":"${range.gateway.resource('canary')}"`) }),
    reason: 'malformed',
  },
  {
    id: 'claims with a byte order mark',
    token: () => forge.token({ claimsText: `\ufeff${JSON.stringify(forge.claims)}` }),
  },
  {
    id: 'claims with a space',
    token: () => forge.token({ claimsText: ` ${JSON.stringify(forge.claims)}` }),
    reason: 'malformed',
  },
  {
    id: 'claims with a bad byte',
    token: () =>
      forge.token({
        claimsText: Buffer.concat([Buffer.from(more('"x":"').slice(0, -1)), Buffer.from([0xff]), Buffer.from('"}')]),
      }),
  },
  {
    id: 'claims in UTF-16',
    token: () => forge.token({ claimsText: Buffer.from(JSON.stringify(forge.claims), 'utf16le') }),
  },
  { id: 'claims as a list', token: () => forge.token({ claimsText: `[${JSON.stringify(forge.claims)}]` }) },
  { id: 'claims null', token: () => forge.token({ claimsText: 'null' }) },
  { id: 'claims as text', token: () => forge.token({ claimsText: '"claims"' }) },
  { id: 'claims that are no JSON', token: () => forge.token({ claimsText: '{sub:1}' }) },
  ...[
    'JWT',
    'jwt',
    'logout+jwt',
    'dpop+jwt',
    'secevent+jwt',
    'token-introspection+jwt',
    'oauth-authz-req+jwt',
    '',
    'at+jwt ',
    'text/at+jwt',
  ].map((typ) => ({ id: `typ "${typ}"`, token: () => forge.token({ header: { typ } }) })),
  { id: 'no typ', token: () => forge.token({ header: { typ: undefined } }) },
  { id: 'typ as a list', token: () => forge.token({ header: { typ: ['at+jwt'] } }) },
  {
    id: 'alg twice',
    token: () => forge.token({ headerText: `${JSON.stringify(forge.header).slice(0, -1)},"alg":"ES256"}` }),
    reason: 'malformed',
  },
  {
    id: 'kid twice',
    token: () => forge.token({ headerText: `${JSON.stringify(forge.header).slice(0, -1)},"kid":"${forge.jwk.kid}"}` }),
    reason: 'malformed',
  },
  {
    id: 'a header with a space',
    token: () => forge.token({ headerText: `${JSON.stringify(forge.header)} ` }),
    reason: 'malformed',
  },
  { id: 'a header as a list', token: () => forge.token({ headerText: `[${JSON.stringify(forge.header)}]` }) },
]

attackTable('C15: claims of other types, signed by us', CLAIMS, fire)

describe('C15: what a genuine token may have', () => {
  it.each([
    { id: 'a claim that nobody knows', claims: { x: { y: [1, 2] } } },
    { id: 'nbf in the past', claims: { nbf: 1 } },
    { id: 'no family, as of a grant without a person', claims: { fam: undefined } },
  ])('$id', async ({ claims }) => {
    await expectServed({ ...range, token: forge.token({ claims }) })
  })

  it('until the second in which it ends', async () => {
    const token = forge.token({ claims: { exp: now() + 600 } })
    await expectServed({ ...range, token })
    range.gateway.clock.advance('601s')
    // Also out of the cache of proved ones.
    await expectRefusedToken(token, 'expired')
    forge = await forgeFrom(range.gateway, await range.gateway.tokenFor('canary'))
    await expectServed({ ...range, token: forge.token() })
  })
})

// ---- C16, C17: what must be understood, and what must not be opened.

const CRITICAL: readonly Row[] = [
  { id: 'an unknown extension', token: () => forge.token({ header: { crit: ['x'], x: 1 } }) },
  { id: 'an extension that is not there', token: () => forge.token({ header: { crit: ['exp'] } }) },
  { id: 'a registered name', token: () => forge.token({ header: { crit: ['alg'] } }) },
  { id: 'an empty list', token: () => forge.token({ header: { crit: [] } }) },
  { id: 'no list', token: () => forge.token({ header: { crit: 'x', x: 1 } }) },
  { id: 'null', token: () => forge.token({ header: { crit: null } }) },
  {
    id: '__proto__',
    token: () =>
      forge.token({ headerText: `${JSON.stringify(forge.header).slice(0, -1)},"crit":["__proto__"],"__proto__":1}` }),
  },
  { id: 'b64 false', token: () => forge.token({ header: { crit: ['b64'], b64: false } }) },
  {
    id: 'b64 false, payload as it is',
    token: () => {
      const input = `${encode(JSON.stringify({ ...forge.header, crit: ['b64'], b64: false }))}.{"sub":"ann"}`
      return `${input}.${encode(asThief(Buffer.from(input)))}`
    },
    reason: 'malformed',
  },
  {
    id: 'detached',
    token: () => {
      const [head, , signature] = forge.token().split('.')
      return `${head}..${signature}`
    },
    reason: 'malformed',
  },
]
attackTable('C16: critical extensions', CRITICAL, fire)

describe('C16: beside crit', () => {
  it('b64 true, and not critical, is the default said aloud', async () => {
    await expectServed({ ...range, token: forge.token({ header: { b64: true } }) })
  })
})

const jwe = (header: Record<string, unknown>) =>
  [JSON.stringify(header), 'k'.repeat(40), 'i'.repeat(12), 'c'.repeat(64), 't'.repeat(16)].map(encode).join('.')
const ENCRYPTED: readonly Row[] = [
  { id: 'dir', header: { alg: 'dir', enc: 'A256GCM' } },
  { id: 'RSA-OAEP', header: { alg: 'RSA-OAEP-256', enc: 'A256GCM' } },
  {
    id: 'ECDH-ES with a key of its own',
    header: { alg: 'ECDH-ES', enc: 'A256GCM', epk: { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' } },
  },
  { id: 'compressed', header: { alg: 'dir', enc: 'A256GCM', zip: 'DEF' } },
  {
    id: 'PBES2 with two billion rounds',
    header: { alg: 'PBES2-HS256+A128KW', enc: 'A128GCM', p2c: 2 ** 31 - 1, p2s: encode('salt') },
  },
  { id: 'with the kid of a signing key', header: { alg: 'ECDH-ES', enc: 'A256GCM', kid: 'kid' } },
].map(({ id, header }) => ({ id, token: () => jwe(header), reason: 'malformed' }))

attackTable(
  'C17: encrypted tokens are not opened',
  [
    ...ENCRYPTED,
    {
      id: 'the header of one before a signature',
      token: () => forge.token({ header: { alg: 'RSA-OAEP', enc: 'A256GCM' } }),
    },
    {
      id: 'PBES2 before a signature',
      token: () => forge.token({ header: { alg: 'PBES2-HS256+A128KW', enc: 'A128GCM', p2c: 2 ** 31 - 1 } }),
    },
    {
      id: 'longer than any of ours',
      token: () => forge.token({ claims: { x: 'x'.repeat(8000) } }),
      reason: 'malformed',
    },
  ],
  fire,
)

it('nothing was fetched for any of them', () => {
  expect(visits).toBe(0)
})
