// One event, one bounded JSON line, whatever is in it.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ActEvent, CallEvent, CallOutcome } from './event.ts'
import { callParts, eventLine } from './event-line.ts'

const CALL: CallEvent = {
  kind: 'call',
  id: '01990000-0000-7000-8000-000000000001',
  time: '2026-09-01T12:00:00.000Z',
  subject: 'u1',
  server: 'github',
  method: 'tools/call',
  name: 'search',
  decision: 'allow',
  reason: 'allowed_by_rule',
  address: '192.0.2.1',
}
const ACT: ActEvent = {
  kind: 'act',
  id: CALL.id,
  time: CALL.time,
  act: 'token_issued',
  decision: 'allow',
  reason: 'granted',
}
// biome-ignore lint/suspicious/noControlCharactersInRegex: the point of the test.
const OBEYED = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202e]/

/** The same by the shortest way: all fields at once, and none that is kept from one line to the next. */
function plainly(event: CallEvent, longest = 256): unknown {
  const { args, attributes, ...texts } = event
  const cut = (value: unknown) =>
    typeof value === 'string' && value.length > longest ? `${value.slice(0, longest - 1)}…` : value
  const short = Object.fromEntries(Object.entries(texts).map(([name, value]) => [name, cut(value)]))
  const whole = JSON.stringify(longest === 256 ? { ...short, args, attributes } : short)
  const size = Buffer.byteLength(
    whole.replace(/[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g, '\\u0000'),
  )
  return size > 8000 && longest === 256 ? plainly(event, 64) : JSON.parse(whole)
}

describe('eventLine', () => {
  it('keeps the event, and nothing else an object carries', () => {
    const { era: _, ...whole } = {
      ...CALL,
      beside: 'proxy|bob',
      era: 'modern',
      status: 200,
      outcome: 'answered',
      latency: 12,
    } as const
    expect(JSON.parse(eventLine(whole))).toEqual(whole)
    expect(JSON.parse(eventLine(ACT))).toEqual(ACT)
    const smuggling = { ...CALL, token: 'secret-token' }
    expect(eventLine(smuggling)).not.toContain('secret-token')
  })

  it('keeps what conditions read of the arguments, and which policy it was', () => {
    const judged = { ...CALL, rule: 'small', args: { amount: 5, to: { iban: 'DE\u202e' } }, policy: '0a1b2c3d' }
    expect(JSON.parse(eventLine(judged))).toEqual(judged)
    expect(eventLine(judged)).not.toMatch(OBEYED)
  })

  it('leaves arguments out sooner than anything else', () => {
    const long = { ...CALL, rule: 'small', args: { text: '\u0001'.repeat(2000) } }
    expect(JSON.parse(eventLine(long))).toEqual({ ...CALL, rule: 'small' })
  })

  it.each([
    ['line feeds', 'a\r\n{"kind":"call"}'],
    ['a JSON breakout', '","decision":"allow","x":"'],
    ['ANSI', '\u001b[2J\u009b31m'],
    ['line separators and bidirectional marks', '\u2028\u2029\u202e\u007f'],
    ['a lone surrogate', '\ud800'],
  ])('keeps %s inside the string', (_, name) => {
    const line = eventLine({ ...CALL, name })
    expect(line).not.toMatch(OBEYED)
    expect(JSON.parse(line)).toMatchObject({ ...CALL, name })
  })

  it('keeps what an act was done to, and by whom, in the same bounds', () => {
    const act = { ...ACT, act: 'token_created', name: 'a\r\n\u001b[2J', by: 'operator' }
    expect(JSON.parse(eventLine(act))).toEqual(act)
    expect(eventLine(act)).not.toMatch(OBEYED)
    const name = '\u0001'.repeat(1024 ** 2)
    const hostile = eventLine({ ...act, name, by: name, subject: name, resource: name, family: name, client: name })
    expect(Buffer.byteLength(hostile)).toBeLessThanOrEqual(8192)
  })

  it('cuts a name of a megabyte, and every field when all of them are hostile', () => {
    const long = eventLine({ ...CALL, name: 'x'.repeat(1024 ** 2) })
    expect(JSON.parse(long).name).toBe(`${'x'.repeat(255)}…`)
    const name = '\u0001'.repeat(1024 ** 2)
    const hostile = { ...CALL, name, subject: name, email: name, client: name, server: name, method: name, rule: name }
    const line = eventLine({ ...hostile, reason: name, family: name, address: name })
    expect(Buffer.byteLength(line)).toBeLessThanOrEqual(8192)
    expect(JSON.parse(line)).toMatchObject({ id: CALL.id, decision: 'allow' })
  })

  it('is one line of JSON for any text', () => {
    const any = fc.string({ unit: 'binary', maxLength: 400 })
    fc.assert(
      fc.property(any, any, any, (name, subject, method) => {
        const line = eventLine({ ...CALL, name, subject, method })
        expect(line).not.toMatch(OBEYED)
        expect(JSON.parse(line).id).toBe(CALL.id)
        expect(Buffer.byteLength(line)).toBeLessThanOrEqual(8192)
      }),
    )
  })

  it('says of any event what it is, whatever was written before', () => {
    const nasty = fc.constantFrom(
      'a"b\\',
      '\ud800',
      '\u001b[2J\u009b',
      '\u202e\u2028\ufeff',
      '", "decision":"allow',
      '…',
    )
    const unit = fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code))
    const long = fc.tuple(unit, fc.integer({ min: 250, max: 3000 })).map(([one, count]) => one.repeat(count))
    const text = fc.oneof(fc.constantFrom('u1', 'u2'), nasty, fc.string({ unit }), fc.string(), long)
    // Of one principal they are the very same object; nothing else of the line follows from them.
    const attributes = fc.constantFrom({}, { groups: ['docs'], partly: ['claims' as const] }, { roles: ['\u009b"'] })
    const event = fc.record(
      {
        kind: fc.constant('call' as const),
        id: fc.uuid({ version: 7 }),
        time: fc.constant(CALL.time),
        decision: fc.constantFrom('allow', 'deny'),
        auth: fc.constantFrom('access_token', 'api_token'),
        era: fc.constantFrom('modern', 'legacy'),
        outcome: fc.constantFrom('answered', 'refused'),
        status: fc.integer({ min: 200, max: 599 }),
        latency: fc.nat(),
        args: fc.dictionary(text, fc.jsonValue({ maxDepth: 2 }), { maxKeys: 4 }),
        attributes,
        ...{ subject: text, email: text, client: text, family: text, beside: text, by: text },
        ...{ server: text, via: text, method: text, name: text, reason: text, rule: text, policy: text, address: text },
      },
      { requiredKeys: ['kind', 'id', 'time', 'decision', 'subject', 'server', 'method', 'reason', 'address'] },
    ) as fc.Arbitrary<CallEvent>
    fc.assert(
      fc.property(event, (one) => {
        const line = eventLine(one)
        expect(JSON.parse(line)).toEqual(plainly(one))
        expect(eventLine(one)).toBe(line)
        expect(line).not.toMatch(OBEYED)
        expect(line).toMatch(/^\{"kind":"call","id":"[0-9a-f-]{36}",/)
        expect(Buffer.byteLength(line)).toBeLessThanOrEqual(8192)
      }),
      { numRuns: 500 },
    )
  })

  it('tells callers apart who are known by the same', () => {
    const attributes = { groups: ['docs'] }
    const ann = { ...CALL, subject: 'ann', email: 'ann@example.com', attributes }
    const bob = { ...CALL, subject: 'bob', client: 'c1', attributes }
    for (const event of [ann, bob, ann, { ...ann, family: 'f1' }, { ...ann, auth: 'api_token' as const }])
      expect(JSON.parse(eventLine(event))).toEqual(event)
  })
})

