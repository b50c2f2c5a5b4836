// The envelope under every change that can be made to it: it opens as it was sealed, or not at all.
import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LONGEST_SECRET, type SecretPlace } from '../protocol/vault.ts'
import { bindingOf, checkPlace, newDataKey, openSecret, sealSecret } from './envelope.ts'
import { localKey } from './kms/local.ts'
import { NotUnwrapped } from './wrapping-key.ts'

const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }).filter((text) => !text.includes('\0'))
const place = fc.record({ principal: name, upstream: name, field: name })
const secret = fc.uint8Array({ maxLength: 2000 }).map((bytes) => Buffer.from(bytes))
const version = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })

const flipped = (bytes: Buffer, bit: number): Buffer => {
  const changed = Buffer.from(bytes)
  const at = Math.floor(bit / 8) % bytes.length
  changed[at] = (changed[at] ?? 0) ^ (1 << (bit % 8))
  return changed
}

describe('a sealed secret', () => {
  it('opens where it was sealed, as what it was', () => {
    fc.assert(
      fc.property(secret, place, version, (plain, where, number) => {
        const [key, binding] = [newDataKey(), bindingOf(where, number)]
        const opened = openSecret(sealSecret(plain, key, binding), key, binding)
        expect(opened?.equals(plain)).toBe(true)
      }),
    )
  })

  it('does not open with any one bit of it changed', () => {
    const [key, binding] = [newDataKey(), bindingOf({ principal: 'ann', upstream: 'github', field: 'token' }, 7)]
    const sealed = sealSecret(Buffer.from('the secret of ann'), key, binding)
    for (let bit = 0; bit < sealed.length * 8; bit++)
      expect(openSecret(flipped(sealed, bit), key, binding)).toBeUndefined()
    expect(openSecret(sealed, key, binding)?.toString()).toBe('the secret of ann')
  })

  it('does not open cut or lengthened, however much', () => {
    const [key, binding] = [newDataKey(), bindingOf({ principal: 'ann', upstream: 'github', field: 'token' }, 7)]
    const sealed = sealSecret(randomBytes(600), key, binding)
    for (let length = 0; length < sealed.length; length++) {
      expect(openSecret(sealed.subarray(0, length), key, binding)).toBeUndefined()
      expect(openSecret(sealed.subarray(sealed.length - length), key, binding)).toBeUndefined()
    }
    expect(openSecret(Buffer.concat([sealed, randomBytes(256)]), key, binding)).toBeUndefined()
    expect(openSecret(sealed, key, binding)).toHaveLength(600)
  })

  it('does not open in another place, as another version, or with another data key', () => {
    fc.assert(
      fc.property(place, place, version, version, (where, elsewhere, one, other) => {
        const key = newDataKey()
        const sealed = sealSecret(Buffer.from('secret'), key, bindingOf(where, one))
        for (const part of ['principal', 'upstream', 'field'] as const)
          if (where[part] !== elsewhere[part])
            expect(openSecret(sealed, key, bindingOf({ ...where, [part]: elsewhere[part] }, one))).toBeUndefined()
        if (one !== other) expect(openSecret(sealed, key, bindingOf(where, other))).toBeUndefined()
        expect(openSecret(sealed, newDataKey(), bindingOf(where, one))).toBeUndefined()
        expect(openSecret(sealed, key, bindingOf(where, one))?.toString()).toBe('secret')
      }),
    )
  })

  it('is bound to names that cannot run into each other', () => {
    fc.assert(
      fc.property(name, name, fc.integer({ min: 0, max: 40 }), (one, other, cut) => {
        const joined = one + other
        const at: SecretPlace = { principal: one, upstream: other, field: 'f' }
        const shifted: SecretPlace = { principal: joined.slice(0, cut), upstream: joined.slice(cut), field: 'f' }
        const same = at.principal === shifted.principal
        expect(bindingOf(at, 1).equals(bindingOf(shifted, 1))).toBe(same)
      }),
    )
  })

  it('is of the same size for all secrets that are not very long, and different every time', () => {
    const [key, binding] = [newDataKey(), bindingOf({ principal: 'ann', upstream: 'github', field: 'token' }, 1)]
    const sizes = [0, 1, 40, 100, 252].map((length) => sealSecret(Buffer.alloc(length, 1), key, binding).length)
    expect(new Set(sizes).size).toBe(1)
    expect(sealSecret(Buffer.alloc(253), key, binding).length).toBe((sizes[0] ?? 0) + 256)
    const twice = [1, 2].map(() => sealSecret(Buffer.from('same'), key, binding).toString('hex'))
    expect(twice[0]).not.toBe(twice[1])
  })

  it('has a most of bytes', () => {
    const [key, binding] = [newDataKey(), bindingOf({ principal: 'a', upstream: 'b', field: 'c' }, 1)]
    expect(() => sealSecret(Buffer.alloc(LONGEST_SECRET + 1), key, binding)).toThrow(RangeError)
    const most = openSecret(sealSecret(Buffer.alloc(LONGEST_SECRET, 7), key, binding), key, binding)
    expect(most).toHaveLength(LONGEST_SECRET)
  })
})

