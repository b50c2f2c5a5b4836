import { beforeAll, describe, expect, it } from 'vitest'
import { admitted, NOON, openAllowances, person, testLimits, toolCall } from '../../test/support/limits.ts'
import { Config } from '../config/schema.ts'
import type { Call } from '../protocol/decision.ts'
import { ANONYMOUS } from '../protocol/principal.ts'
import type { Allowances } from '../store/ephemeral.ts'
import { limitError } from './limits.ts'

const ANN = person('ann', { email: 'ann@example.com', groups: ['engineering'], client: 'inspector', family: 'f1' })
const BOB = person('bob', { client: 'inspector', family: 'f2' })

let allowances: Allowances
let now = NOON
const clock = () => now
beforeAll(async () => {
  allowances = await openAllowances()
})
let made = 0
/** Ids of their own: the store is one for all tests. */
const limitsOf = (limit: object, ...others: object[]) => {
  now = NOON
  return testLimits(
    [limit, ...others].map((one) => ({ id: `limit ${made++}`, ...one })),
    { allowances, clock, roles: { staff: ['group:engineering'] } },
  )
}

describe('what a limit is about', () => {
  const THREE = { rate: '3/min' }
  const prompt: Call = { ...toolCall(ANN), method: 'prompts/get', kind: 'prompt' }
  const resource = (name: string): Call => ({ ...toolCall(ANN, name), method: 'resources/read', kind: 'resource' })
  const method = (name: string): Call => ({ ...toolCall(ANN, name), method: name, kind: 'method' })

  it.each([
    ['*/*', toolCall(ANN), 3],
    ['*/*', prompt, 3],
    ['*/*', resource('file:///a'), 3],
    ['*/*', method('tools/list'), 9],
    ['github/*', toolCall(ANN, 'search', 'files'), 9],
    ['github/search', toolCall(ANN), 3],
    ['github/search', toolCall(ANN, 'delete'), 9],
    ['github/search', prompt, 9],
    ['prompt:github/search', prompt, 3],
    ['resource:github/file:///secret/*', resource('file:///secret/a'), 3],
    ['resource:github/file:///secret/*', resource('file:///public/a'), 9],
    ['resource:github/file:///secret/*', resource('file:///public/../secret/a'), 3],
    ['resource:github/file:///secret/*', resource('FILE:///secret/a'), 3],
    ['method:*/*', method('tools/list'), 3],
    ['method:github/tools/list', method('tools/list'), 3],
    ['method:github/tools/list', method('ping'), 9],
    ['method:github/tools/call', toolCall(ANN), 3],
    ['method:github/completion/complete', { ...prompt, method: 'completion/complete' }, 3],
  ])('%s, asked nine times of %o', async (match, call, through) => {
    expect(await limitsOf({ ...THREE, match }).pass(9, call)).toBe(through)
  })

  it.each([
    [['*'], ANN, 3],
    [['*'], ANONYMOUS, 9],
    [['anonymous'], ANONYMOUS, 3],
    [['anonymous'], ANN, 9],
    [['user:ann'], ANN, 3],
    [['user:ANN@example.com'], ANN, 3],
    [['user:bob'], ANN, 9],
    [['group:engineering'], ANN, 3],
    [['client:inspector'], ANN, 3],
    [['role:staff'], ANN, 3],
    [['role:staff'], BOB, 9],
    [undefined, ANONYMOUS, 3],
  ])('for %o', async (to, principal, through) => {
    expect(await limitsOf({ ...THREE, ...(to && { to }) }).pass(9, toolCall(principal))).toBe(through)
  })
})

