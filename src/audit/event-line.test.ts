// One event, one bounded JSON line, whatever is in it.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ActEvent, CallEvent } from './event.ts'
import { eventLine } from './event-line.ts'

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
})