describe('the place of a secret', () => {
  it.each([
    { principal: '', upstream: 'u', field: 'f' },
    { principal: 'p', upstream: 'u\0', field: 'f' },
    { principal: 'p', upstream: 'u', field: '\ud800' },
    { principal: 'p'.repeat(1025), upstream: 'u', field: 'f' },
  ])('is refused where two of them could be taken for one: %j', (bad) => {
    expect(() => checkPlace(bad)).toThrow(TypeError)
    expect(() => checkPlace({ principal: 'p', upstream: 'u', field: 'ünï 🔑' })).not.toThrow()
  })
})

describe('a data key wrapped with a key of our own', () => {
  const key = localKey('k1', randomBytes(32))
  const context = Buffer.from('context')

  it('unwraps to what it was, and never looks the same', async () => {
    const dataKey = newDataKey()
    const [one, two] = [await key.wrap(dataKey, context), await key.wrap(dataKey, context)]
    expect(one.equals(two)).toBe(false)
    expect((await key.unwrap(one, context)).equals(dataKey)).toBe(true)
    expect((await key.unwrap(two, context)).equals(dataKey)).toBe(true)
  })

  it('does not unwrap with any one bit changed, nor cut', async () => {
    const wrapped = await key.wrap(newDataKey(), context)
    for (let bit = 0; bit < wrapped.length * 8; bit++)
      await expect(key.unwrap(flipped(wrapped, bit), context)).rejects.toThrow(NotUnwrapped)
    for (let length = 0; length < wrapped.length; length++)
      await expect(key.unwrap(wrapped.subarray(0, length), context)).rejects.toThrow(NotUnwrapped)
  })

  it('does not unwrap in another context, with another key, or under another id', async () => {
    const secret = randomBytes(32)
    const wrapped = await localKey('k1', secret).wrap(newDataKey(), context)
    await expect(localKey('k1', secret).unwrap(wrapped, context)).resolves.toHaveLength(32)
    await expect(localKey('k1', secret).unwrap(wrapped, Buffer.from('other'))).rejects.toThrow(NotUnwrapped)
    await expect(localKey('k1', randomBytes(32)).unwrap(wrapped, context)).rejects.toThrow(NotUnwrapped)
    await expect(localKey('k2', secret).unwrap(wrapped, context)).rejects.toThrow(NotUnwrapped)
  })

  // G4: a data key seals one version of one secret, so that what could repeat is the wrap alone: its key hangs on 256 random bits.
  it('has a salt of its own in each of ten thousand wraps', async () => {
    const salts = new Set<string>()
    const dataKey = newDataKey()
    for (let count = 0; count < 10_000; count++)
      salts.add((await key.wrap(dataKey, context)).subarray(1, 33).toString('latin1'))
    expect(salts.size).toBe(10_000)
  })
})