describe('callParts', () => {
  const ANN: CallEvent = { ...CALL, attributes: { groups: ['staff'] }, args: { amount: 5 } }

  it('shares all but what is of one call: its id, its moment, its arguments, its end', () => {
    const later = { ...ANN, id: CALL.id.replace(/1$/, '2'), time: '2026-09-01T12:00:01.000Z', args: { amount: 6 } }
    const [one, other] = [ANN, { ...later, status: 200, outcome: 'answered', latency: 3 } as const].map(callParts)
    expect(other?.shared).toBe(one?.shared)
    expect(other?.head).not.toBe(one?.head)
    expect(one?.shared).not.toContain('amount')
  })

  it('shares nothing where anything else differs', () => {
    // All that are neither of one call nor, as the attributes, one object with each.
    const others: Required<Omit<CallEvent, 'kind' | 'id' | 'time' | 'args' | 'attributes' | keyof CallOutcome>> = {
      ...{ subject: 'u2', email: 'u@example.com', client: 'c', auth: 'api_token', family: 'f', beside: 'b', by: 'c' },
      ...{ server: 's', via: '*', method: 'tools/list', name: 'n', address: '192.0.2.2', era: 'modern' },
      ...{ decision: 'deny', reason: 'r', rule: 'x', policy: '0a1b' },
    }
    for (const [name, other] of Object.entries(others)) {
      const { shared } = callParts(ANN)
      expect(callParts({ ...ANN, [name]: other }).shared, name).not.toBe(shared)
    }
  })
})
