// What is decided is recorded, or does not happen.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { RequestError, StoreUnavailable } from '../protocol/errors.ts'
import type { RecordLine } from '../store/record-log.ts'
import type { CallEvent } from './event.ts'
import { ANSWERED, act, call, ended } from './events.support.ts'
import { openRecorder } from './recorder.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'spool-'))
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
})
afterEach(() => {
  vi.useRealTimers()
  rmSync(directory, { recursive: true, force: true })
})

function recordLog() {
  const records = new Map<string, string>()
  const log = {
    records,
    down: false,
    appends: 0,
    async append(lines: readonly RecordLine[]) {
      if (log.down) throw new StoreUnavailable('The database is away.')
      log.appends += 1
      for (const { id, line } of lines) records.set(id, line)
    },
    async restore(lines: readonly RecordLine[]) {
      if (log.down) throw new StoreUnavailable('The database is away.')
      for (const { id, line } of lines) if (!records.has(id)) records.set(id, line)
    },
    outcome: (number: number): unknown => JSON.parse(records.get(call(number).id) ?? '{}').outcome,
  }
  return log
}

async function open(log = recordLog(), over: Partial<Parameters<typeof openRecorder>[0]> = {}) {
  const printed: string[] = []
  const reported: string[] = []
  let now = 1_790_000_000_000
  const recorder = await openRecorder({
    log,
    directory,
    sink: ['store', 'stdout'],
    spoolLimit: 1024 ** 2,
    stdout: (line) => printed.push(line),
    clock: () => now,
    report: (_, message) => reported.push(message),
    ...over,
  })
  return { recorder, log, printed, reported, pass: (ms: number) => (now += ms) }
}
const segments = () => readdirSync(directory)
const spooled = () =>
  segments()
    .map((name) => readFileSync(join(directory, name), 'utf8'))
    .join('')