describe('whose calls are counted together', () => {
  it.each([
    ['principal', [3, 3]],
    ['client', [3, 0]],
    ['token', [3, 3]],
    ['server', [3, 0]],
    ['tool', [3, 0]],
    [
      ['principal', 'client'],
      [3, 3],
    ],
    [
      ['client', 'tool'],
      [3, 0],
    ],
  ])('per %o, of two people with one client', async (per, through) => {
    const limits = limitsOf({ rate: '3/min', per })
    expect([await limits.pass(5, toolCall(ANN)), await limits.pass(5, toolCall(BOB))]).toEqual(through)
  })

  it.each([
    ['principal', [3, 0, 0]],
    ['server', [3, 0, 3]],
    ['tool', [3, 3, 3]],
    [
      ['principal', 'tool'],
      [3, 3, 3],
    ],
  ])('per %o, of two tools and two servers', async (per, through) => {
    const limits = limitsOf({ rate: '3/min', per })
    const calls = [toolCall(ANN), toolCall(ANN, 'read'), toolCall(ANN, 'search', 'files')]
    const passed: number[] = []
    for (const call of calls) passed.push(await limits.pass(5, call))
    expect(passed).toEqual(through)
  })

  it.each([
    ['principal', [3, 0, 3]],
    ['token', [3, 0, 3]],
    [
      ['principal', 'tool'],
      [3, 0, 3],
    ],
    ['client', [3, 0, 0]],
    ['server', [3, 0, 0]],
  ])(
    'per %o, of whoever has not signed in: one network, another address of it, another network',
    async (per, through) => {
      const limits = limitsOf({ rate: '3/min', per })
      const passed: number[] = []
      for (const address of ['2001:db8::1', '2001:db8::2', '192.0.2.1'])
        passed.push(await limits.pass(5, { ...toolCall(ANONYMOUS), request: { address, at: NOON, era: 'modern' } }))
      expect(passed).toEqual(through)
    },
  )

  it('are those of one person from wherever they come', async () => {
    const limits = limitsOf({ rate: '3/min' })
    const from = (address: string): Call => ({ ...toolCall(ANN), request: { address, at: NOON, era: 'modern' } })
    expect([await limits.pass(2, from('192.0.2.1')), await limits.pass(5, from('192.0.2.2'))]).toEqual([2, 1])
  })

  it('are those of one token whatever its secrets', async () => {
    const limits = limitsOf({ rate: '3/min', per: 'token' })
    const rotated = { ...ANN, tokenId: 'second secret' }
    expect([await limits.pass(2, toolCall(ANN)), await limits.pass(5, toolCall(rotated))]).toEqual([2, 1])
  })

  it('are those of all resources of a server, whatever address a caller makes up', async () => {
    const limits = limitsOf({ rate: '3/min', per: ['principal', 'tool'] })
    const read = (name: string): Call => ({ ...toolCall(ANN, name), method: 'resources/read', kind: 'resource' })
    const asked = await Promise.all(Array.from({ length: 9 }, (_, at) => limits.ask(read(`file:///a#${at}`))))
    expect(asked.filter((one) => one === true)).toHaveLength(3)
  })

  it('are never those of two people whose names run together', async () => {
    const limits = limitsOf({ rate: '1/min', per: ['principal', 'client'] })
    const one = person('a","b', { client: 'c' })
    const other = person('a', { client: 'b","c' })
    expect([await limits.pass(2, toolCall(one)), await limits.pass(2, toolCall(other))]).toEqual([1, 1])
  })

  it('can be told apart however long their names are', async () => {
    const limits = limitsOf({ rate: '1/min' })
    const long = 'x'.repeat(5000)
    expect([
      await limits.pass(2, toolCall(person(`${long}1`))),
      await limits.pass(2, toolCall(person(`${long}2`))),
    ]).toEqual([1, 1])
  })
})

describe('several limits', () => {
  it('must all hold, and the one that does not takes nothing from the others', async () => {
    const limits = limitsOf({ id: 'wide', rate: '4/min' }, { id: 'narrow', match: 'github/search', rate: '2/min' })
    expect(await limits.pass(9, toolCall(ANN))).toBe(2)
    expect(await limits.ask(toolCall(ANN))).toEqual({ limit: 'narrow', reason: 'rate_limited', retryAfter: 30 })
    expect(await limits.pass(9, toolCall(ANN, 'read'))).toBe(2)
    expect(await limits.ask(toolCall(ANN, 'read'))).toEqual({ limit: 'wide', reason: 'rate_limited', retryAfter: 15 })
  })

  it('give back a quota and a place among those under way as well', async () => {
    const limits = limitsOf({ quota: '4/day', concurrent: 3 }, { id: 'last', match: 'github/search', rate: '1/min' })
    expect(await limits.pass(9, toolCall(ANN))).toBe(1)
    expect(await limits.pass(9, toolCall(ANN, 'read'))).toBe(3)
  })

  it('count a call through a view once, for whichever name they speak of', async () => {
    const limits = limitsOf({ match: 'github/*', rate: '3/min', per: 'server' }, { match: '*/*', rate: '5/min' })
    const through = () =>
      limits.admit(toolCall(ANN, 'find', 'support'), { server: 'github', kind: 'tool', name: 'search' })
    admitted(through())()
    admitted(through())()
    expect(await limits.pass(9, toolCall(BOB))).toBe(1)
    expect(await through()).toMatchObject({ reason: 'rate_limited' })
    expect(await limits.pass(9, toolCall(ANN, 'x', 'files'))).toBe(3)
  })
})

