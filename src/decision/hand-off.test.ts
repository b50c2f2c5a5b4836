import { randomBytes } from 'node:crypto'
import { afterEach, describe, expect, it } from 'vitest'
import { openStore } from '../store/open.ts'
import type { Store } from '../store/store.ts'
import { handOff, hashOf, newNonce } from './hand-off.ts'

const stores: Store[] = []
afterEach(async () => {
  for (const store of stores.splice(0)) await store.close()
})

async function setup() {
  const store = await openStore({ url: 'sqlite::memory:', directory: '.' })
  stores.push(store)
  const state = { now: 1_700_000_000_000, keys: [{ key: randomBytes(32) }] }
  const { tickets } = store.ephemeral
  return { state, ...handOff({ tickets, sealKeys: () => state.keys, clock: () => state.now }) }
}

const ORIGIN = 'https://app.example.com'

describe('the note on the way to the sign-in', () => {
  it('comes back as it went, for half an hour', async () => {
    const { seal, open, state } = await setup()
    const start = { origin: ORIGIN, target: '/a?b=c', nonceHash: 'hash' }
    const note = seal(start)
    expect(open(note)).toEqual(start)
    state.now += 31 * 60_000
    expect(open(note)).toBeUndefined()
  })

  it('is made by us alone', async () => {
    const [one, other] = [await setup(), await setup()]
    expect(one.open(other.seal({ origin: ORIGIN, target: '/', nonceHash: undefined }))).toBeUndefined()
    expect(one.open('e30')).toBeUndefined()
  })

  it('shortens an address that is too long to travel', async () => {
    const { seal, open } = await setup()
    const at = (target: string) => open(seal({ origin: ORIGIN, target, nonceHash: undefined }))?.target
    expect(at(`/a?${'x'.repeat(2000)}`)).toBe('/a')
    expect(at(`/${'x'.repeat(2000)}`)).toBe('/')
  })
})

describe('the code on the way back', () => {
  async function minted() {
    const parts = await setup()
    const nonce = newNonce()
    const code = await parts.mintCode({ origin: ORIGIN, nonceHash: hashOf(nonce), subject: 'ann' })
    return { ...parts, nonce, code }
  }

  it('says who signed in, once', async () => {
    const { consumeCode, code, nonce } = await minted()
    expect(await consumeCode(code, { origin: ORIGIN, nonce })).toEqual({ status: 'arrived', subject: 'ann' })
    expect(await consumeCode(code, { origin: ORIGIN, nonce })).toEqual({ status: 'unknown' })
  })

  it('says it to one of many who ask at once', async () => {
    const { consumeCode, code, nonce } = await minted()
    const asked = await Promise.all(Array.from({ length: 20 }, () => consumeCode(code, { origin: ORIGIN, nonce })))
    expect(asked.filter(({ status }) => status === 'arrived')).toHaveLength(1)
  })

  it('is for one host and one browser, and a wrong one spends nothing', async () => {
    const { consumeCode, code, nonce } = await minted()
    expect(await consumeCode(code, { origin: 'https://other.example.com', nonce })).toEqual({ status: 'unknown' })
    expect(await consumeCode(code, { origin: ORIGIN, nonce: newNonce() })).toEqual({ status: 'elsewhere' })
    expect(await consumeCode(code, { origin: ORIGIN, nonce: undefined })).toEqual({ status: 'elsewhere' })
    expect(await consumeCode(`${code}x`, { origin: ORIGIN, nonce })).toEqual({ status: 'unknown' })
    expect(await consumeCode(code, { origin: ORIGIN, nonce })).toMatchObject({ status: 'arrived' })
  })

  it('lives a minute', async () => {
    const { consumeCode, code, nonce, state } = await minted()
    state.now += 60_000
    expect(await consumeCode(code, { origin: ORIGIN, nonce })).toEqual({ status: 'unknown' })
  })
})