describe('calls', () => {
  it('are on disk when decide resolves, in the store a batch later, printed with their outcome', async () => {
    const { recorder, log, printed } = await open()
    const one = await recorder.decide(call(1))
    expect(spooled()).toContain(call(1).id)
    expect(log.records.size).toBe(0)
    recorder.finish(one, call(1), ANSWERED)
    recorder.finish(await recorder.decide(call(2)), call(2), ANSWERED)
    expect(recorder.state()).toEqual({ healthy: true, waiting: 2 })
    await vi.advanceTimersByTimeAsync(10)
    expect(log.appends).toBe(1)
    expect(log.outcome(1)).toBe('answered')
    expect(printed.map((line) => JSON.parse(line))).toEqual([ended(1), ended(2)])
    expect(recorder.state().waiting).toBe(0)
    await recorder.close()
    expect(segments()).toEqual([])
  })

  it('that are told at once are on disk and printed with their outcome, and written once', async () => {
    const { recorder, log, printed } = await open()
    await recorder.record(ended(1))
    expect(JSON.parse(spooled())).toEqual(ended(1))
    expect(printed.map((line) => JSON.parse(line))).toEqual([ended(1)])
    expect(recorder.state().waiting).toBe(1)
    await vi.advanceTimersByTimeAsync(2000)
    expect(log.outcome(1)).toBe('answered')
    expect(log.appends).toBe(1)
    await recorder.close()
    expect(segments()).toEqual([])
  })

  it('are committed as they stand when they last, and once more when they end', async () => {
    const { recorder, log, printed } = await open()
    const one = await recorder.decide(call(1))
    await vi.advanceTimersByTimeAsync(1010)
    expect(log.outcome(1)).toBeUndefined()
    expect([...log.records.keys()]).toEqual([call(1).id])
    expect(printed).toEqual([])
    recorder.finish(one, call(1), ANSWERED)
    await vi.advanceTimersByTimeAsync(10)
    expect(log.outcome(1)).toBe('answered')
    expect(printed).toHaveLength(1)
    await recorder.close()
  })

  it('keep what changed after the decision, and the last of two outcomes', async () => {
    const { recorder, log } = await open()
    const one = await recorder.decide(call(1))
    const refused = call(1, { decision: 'deny', reason: 'too_late', outcome: 'refused', status: 503 })
    recorder.finish(one, refused, refused)
    expect(recorder.state().waiting).toBe(1)
    const two = await recorder.decide(call(2))
    recorder.finish(two, call(2), { outcome: 'upstream_error' })
    recorder.finish(two, call(2), ANSWERED)
    await recorder.close()
    expect([...log.records.values()].map((line) => JSON.parse(line))).toEqual([refused, ended(2)])
  })

  it('wait for a store that is away, and keep their outcome', async () => {
    const { recorder, log, reported } = await open()
    log.down = true
    const one = await recorder.decide(call(1))
    await recorder.decide(call(2))
    await vi.advanceTimersByTimeAsync(1500)
    recorder.finish(one, call(1), ANSWERED)
    expect(recorder.state()).toEqual({ healthy: false, reason: 'store_unavailable', waiting: 2 })
    expect(reported).toHaveLength(1)
    log.down = false
    await vi.advanceTimersByTimeAsync(1500)
    expect(recorder.state()).toEqual({ healthy: true, waiting: 0 })
    expect(log.outcome(1)).toBe('answered')
    expect(log.records.size).toBe(2)
    await recorder.close()
  })

  it('keep an outcome that came while their decision was on its way to a failing store', async () => {
    const { recorder, log } = await open()
    let fail = (_: Error): void => undefined
    const append = vi.spyOn(log, 'append').mockImplementationOnce(() => new Promise((_, reject) => (fail = reject)))
    const one = await recorder.decide(call(1))
    await vi.advanceTimersByTimeAsync(1010)
    expect(append).toHaveBeenCalledOnce()
    recorder.finish(one, call(1), ANSWERED)
    fail(new StoreUnavailable('The database is away.'))
    await vi.advanceTimersByTimeAsync(500)
    expect(log.outcome(1)).toBe('answered')
    await recorder.close()
    expect(segments()).toEqual([])
  })

  it('have an outcome committed that came while their decision was on its way', async () => {
    const { recorder, log } = await open()
    let arrive = (): void => undefined
    vi.spyOn(log, 'append').mockImplementationOnce(() => new Promise((resolve) => (arrive = resolve)))
    const one = await recorder.decide(call(1))
    await vi.advanceTimersByTimeAsync(1010)
    recorder.finish(one, call(1), ANSWERED)
    arrive()
    await vi.advanceTimersByTimeAsync(10)
    expect(log.outcome(1)).toBe('answered')
    expect(recorder.state()).toEqual({ healthy: true, waiting: 0 })
    await recorder.close()
    expect(segments()).toEqual([])
  })

  it('are refused beyond the limit, and taken again when the store is back', async () => {
    const { recorder, log } = await open(recordLog(), { spoolLimit: 1000 })
    log.down = true
    let taken = 0
    const fill = async () => {
      while (taken < 100) await recorder.decide(call(++taken))
    }
    await expect(fill()).rejects.toThrow(RequestError)
    expect(recorder.state()).toMatchObject({ healthy: false, reason: 'spool_full' })
    await vi.advanceTimersByTimeAsync(1500)
    log.down = false
    await vi.advanceTimersByTimeAsync(1000)
    expect(recorder.state()).toEqual({ healthy: true, waiting: 0 })
    // The refused one is in no record: nothing was forwarded for it.
    expect(log.records.size).toBe(taken - 1)
    await recorder.decide(call(200))
    await recorder.close()
    expect(log.records.has(call(200).id)).toBe(true)
  })

  it('are refused with 503 when the spool cannot be written; it recovers by itself', async () => {
    const target = join(directory, 'spool')
    mkdirSync(target)
    const { recorder, log, reported } = await open(recordLog(), { directory: target })
    rmSync(target, { recursive: true })
    const unavailable = expect.objectContaining({ status: 503, reason: 'audit_unavailable', retryAfter: 5 })
    await expect(recorder.decide(call(1))).rejects.toEqual(unavailable)
    await expect(recorder.record(ended(3))).rejects.toEqual(unavailable)
    expect(recorder.state()).toMatchObject({ healthy: false, reason: 'spool_unwritable' })
    mkdirSync(target)
    await vi.advanceTimersByTimeAsync(1000)
    expect(recorder.state().healthy).toBe(true)
    await recorder.decide(call(2))
    await recorder.close()
    expect([...log.records.keys()]).toEqual([call(2).id])
    expect(reported).toEqual([
      'The audit spool cannot be written; calls are refused',
      'The audit spool can be written again',
    ])
  })

  it('of one turn share their write and their fate', async () => {
    const target = join(directory, 'spool')
    mkdirSync(target)
    const { recorder, log, reported } = await open(recordLog(), { directory: target })
    const both = Promise.all([recorder.decide(call(1)), recorder.decide(call(2))])
    expect(readdirSync(target)).toEqual([])
    const calls = await both
    const [name = ''] = readdirSync(target)
    expect(readFileSync(join(target, name), 'utf8').split('\n')).toHaveLength(3)
    for (const [at, decided] of calls.entries()) recorder.finish(decided, call(at + 1), ANSWERED)
    await vi.advanceTimersByTimeAsync(10)
    await recorder.close()
    rmSync(target, { recursive: true })

    const second = await open(log, { directory: target })
    rmSync(target, { recursive: true })
    const refused = await Promise.allSettled([second.recorder.decide(call(3)), second.recorder.decide(call(4))])
    expect(refused.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(second.recorder.state()).toEqual({ healthy: false, reason: 'spool_unwritable', waiting: 0 })
    expect([reported, second.reported]).toEqual([[], ['The audit spool cannot be written; calls are refused']])
    mkdirSync(target)
    await second.recorder.close()
    expect([...log.records.keys()]).toEqual([call(1).id, call(2).id])
  })

  it('that come right before the end are in the store, and leave nothing behind', async () => {
    const { recorder, log } = await open()
    const last = recorder.decide(call(1))
    await Promise.all([recorder.close(), last])
    expect([...log.records.keys()]).toEqual([call(1).id])
    expect(segments()).toEqual([])
  })

  it('leave a folder that only its owner reads, in segments that go when they are committed', async () => {
    const { recorder, log, pass } = await open(recordLog(), { spoolLimit: 1024 ** 3 })
    const one = await recorder.decide(call(1))
    for (const name of segments()) expect(statSync(join(directory, name)).mode & 0o777).toBe(0o600)
    recorder.finish(one, call(1), ANSWERED)
    await vi.advanceTimersByTimeAsync(10)
    pass(10_000)
    await recorder.decide(call(2))
    expect(segments()).toHaveLength(1)
    expect(spooled()).not.toContain(call(1).id)
    for (let number = 3; number < 6000; number++) await recorder.decide(call(number))
    expect(segments().length).toBeGreaterThan(1)
    await vi.advanceTimersByTimeAsync(2000)
    expect(segments()).toHaveLength(1)
    expect(log.records.size).toBe(5999)
    await recorder.close()
  })
})

describe('a spool that a killed process left', () => {
  const leave = (name: string, text: string) => writeFileSync(join(directory, name), text)
  const line = (event: CallEvent) => `${JSON.stringify(event)}\n`

  it('is restored before anything else, without undoing an outcome', async () => {
    const log = recordLog()
    await log.append([{ id: call(1).id, line: JSON.stringify(ended(1)) }])
    leave('spool-1780000000000-000001.jsonl', line(call(1)) + line(call(2)) + JSON.stringify(call(3)).slice(0, 40))
    const { recorder, reported } = await open(log)
    expect(log.outcome(1)).toBe('answered')
    expect([...log.records.keys()]).toEqual([call(1).id, call(2).id])
    expect(segments()).toEqual([])
    expect(reported.join()).toMatch(/torn.*restored/)
    await recorder.close()
  })

  it('stays where it is when the store does not take it', async () => {
    const log = recordLog()
    log.down = true
    leave('spool-1780000000000-000001.jsonl', line(call(1)))
    await expect(open(log)).rejects.toThrow(StoreUnavailable)
    expect(segments()).toHaveLength(1)
  })

  it('is kept beside the spool when it holds what is no decision', async () => {
    const foreign = line({ ...call(3), id: 'two\nlines' })
    leave('spool-1780000000000-000001.jsonl', `${line(call(1))}\u0000\u0000\n${foreign}${line(call(2))}`)
    leave('notes.txt', 'not ours')
    const { recorder, log } = await open()
    expect(log.records.size).toBe(2)
    expect(segments()).toEqual(['notes.txt', 'spool-1780000000000-000001.jsonl.damaged'])
    await recorder.close()
  })

  it('is what close leaves when the store is away', async () => {
    const first = await open()
    first.log.down = true
    await first.recorder.decide(call(1))
    await first.recorder.close()
    await expect(first.recorder.decide(call(2))).rejects.toThrow(RequestError)
    first.log.down = false
    const second = await open(first.log)
    expect([...second.log.records.keys()]).toEqual([call(1).id])
    await second.recorder.close()
  })
})

describe('acts', () => {
  it('are committed when they resolve, those of one moment together', async () => {
    const { recorder, log, printed } = await open()
    await Promise.all([1, 2, 3, 4].map((number) => recorder.act(act(number))))
    expect(log.records.size).toBe(4)
    expect(log.appends).toBe(2)
    expect(printed).toHaveLength(4)
    await recorder.close()
  })

  it('reject when the store does not take them, and are printed by nobody', async () => {
    const { recorder, log, printed } = await open()
    log.down = true
    await expect(recorder.act(act(1))).rejects.toThrow(StoreUnavailable)
    expect(printed).toEqual([])
    log.down = false
    await recorder.act(act(2))
    expect([...log.records.keys()]).toEqual([act(2).id])
    await recorder.close()
    await expect(recorder.act(act(3))).rejects.toMatchObject({ reason: 'audit_unavailable' })
  })
})

describe('sinks', () => {
  it('without stdout print nothing', async () => {
    const { recorder, printed, log } = await open(recordLog(), { sink: ['store'] })
    recorder.finish(await recorder.decide(call(1)), call(1), ANSWERED)
    await recorder.close()
    expect(printed).toEqual([])
    expect(log.records.size).toBe(1)
  })

  it('without the store print all, also what was left behind', async () => {
    writeFileSync(join(directory, 'spool-1780000000000-000001.jsonl'), `${JSON.stringify(call(1))}\n`)
    const { recorder, printed, log } = await open(recordLog(), { sink: ['stdout'] })
    recorder.finish(await recorder.decide(call(2)), call(2), ANSWERED)
    await recorder.decide(call(3))
    await recorder.act(act(4))
    await recorder.close()
    expect(printed.map((line) => JSON.parse(line).id)).toEqual([1, 2, 4, 3].map((number) => call(number).id))
    expect(log.records.size).toBe(0)
    expect(segments()).toEqual([])
  })
})
