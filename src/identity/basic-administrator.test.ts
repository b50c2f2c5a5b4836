import { beforeEach, describe, expect, it } from 'vitest'
import { openStore } from '../store/open.ts'
import { basicVerifier, isBasic, type VerifyBasic } from './basic-administrator.ts'

const NOW = 1_800_000_000_000
const line = (user: string, password: string) => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
const RIGHT = line('admin', 'pässword: of ten words')
const WRONG = line('admin', 'guess')
const HERE = '192.0.2.7'

let now: number
let verify: VerifyBasic
beforeEach(async () => {
  now = NOW
  const { ephemeral } = await openStore({ url: 'sqlite::memory:', directory: '.' })
  verify = basicVerifier({
    administrator: { user: 'admin', password: 'pässword: of ten words' },
    counters: ephemeral.counters,
    clock: () => now,
  })
})
const refused = expect.objectContaining({ code: 'invalid_token', reason: 'wrong_password' })
const waits = expect.objectContaining({ status: 429, reason: 'too_many_attempts', retryAfter: 60 })

it('is told by its scheme', () => {
  expect([isBasic(RIGHT), isBasic('basic x'), isBasic('Bearer x'), isBasic(undefined)]).toEqual([
    true,
    true,
    false,
    false,
  ])
})

describe('the local administrator', () => {
  it('is proved by name and password, colons and umlauts included', async () => {
    expect(await verify(RIGHT, HERE)).toBe('admin')
  })

  it.each([
    ['another password', WRONG],
    ['another name', line('root', 'pässword: of ten words')],
    ['nothing', 'Basic '],
    ['what is not base64', 'Basic ****'],
    ['megabytes', `Basic ${'A'.repeat(2 ** 20)}`],
  ])('is not proved by %s', async (_what, given) => {
    await expect(verify(given, HERE)).rejects.toEqual(refused)
  })

  it('after five wrong ones waits, and so does the right one; another network does not', async () => {
    for (let at = 0; at < 5; at++) await expect(verify(WRONG, HERE)).rejects.toEqual(refused)
    await expect(verify(WRONG, HERE)).rejects.toEqual(waits)
    await expect(verify(RIGHT, HERE)).rejects.toEqual(waits)
    expect(await verify(RIGHT, '198.51.100.9')).toBe('admin')
    now += 60_000
    expect(await verify(RIGHT, HERE)).toBe('admin')
  })

  it('may come as often as a program likes', async () => {
    for (let at = 0; at < 100; at++) expect(await verify(RIGHT, HERE)).toBe('admin')
  })

  it('is no way to guess beside: once wrong, the network counts again', async () => {
    await verify(RIGHT, HERE)
    for (let at = 0; at < 5; at++) await expect(verify(WRONG, HERE)).rejects.toEqual(refused)
    await expect(verify(RIGHT, HERE)).rejects.toEqual(waits)
  })
})
