// The record as people read it.
import { describe, expect, it } from 'vitest'
import type { RecordLine } from '../store/record-log.ts'
import { eventText, followRecords } from './tail.ts'

const id = (ms: number, number = 0) => {
  const hex = ms.toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-${String(number).padStart(12, '0')}`
}
const call = (over: object = {}) =>
  JSON.stringify({
    kind: 'call',
    id: 'i1',
    time: '2026-09-01T12:00:00.000Z',
    subject: 'u1',
    email: 'ann@example.com',
    client: 'claude',
    server: 'github',
    method: 'tools/call',
    name: 'search',
    decision: 'allow',
    reason: 'allowed_by_rule',
    rule: 'rule-1',
    address: '192.0.2.1',
    ...over,
  })

describe('eventText', () => {
  it('reads from left to right: when, what was decided, who, what, why, how it ended', () => {
    expect(eventText(call({ status: 200, outcome: 'answered', latency: 12 }))).toBe(
      '2026-09-01T12:00:00.000Z  allow  ann@example.com via claude  github tools/call search  allowed_by_rule by rule-1  200 answered 12 ms  i1',
    )
    const act = { kind: 'act', id: 'i2', time: 't', act: 'sign_in', decision: 'deny', reason: 'email_not_allowed' }
    expect(eventText(JSON.stringify(act))).toBe('t  deny   -  sign_in  email_not_allowed  i2')
  })

  it('never lets a name speak to the terminal', () => {
    const shown = eventText(call({ name: '\u001b[2J\r\n\u009bx\u202e' }))
    expect(shown).toContain('\\u001b[2J\\u000d\\u000a\\u009bx\\u202e')
    expect(eventText('no event\u0007')).toBe('no event\\u0007')
  })
})

describe('followRecords', () => {
  const START = 1_790_000_000_000
  const done = (name: string) => call({ name, outcome: 'answered' })
  /** Each step changes the record, then the follower looks once. */
  async function follow(
    steps: ((records: Map<string, string>, pass: (ms: number) => void) => void)[],
    known: RecordLine[] = [{ id: id(START), line: done('known') }],
    hidden: string[] = [],
  ) {
    const records = new Map<string, string>()
    const seen: string[] = []
    const abort = new AbortController()
    let now = START
    let step = 0
    await followRecords({
      log: {
        async read(after, limit): Promise<RecordLine[]> {
          const change = steps[step++]
          if (change) change(records, (ms) => (now += ms))
          else abort.abort()
          const lines = [...records].map(([key, line]) => ({ id: key, line })).filter((record) => record.id > after)
          return lines.sort((a, b) => (a.id < b.id ? -1 : 1)).slice(0, limit)
        },
      },
      known,
      onLine: (line) => seen.push(line),
      onHidden: (until) => hidden.push(until.toISOString()),
      signal: abort.signal,
      poll: 0,
      clock: () => now,
    })
    return seen
  }
  it('shows each event once, in order, above the given id', async () => {
    const seen = await follow([
      (records) =>
        records
          .set(id(START - 1), done('old'))
          .set(id(START + 2), done('b'))
          .set(id(START + 1), done('a')),
      (records) => records.set(id(START + 9), done('c')),
      () => undefined,
    ])
    expect(seen).toEqual([done('a'), done('b'), done('c')])
  })

  it('shows what was committed late, below ids it has shown', async () => {
    const seen = await follow([
      (records) => records.set(id(START + 3000), done('new')),
      (records) => records.set(id(START + 1000), done('late')),
    ])
    expect(seen).toEqual([done('new'), done('late')])
  })

  it('shows nothing that is known again, and begins where there is nothing', async () => {
    const known = [2, 4].map((at) => ({ id: id(START + at), line: done(`known ${at}`) }))
    const seen = async (given: typeof known) =>
      follow(
        [1, 2, 3, 4, 5].map((at) => (records) => records.set(id(START + at), done(`${at}`))),
        given,
      )
    expect(await seen(known)).toEqual([done('3'), done('5')])
    expect(await seen([])).toEqual(['1', '2', '3', '4', '5'].map(done))
  })

  it('waits for the outcome, but not for ever', async () => {
    const open = call({ name: 'open' })
    const seen = await follow([
      (records) => records.set(id(START + 1), call({ name: 'a' })).set(id(START + 2), open),
      (records) => records.set(id(START + 1), done('a')),
      (_, pass) => pass(4_999),
      (records, pass) => records.set(id(START + 9), done('b')) && pass(1),
      () => undefined,
    ])
    expect(seen).toEqual([done('a'), done('b'), open])
  })

  const aMinute = [60_000, 0].map((ago) => ({ id: id(START - ago), line: done('known') }))

  it('says so where the clock was set back: what comes now would be hidden by what came before', async () => {
    const hidden: string[] = []
    const HOUR = 3_600_000
    const seen = await follow(
      [
        (_, pass) => pass(-HOUR),
        (records) => records.set(id(START - HOUR + 1), done('hidden')),
        (_, pass) => pass(HOUR),
        (records) => records.set(id(START + 1), done('shown')),
        (_, pass) => pass(-15_001),
        () => undefined,
      ],
      aMinute,
      hidden,
    )
    expect(seen).toEqual([done('shown')])
    expect(hidden).toEqual([START - 15_000, START + 1 - 15_000].map((time) => new Date(time).toISOString()))
  })

  it('says nothing of a clock that goes back by less than it looks back', async () => {
    const hidden: string[] = []
    const late = [(records: Map<string, string>) => records.set(id(START - 14_000), done('shown'))]
    expect(await follow([(_, pass) => pass(-14_999), ...late], aMinute, hidden)).toEqual([done('shown')])
    expect(hidden).toEqual([])
  })

  it('rejects when the record cannot be read', async () => {
    const following = followRecords({
      log: { read: () => Promise.reject(new Error('away')) },
      known: [],
      onLine: () => undefined,
      onHidden: () => undefined,
      signal: new AbortController().signal,
      poll: 0,
      clock: () => START,
    })
    await expect(following).rejects.toThrow('away')
  })
})
