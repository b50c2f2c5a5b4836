// Rows C18 and C19 of the attack catalogue: key sets with weak keys, and key sets that are an attack themselves, behind the real gate.
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ExternalRange, startExternalRange } from '../support/external-range.ts'
import { encode } from '../support/forge.ts'
import { startIssuer } from '../support/issuer.ts'
import { callTool } from '../support/mcp.ts'
import { attackTable, expectAlive } from '../support/range.ts'

let external: ExternalRange
beforeAll(async () => {
  external = await startExternalRange({ entry: { algorithms: ['ES256', 'RS256'] } })
})
afterAll(() => external?.close())

const JWKS = '/realms/mcp/jwks'
const rsa = (modulusLength: number, publicExponent = 65_537) =>
  generateKeyPairSync('rsa', { modulusLength, publicExponent })
const warnings = () => external.range.gateway.log.filter((line) => line.includes('"level":"warn"')).join('\n')

/** Published beside the good key, under a name of its own; signs a token that would be accepted if it counted. */
interface Weak {
  readonly id: string
  readonly jwk: Record<string, unknown>
  readonly sign: (input: Buffer) => Buffer
  readonly alg: string
  readonly told: RegExp
}
const sha256 = (input: Buffer) => createHash('sha256').update(input).digest()
const asRsa = (key: KeyObject) => (input: Buffer) => sign('sha256', input, key)
const weak = (id: string, pair: { publicKey: KeyObject; privateKey: KeyObject }, more: object, told: RegExp): Weak => ({
  id,
  jwk: { ...pair.publicKey.export({ format: 'jwk' }), kid: id, ...more },
  sign: asRsa(pair.privateKey),
  alg: 'RS256',
  told,
})
const sound = rsa(2048)
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const asEc = (input: Buffer) => sign('sha256', input, { key: ec.privateKey, dsaEncoding: 'ieee-p1363' })

attackTable(
  'C18: weak keys count for nothing, and are told',
  [
    weak('RSA of 1024 bits', rsa(1024), {}, /RSA of 1024 bits/),
    weak('RSA with e = 3', rsa(2048, 3), {}, /exponent/),
    // With e = 1 every message is its own signature: no private key is needed.
    {
      ...weak('RSA with e = 1', sound, { e: 'AQ' }, /exponent/),
      sign: (input: Buffer) => {
        const info = Buffer.concat([Buffer.from('3031300d060960864801650304020105000420', 'hex'), sha256(input)])
        return Buffer.concat([Buffer.from([0, 1]), Buffer.alloc(253 - info.length, 0xff), Buffer.from([0]), info])
      },
    },
    weak('a key for another use', sound, { use: 'both' }, /its use is not known/),
    weak('a key for wrapping', sound, { key_ops: ['wrapKey'] }, /not for verifying/),
    {
      id: 'a point off its curve',
      jwk: { ...ec.publicKey.export({ format: 'jwk' }), y: encode(Buffer.alloc(32, 7)), kid: 'a point off its curve' },
      sign: asEc,
      alg: 'ES256',
      told: /malformed/,
    },
    {
      id: 'a key whose private part is published',
      jwk: { ...ec.privateKey.export({ format: 'jwk' }), kid: 'a key whose private part is published' },
      sign: asEc,
      alg: 'ES256',
      told: /private part/,
    },
    {
      id: 'a shared key',
      jwk: { kty: 'oct', k: encode('secret'), kid: 'a shared key' },
      sign: asEc,
      alg: 'ES256',
      told: /symmetric/,
    },
  ] satisfies readonly Weak[],
  async ({ id, jwk, sign: signature, alg, told }) => {
    external.issuer.keySet = { keys: [external.issuer.key.jwk, jwk] }
    external.range.gateway.clock.advance('11m')
    await external.expectRefused(external.token({ header: { alg, kid: id }, signature }), 'unknown_key')
    expect(warnings()).toMatch(told)
  },
)