describe('calls under way', () => {
  it('are at most so many, and those that ended make room', async () => {
    const limits = limitsOf({ id: 'two', concurrent: 2 })
    const end = admitted(limits.admit(toolCall(ANN)))
    admitted(limits.admit(toolCall(ANN)))
    expect(await limits.ask(toolCall(ANN))).toEqual({ limit: 'two', reason: 'too_many_running', retryAfter: 1 })
    admitted(limits.admit(toolCall(BOB)))
    end()
    admitted(limits.admit(toolCall(ANN)))
    expect(await limits.ask(toolCall(ANN))).toMatchObject({ reason: 'too_many_running' })
  })
})

describe('a quota', () => {
  it('holds to the end of the day, also for what begins anew on the same store', async () => {
    const limit = { id: 'daily', quota: '64/day' }
    const before = limitsOf(limit)
    expect(await before.pass(40, toolCall(ANN))).toBe(40)
    const after = limitsOf(limit)
    const rest = await after.pass(90, toolCall(ANN))
    // What the first had taken and not used is lost with it: a thirty-second.
    expect(rest).toBeGreaterThanOrEqual(20)
    expect(rest).toBeLessThanOrEqual(26)
    expect(await after.ask(toolCall(ANN))).toEqual({ limit: 'daily', reason: 'quota_exhausted', retryAfter: 43_200 })
    expect(await after.pass(3, toolCall(BOB))).toBe(3)
    now = NOON + 43_200_000
    expect(await after.pass(90, toolCall(ANN))).toBe(64)
  })
})

describe('no limit', () => {
  it('costs nothing and never says no', () => {
    const limits = testLimits([], { allowances, clock })
    expect(limits.admit(toolCall(ANN))).toBe(limits.admit(toolCall(BOB)))
  })
})

describe('the refusal of a limit', () => {
  it('is a 429 that says when to come back, with a code outside the ranges others have', () => {
    const error = limitError('rate_limited', 30)
    expect(error).toMatchObject({
      status: 429,
      code: 429,
      reason: 'rate_limited',
      retryAfter: 30,
      data: { retryAfter: 30 },
    })
    expect(error.message).toBe('Too many calls. Try again in 30 seconds.')
    expect(limitError('quota_exhausted', 1).message).toBe('The quota is used up. Try again in 1 second.')
  })
})

describe('limits of the configuration', () => {
  it.each([
    [{}, 'It limits nothing'],
    [{ rate: '120/month' }, 'Write a number and a time'],
    [{ rate: '0/min' }, 'Write a number and a time'],
    [{ quota: '5/min' }, 'Write a number and h or day'],
    [{ burst: 3, concurrent: 1 }, 'Write rate'],
    [{ rate: '1/day', burst: 1_000_000 }, 'a year'],
    [{ rate: '1/s', match: 'github' }, 'Write server/tool'],
    [{ rate: '1/s', to: ['ann'] }, 'user:'],
    [{ rate: '1/s', per: 'address' }, 'principal, client, token'],
    [{ rate: '1/s', per: [] }, ''],
    [{ rate: '1/s', concurrent: 0 }, ''],
  ])('refuse %o', (limit, words) => {
    const parsed = Config.safeParse({ limits: [limit] })
    expect(parsed.success).toBe(false)
    expect(parsed.error?.message).toContain(words)
  })

  it('have names of their own', () => {
    const limits = [{ rate: '1/s' }, { id: 'limit-1', rate: '1/s' }]
    expect(Config.safeParse({ limits }).error?.message).toContain('Two limits are called limit-1')
    expect(Config.safeParse({ limits: [{ rate: '1/s' }, { rate: '1/s' }] }).success).toBe(true)
  })
})
