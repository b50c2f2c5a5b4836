import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ANONYMOUS, type Principal } from '../../protocol/principal.ts'
import { type Handed, isSealedFor, MOST_HEAD, pack, SKEW, unpack } from './envelope.ts'
import { createNonces } from './nonces.ts'

const [ours, theirs] = [randomBytes(32), randomBytes(32)]
const keys = { sealKeys: () => [{ key: ours }] }
const NOW = 1_800_000_000_000

const ANN: Principal = {
  ...ANONYMOUS,
  kind: 'person',
  subject: 'ann',
  email: 'ann@example.com',
  claims: { team: ['a', { b: 1 }] },
  capabilities: { tools: new Map([['old', new Set(['echo'])]]) },
}
const handed: Handed = {
  method: 'POST',
  path: '/mcp',
  query: '',
  headers: { authorization: 'Bearer secret', 'x-strange': 'ünïcode' },
  rawHeaders: ['Authorization', 'Bearer secret', 'X-Strange', 'ünïcode'],
  principal: ANN,
  address: '198.51.100.7',
  viaProxy: true,
  id: '01890000-0000-7000-8000-000000000000',
  at: NOW - 5,
}
const body = Buffer.from('{"jsonrpc":"2.0","id":1,"method":"ping"}')

describe('an envelope', () => {
  it('brings all of a request, and who sent it, in sets too', () => {
    const opened = unpack(keys, 'b', pack(keys, 'b', { handed, body }, NOW), NOW)
    expect(opened).toMatchObject({ handed, body })
    expect(unpack(keys, 'b', pack(keys, 'b', { handed, body: Buffer.alloc(0) }, NOW), NOW)).toMatchObject({ handed })
  })

  it('opens with an older key of ours, and with none of another', () => {
    const packed = pack(keys, 'b', { handed, body }, NOW)
    const rotated = { sealKeys: () => [{ key: theirs }, { key: ours }] }
    expect(unpack(rotated, 'b', packed, NOW)).toMatchObject({ handed })
    expect(unpack({ sealKeys: () => [{ key: theirs }] }, 'b', packed, NOW)).toBe('not_sealed_for_us')
  })

  it('is known by its beginning, as soon as that is there', () => {
    const packed = pack(keys, 'b', { handed, body }, NOW)
    const end = packed.length - body.length
    expect([0, 3].map((length) => isSealedFor(keys, 'b', packed.subarray(0, length)))).toEqual([4, 4])
    expect([4, end - 1].map((length) => isSealedFor(keys, 'b', packed.subarray(0, length)))).toEqual([end, end])
    expect([end, packed.length].map((length) => isSealedFor(keys, 'b', packed.subarray(0, length)))).toEqual([
      true,
      true,
    ])
    expect(isSealedFor(keys, 'c', packed)).toBe(false)
    const tooLong = Buffer.alloc(4)
    tooLong.writeUInt32BE(MOST_HEAD + 1)
    expect([Buffer.alloc(4), tooLong].map((bytes) => isSealedFor(keys, 'b', bytes))).toEqual([false, false])
  })

  it('opens at the boot that it is for, in time', () => {
    const packed = pack(keys, 'b', { handed, body }, NOW)
    expect(unpack(keys, 'c', packed, NOW)).toBe('not_sealed_for_us')
    expect(unpack(keys, 'b', packed, NOW + SKEW)).toMatchObject({ handed })
    for (const now of [NOW + SKEW + 1, NOW - SKEW - 1]) expect(unpack(keys, 'b', packed, now)).toBe('stale')
  })

  it('shows neither credential nor person', () => {
    const text = pack(keys, 'b', { handed, body }, NOW).toString('latin1')
    // Words long enough that sealed bytes do not spell them by chance.
    for (const secret of ['Bearer secret', 'ann@example.com', '198.51.100.7']) expect(text).not.toContain(secret)
  })

  it('with any byte changed, cut or added is not taken', () => {
    const packed = pack(keys, 'b', { handed, body }, NOW)
    fc.assert(
      fc.property(fc.nat(packed.length - 1), fc.integer({ min: 1, max: 255 }), (at, by) => {
        const changed = Buffer.from(packed)
        changed[at] = (changed[at] ?? 0) ^ by
        expect(typeof unpack(keys, 'b', changed, NOW)).toBe('string')
        expect(typeof unpack(keys, 'b', packed.subarray(0, at), NOW)).toBe('string')
      }),
    )
    expect(unpack(keys, 'b', Buffer.concat([packed, Buffer.from('x')]), NOW)).toBe('altered')
  })

  it('of any bytes at all is refused and nothing more', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        (bytes) => typeof unpack(keys, 'b', Buffer.from(bytes), NOW) === 'string',
      ),
    )
  })
})

describe('nonces', () => {
  it('are taken once, for at least their life, whatever the clock does', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ nonce: fc.constantFrom('a', 'b', 'c'), after: fc.nat(60) })), (steps) => {
        const nonces = createNonces(100)
        const taken = new Map<string, number>()
        let now = 0
        for (const { nonce, after } of steps) {
          now += after
          const before = taken.get(nonce)
          const took = nonces.take(nonce, now)
          if (before !== undefined && now - before < 100) expect(took).toBe(false)
          if (before === undefined) expect(took).toBe(true)
          if (took) taken.set(nonce, now)
        }
      }),
    )
  })

  it('are forgotten one day', () => {
    const nonces = createNonces(100)
    expect([nonces.take('a', 0), nonces.take('b', 150), nonces.take('c', 260), nonces.take('a', 261)]).toEqual([
      true,
      true,
      true,
      true,
    ])
  })
})