describe('C18: beside them', () => {
  it('the same key, sound, counts', async () => {
    external.issuer.keySet = {
      keys: [external.issuer.key.jwk, { ...sound.publicKey.export({ format: 'jwk' }), kid: 'ok' }],
    }
    external.range.gateway.clock.advance('11m')
    await external.expectTaken(
      external.token({ header: { alg: 'RS256', kid: 'ok' }, signature: asRsa(sound.privateKey) }),
    )
  })

  it('a key for encryption signs nothing, and is not worth a word', async () => {
    const jwk = { ...sound.publicKey.export({ format: 'jwk' }), kid: 'for-encryption', use: 'enc' }
    external.issuer.keySet = { keys: [external.issuer.key.jwk, jwk] }
    external.range.gateway.clock.advance('11m')
    const bent = { header: { alg: 'RS256', kid: 'for-encryption' }, signature: asRsa(sound.privateKey) }
    await external.expectRefused(external.token(bent), 'unknown_key')
    expect(warnings()).not.toContain('for-encryption')
  })

  it('of two keys of one kid neither counts', async () => {
    const [one, two] = [generateKeyPairSync('ec', { namedCurve: 'P-256' }), ec].map(({ publicKey }) => ({
      ...publicKey.export({ format: 'jwk' }),
      kid: 'twice',
    }))
    external.issuer.keySet = { keys: [external.issuer.key.jwk, one, two] }
    external.range.gateway.clock.advance('11m')
    await external.expectRefused(external.token({ header: { kid: 'twice' }, signature: asEc }), 'unknown_key')
    expect(warnings()).toMatch(/several keys have this kid/)
  })
})

describe('C19: key sets that are an attack', () => {
  const reset = () => {
    external.issuer.keySet = { keys: [external.issuer.key.jwk] }
    external.issuer.instead.clear()
  }

  it('a thousand made-up kids are one fetch', async () => {
    reset()
    external.range.gateway.clock.advance('11m')
    await external.expectTaken(external.token())
    const before = external.issuer.countOf(JWKS)
    external.range.gateway.clock.advance('31s')
    const at = external.range.gateway.resource('canary')
    const statuses = new Set<number>()
    for (let n = 0; n < 40; n++) {
      const batch = Array.from({ length: 25 }, (_, m) =>
        callTool(at, external.token({ header: { kid: `k${n}-${m}` } }), 'read_note'),
      )
      for (const { status } of await Promise.all(batch)) statuses.add(status)
    }
    expect([...statuses]).toEqual([401])
    expect(external.issuer.countOf(JWKS)).toBe(before + 1)
    await external.expectTaken(external.token())
  })

  it.each<[string, () => void, RegExp]>([
    [
      'of 10 MB',
      () => {
        external.issuer.keySet = { keys: [external.issuer.key.jwk], more: 'x'.repeat(10 * 1024 * 1024) }
      },
      /larger than 1 MB/,
    ],
    [
      'that redirects to an address inside',
      () =>
        external.issuer.instead.set(
          JWKS,
          (_req, res) => void res.writeHead(302, { location: `${external.bait}/` }).end(),
        ),
      /redirect, which is not followed/,
    ],
    ['that drips', () => external.issuer.instead.set(JWKS, (_req, res) => void res.write('{')), /in time/],
    [
      'that is deep',
      () => external.issuer.instead.set(JWKS, (_req, res) => void res.end('['.repeat(500_000))),
      /not JSON/,
    ],
  ])('one %s leaves the keys before it in force', async (_what, bend, told) => {
    reset()
    external.range.gateway.clock.advance('11m')
    await external.expectTaken(external.token())
    bend()
    external.range.gateway.clock.advance('11m')
    await external.expectTaken(external.token({ claims: { jti: _what } }))
    expect(warnings()).toMatch(told)
    expect(external.visits()).toBe(0)
    await expectAlive({ ...external.range, token: external.token() })
  })

  it('one that the metadata puts on another address of the house is not fetched', async () => {
    const trap = await startIssuer()
    const range = await startExternalRange()
    range.issuer.metadata = { jwks_uri: `${trap.issuer.replace('127.0.0.1', 'localhost')}/jwks` }
    const { status } = await callTool(range.range.gateway.resource('canary'), range.token(), 'read_note')
    expect(status).toBe(503)
    expect(trap.asked).toEqual([])
    range.issuer.metadata = {}
    range.range.gateway.clock.advance('61s')
    await range.expectTaken(range.token())
    await range.close()
    await trap.close()
  })
})
