import { describe, expect, it } from 'vitest'
import { person, toolCall } from '../../test/support/limits.ts'
import { Config, type ConfigInput } from '../config/schema.ts'
import type { Call } from '../protocol/decision.ts'
import { createAskOutside, type PostQuestion } from './outside.ts'

const NOON = Date.UTC(2027, 0, 15, 12)
const CALL: Call = {
  ...toolCall(person('ann', { email: 'ann@example.com', groups: ['finance'], tokenId: 'jti-1', family: 'family-1' })),
  args: { amount: 5 },
  request: { address: '192.0.2.7', at: NOON, era: 'modern' },
}

type Answer = { status: number; body: unknown } | Error
type Points = NonNullable<ConfigInput['policy']>['decisionPoints']

/** A point whose answers are at hand, and what it was asked. */
function pointOf(settings: object = {}, type: 'opa' | 'authzen' = 'opa') {
  const asked: { url: string; headers: Readonly<Record<string, string>>; body: unknown }[] = []
  const told: string[] = []
  const state: { now: number; answer: Answer; hold: Promise<void> | undefined } = {
    now: NOON,
    answer: { status: 200, body: type === 'opa' ? { result: true } : { decision: true } },
    hold: undefined,
  }
  const post: PostQuestion = async (url, { headers, body }) => {
    asked.push({ url, headers, body: JSON.parse(body) })
    await state.hold
    const { answer } = state
    if (answer instanceof Error) throw answer
    const text = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body)
    return { status: answer.status, body: Buffer.from(text) }
  }
  const decisionPoints: Points = { pdp: { type, url: 'https://pdp.example.com/ask', ...settings } }
  const ask = createAskOutside({
    points: Config.parse({ policy: { decisionPoints } }).policy.decisionPoints,
    postTo: () => post,
    clock: () => state.now,
    onAnswer: (_, answer) => void told.push(answer),
  })
  return { state, asked, told, ask: (call: Call = CALL) => ask('pdp', call), askAt: ask }
}

describe('the question', () => {
  it('to OPA is one input, with who, what and from where, and without a secret', async () => {
    const { asked, ask } = pointOf({ headers: { Authorization: 'Bearer s3cret' } })
    expect(await ask()).toBe(true)
    expect(asked).toEqual([
      {
        url: 'https://pdp.example.com/ask',
        headers: { 'content-type': 'application/json', Authorization: 'Bearer s3cret' },
        body: {
          input: {
            principal: {
              kind: 'person',
              subject: 'ann',
              email: 'ann@example.com',
              groups: ['finance'],
              roles: [],
              teams: [],
              scopes: [],
              method: 'access_token',
              identity: 'ann',
            },
            server: 'github',
            kind: 'tool',
            name: 'search',
            method: 'tools/call',
            args: { amount: 5 },
            request: { address: '192.0.2.7', era: 'modern', time: '2027-01-15T12:00:00.000Z' },
          },
        },
      },
    ])
  })

  it('to AuthZEN is one evaluation', async () => {
    const { asked, ask } = pointOf({}, 'authzen')
    expect(await ask()).toBe(true)
    expect(asked[0]?.body).toMatchObject({
      subject: { type: 'user', id: 'ann', properties: { email: 'ann@example.com', groups: ['finance'] } },
      action: { name: 'tools/call' },
      resource: { type: 'tool', id: 'github/search', properties: { server: 'github', name: 'search' } },
      context: { args: { amount: 5 }, request: { address: '192.0.2.7' } },
    })
  })
})

describe('the subject of an evaluation', () => {
  it('whom another issuer vouches for is whom that issuer names', async () => {
    const { asked, ask } = pointOf({}, 'authzen')
    const vouched = person('https://idp.example|7', { identity: '7', issuer: 'https://idp.example' })
    await ask({ ...CALL, principal: vouched })
    expect(asked[0]?.body).toMatchObject({ subject: { id: '7', properties: { issuer: 'https://idp.example' } } })
  })
})

describe('the answer', () => {
  it.each<['opa' | 'authzen', unknown, boolean]>([
    ['opa', { result: true }, true],
    ['opa', { result: false }, false],
    ['opa', {}, false],
    ['opa', { result: 'true' }, false],
    ['opa', { result: 1 }, false],
    ['opa', { result: { allow: true } }, false],
    ['opa', [{ result: true }], false],
    ['opa', { decision: true }, false],
    ['opa', 'result: true', false],
    ['opa', '', false],
    ['authzen', { decision: true }, true],
    ['authzen', { decision: true, context: { reason: 'x' } }, true],
    ['authzen', { decision: false }, false],
    ['authzen', { decision: 'true' }, false],
    ['authzen', { result: true }, false],
    ['authzen', {}, false],
    ['authzen', 'null', false],
  ])('of %s %j is %s', async (type, body, allowed) => {
    const { state, ask } = pointOf({}, type)
    state.answer = { status: 200, body }
    expect(await ask()).toBe(allowed)
  })

  it.each([201, 204, 301, 302, 307, 400, 401, 403, 404, 500, 503])(
    'with status %i is a no, whatever it says',
    async (status) => {
      const { state, ask, told } = pointOf()
      state.answer = { status, body: { result: true } }
      expect(await ask()).toBe(false)
      expect(told).toEqual([`status_${status}`])
    },
  )

  it('that never comes is a no, and its reason is told', async () => {
    const { state, ask, told } = pointOf()
    state.answer = Object.assign(new Error('late'), { reason: 'deadline' })
    expect(await ask()).toBe(false)
    state.answer = new Error('something else')
    expect(await ask()).toBe(false)
    expect(told).toEqual(['deadline', 'failed'])
  })

  it('of a point that is not configured is a no', async () => {
    const { asked, askAt } = pointOf()
    expect(await askAt('other', CALL)).toBe(false)
    expect(asked).toEqual([])
  })
})

describe('an answer that is kept', () => {
  const later: Call = { ...CALL, request: { address: '192.0.2.7', at: NOON + 4000, era: 'modern' } }

  it.each([true, false])('counts for the same question until it is old: %s', async (result) => {
    const { state, asked, ask } = pointOf()
    state.answer = { status: 200, body: { result } }
    expect([await ask(), await ask(later)]).toEqual([result, result])
    expect(asked).toHaveLength(1)
    state.answer = { status: 200, body: { result: !result } }
    state.now += 4999
    expect(await ask()).toBe(result)
    state.now += 1
    expect(await ask()).toBe(!result)
  })

  it.each<[string, Call]>([
    ['another person', { ...CALL, principal: person('bob') }],
    ['another group', { ...CALL, principal: { ...CALL.principal, groups: [] } }],
    ['another argument', { ...CALL, args: { amount: 6 } }],
    ['another tool', { ...CALL, name: 'delete' }],
    ['another server', { ...CALL, server: 'files' }],
    ['another address', { ...CALL, request: { address: '192.0.2.8', at: NOON, era: 'modern' } }],
    ['another kind', { ...CALL, kind: 'prompt' }],
  ])('says nothing about %s', async (_, other) => {
    const { state, ask } = pointOf()
    expect(await ask()).toBe(true)
    state.answer = { status: 200, body: { result: false } }
    expect(await ask(other)).toBe(false)
    expect(await ask()).toBe(true)
  })

  it('is never a failure', async () => {
    const { state, asked, ask } = pointOf()
    state.answer = new Error('connection refused')
    expect(await ask()).toBe(false)
    state.answer = { status: 200, body: { result: true } }
    expect(await ask()).toBe(true)
    expect(asked).toHaveLength(2)
  })

  it('is asked for each time where it must not be kept', async () => {
    const { asked, ask } = pointOf({ cache: 0 })
    expect([await ask(), await ask()]).toEqual([true, true])
    expect(asked).toHaveLength(2)
  })

  it('is not older because the clock was set back', async () => {
    const { state, asked, ask } = pointOf()
    await ask()
    state.now -= 3_600_000
    await ask()
    expect(asked).toHaveLength(2)
  })

  it('is one among a bounded number', async () => {
    const { asked, ask } = pointOf()
    await ask()
    for (let at = 0; at < 10_000; at++) await ask({ ...CALL, args: { at } })
    await ask({ ...CALL, args: { at: 9999 } })
    expect(asked).toHaveLength(10_001)
    await ask()
    expect(asked).toHaveLength(10_002)
  })
})

describe('questions at the same time', () => {
  it('are one where they are the same', async () => {
    const { asked, ask } = pointOf({ cache: 0 })
    expect(await Promise.all([ask(), ask(), ask({ ...CALL, args: { amount: 6 } }), ask()])).toEqual([
      true,
      true,
      true,
      true,
    ])
    expect(asked).toHaveLength(2)
  })

  it('are at most so many', async () => {
    const { state, asked, told, ask } = pointOf()
    const held = Promise.withResolvers<void>()
    state.hold = held.promise
    const answers = Array.from({ length: 600 }, (_, at) => ask({ ...CALL, args: { at } }))
    held.resolve()
    const said = await Promise.all(answers)
    expect(said.filter(Boolean)).toHaveLength(512)
    expect(asked).toHaveLength(512)
    expect(told.filter((one) => one === 'too_many_questions')).toHaveLength(88)
    expect(await ask({ ...CALL, args: { at: 'later' } })).toBe(true)
  })
})

describe('a point that keeps failing', () => {
  it('is left alone after five failures, tried with one question, and used again when it answers', async () => {
    const { state, asked, told, ask } = pointOf({ cache: 0 })
    state.answer = new Error('connection refused')
    for (let at = 0; at < 20; at++) expect(await ask()).toBe(false)
    expect(asked).toHaveLength(5)
    expect(told.slice(5)).toEqual(Array(15).fill('paused'))
    state.now += 5000
    expect(await ask()).toBe(false)
    expect(await ask()).toBe(false)
    expect(asked).toHaveLength(6)
    state.now += 5000
    state.answer = { status: 200, body: { result: true } }
    expect([await ask(), await ask(), await ask()]).toEqual([true, true, true])
  })

  it('is not one that says no, or fails now and then', async () => {
    const { state, asked, ask } = pointOf({ cache: 0 })
    for (let at = 0; at < 20; at++) {
      state.answer = at % 5 === 4 ? { status: 200, body: { result: false } } : new Error('connection reset')
      expect(await ask()).toBe(false)
    }
    expect(asked).toHaveLength(20)
  })

  it.each([400, 413, 414, 422])('is not one that takes some questions for none: %i', async (status) => {
    const { state, asked, ask } = pointOf({ cache: 0 })
    state.answer = { status, body: '' }
    for (let at = 0; at < 20; at++) expect(await ask()).toBe(false)
    state.answer = { status: 200, body: { result: true } }
    expect(await ask({ ...CALL, args: { at: 'another' } })).toBe(true)
    expect(asked).toHaveLength(21)
  })

  it('lets one of many through that come after the pause', async () => {
    const { state, asked, ask } = pointOf({ cache: 0 })
    state.answer = new Error('connection refused')
    for (let at = 0; at < 5; at++) await ask()
    state.now += 5000
    await Promise.all(Array.from({ length: 50 }, (_, at) => ask({ ...CALL, args: { at } })))
    expect(asked).toHaveLength(6)
  })
})

describe('decision points of the configuration', () => {
  it.each([
    [{ type: 'opa' }, 'url'],
    [{ type: 'opa', url: 'ftp://pdp' }, ''],
    [{ type: 'opa', url: 'https://user:word@pdp.example.com/' }, 'headers'],
    [{ type: 'other', url: 'https://pdp' }, ''],
    [{ type: 'opa', url: 'https://pdp', timeout: 0 }, 'Longer than 0'],
    [{ type: 'opa', url: 'https://pdp', headers: { 'X-A': 'a\r\nb' } }, 'line break'],
  ])('refuse %j', (point, words) => {
    const parsed = Config.safeParse({ policy: { decisionPoints: { pdp: point } } })
    expect(parsed.success).toBe(false)
    expect(parsed.error?.message).toContain(words)
  })
})
