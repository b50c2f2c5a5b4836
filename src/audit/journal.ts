// The record of every decision and act where it lies on this machine. A decision is written into it before its call is forwarded, its
// outcome goes with the next write, and the disk is waited for every few milliseconds. An act is on the disk before it is answered.
// What cannot be recorded does not happen.
import type { AuditConfig } from '../config/audit.ts'
import { inTime } from '../protocol/in-time.ts'
import type { Journal, RecordEntry, RecordLog } from '../store/record-log.ts'
import type { CallEvent } from './event.ts'
import { eventLine } from './event-line.ts'
import { groupCommit } from './group-commit.ts'
import { JournaledCall } from './journaled-call.ts'
import { isOutcomeOf, outcomeEnding } from './outcome.ts'
import { Undecided } from './pending.ts'
import { type OpenRecorder, unavailable } from './recording.ts'
import { turns } from './turn.ts'

const SYNC_EVERY = 10
const RETRY_EVERY = 500
const PROBE_EVERY = 1000
/** One that says nothing for so long may say nothing for ever. What the system has by then is lost with the power alone. */
const LONGEST_CLOSE = 2000
/** Entries that are owed, of one write: after an outage there are many. */
const OWED_AT_ONCE = 1000

interface Needs {
  readonly log: Pick<RecordLog, 'append'>
  readonly journal: Journal
  readonly sink: AuditConfig['sink']
  /** Most bytes that wait for the disk: from then on no call begins. Those under way end, each with its one outcome. */
  readonly limit: number
  /** Takes one line, without its line feed. */
  readonly stdout: (line: string) => void
  readonly report: (detail: object, message: string) => void
}

export function openJournal({ log, journal, sink, limit, stdout, report }: Needs): OpenRecorder<JournaledCall> {
  const prints = sink.includes('stdout')
  const acts = groupCommit((lines) => log.append(lines))
  const undecided = new Undecided(JournaledCall)
  const writing = turns(write)
  /** To be written with the next decisions: outcomes, and what a sync that failed has left in doubt. */
  let owed: RecordEntry[] = []
  /** Written since the last sync began. */
  let unsynced: RecordEntry[] = []
  let underway: readonly RecordEntry[] = []
  let waitingBytes = 0
  let syncing: Promise<boolean> | undefined
  let timer: NodeJS.Timeout | undefined
  let prober: NodeJS.Timeout | undefined
  let failure: unknown
  let closed = false
  /** Nothing is written any more. */
  let ended = false

  /** `decided`: its outcome follows. */
  function recorded(event: CallEvent, decided: CallEvent | undefined): Promise<JournaledCall> {
    if (closed || waitingBytes >= limit) return Promise.reject(unavailable())
    const call = new JournaledCall(event, decided)
    return writing.add(call).then(() => call)
  }

  function write(calls: readonly JournaledCall[]): void {
    try {
      put(calls)
    } catch (error) {
      throw unavailable(error)
    }
    schedule()
    for (const call of calls) {
      waitingBytes += sizeOf(call)
      if (call.decided !== undefined) undecided.add(call)
      else if (prints) stdout(call.whole())
    }
  }

  /** What is owed goes first. Throws when the disk does not take all of it. */
  function put(calls: readonly JournaledCall[]): void {
    const entries = withOwed(calls)
    const paid = entries.length - calls.length
    try {
      journal.write(entries)
    } catch (error) {
      if (prober === undefined) report({ error }, 'The audit record cannot be written; calls are refused')
      prober ??= setInterval(probe, PROBE_EVERY)
      throw error
    }
    if (prober !== undefined) writable()
    if (paid > 0) owed = paid === owed.length ? [] : owed.slice(paid)
    for (const entry of entries) unsynced.push(entry)
  }

  /** While the disk keeps nothing, what is written again only fills it. */
  function withOwed(calls: readonly JournaledCall[]): readonly RecordEntry[] {
    if (owed.length === 0 || failure !== undefined) return calls
    return owed.length <= OWED_AT_ONCE ? [...owed, ...calls] : [...owed.slice(0, OWED_AT_ONCE), ...calls]
  }

  /** A gate that is not ready is sent no calls, so it has to find out by itself. */
  function probe(): void {
    try {
      journal.probe()
      put([])
    } catch {
      // Reported when it began.
      return
    }
    schedule()
  }

  function writable(): void {
    clearInterval(prober)
    prober = undefined
    report({}, 'The audit record can be written again')
  }

  function owe(entry: RecordEntry): void {
    owed.push(entry)
    waitingBytes += sizeOf(entry)
    schedule()
  }

  function schedule(): void {
    if (closed || timer !== undefined || syncing !== undefined) return
    if (unsynced.length === 0 && (owed.length === 0 || prober !== undefined)) return
    timer = setTimeout(begin, failure === undefined ? SYNC_EVERY : RETRY_EVERY)
  }

  function begin(): void {
    timer = undefined
    syncing = sync().finally(() => {
      syncing = undefined
      schedule()
    })
  }

  /** Resolves `false` when it is not on the disk, for all that is known. */
  async function sync(): Promise<boolean> {
    try {
      if (owed.length > 0 && failure === undefined) put([])
    } catch {
      // Reported, and probed for from now on; what is written already is waited for all the same.
    }
    underway = unsynced
    unsynced = []
    try {
      if (failure !== undefined) journal.probe()
      await journal.sync()
    } catch (error) {
      if (failure === undefined) report({ error }, 'The disk does not take the audit record; it is written again')
      failure = error
      // In order: an outcome counts after its decision only.
      owed = [...underway, ...unsynced, ...owed]
      underway = []
      unsynced = []
      return false
    }
    if (failure !== undefined) report({}, 'The disk takes the audit record again')
    failure = undefined
    for (const entry of underway) waitingBytes -= sizeOf(entry)
    underway = []
    return owed.length === 0
  }

  /** The last that the disk gets, whatever it did before; what it does not keep it gets once more, in another file. */
  async function syncAll(): Promise<boolean> {
    await Promise.all([acts.idle(), syncing])
    let failures = 0
    do {
      if (ended) return false
      failure = undefined
      if (await sync()) return true
      if (failure !== undefined) failures += 1
    } while (failures < 2 && prober === undefined)
    return false
  }

  /** What is written is lost with the power alone, also where the disk has not said that it keeps it. */
  function giveUp(): void {
    const waiting = underway.length + unsynced.length + owed.length
    const error = failure
    failure = undefined
    try {
      while (owed.length > 0) put([])
    } catch {
      // Reported when it began.
    }
    report({ error, waiting }, 'The last decisions may not be in the audit record')
  }

  return {
    decide: (event) => recorded(event, event),
    async record(event) {
      await recorded(event, undefined)
    },
    finish(call, event, outcome) {
      const { id, decided } = call
      call.decided = undefined
      undecided.remove(call)
      if (decided && isOutcomeOf(decided, event)) {
        const ending = outcomeEnding(outcome)
        owe({ id, ending })
        if (prints) stdout(call.whole().slice(0, -1) + ending)
      } else {
        const whole = eventLine({ ...event, ...outcome })
        owe({ id, line: whole })
        if (prints) stdout(whole)
      }
    },
    async act(event) {
      if (closed) throw unavailable()
      const line = eventLine(event)
      await acts.commit({ id: event.id, line })
      if (prints) stdout(line)
    },
    state() {
      const waiting = undecided.size + unsynced.length + underway.length + owed.length
      if (prober !== undefined) return { healthy: false, reason: 'record_unwritable', waiting }
      if (waitingBytes >= limit) return { healthy: false, reason: 'record_full', waiting }
      if (failure !== undefined) return { healthy: false, reason: 'record_unsynced', waiting }
      return { healthy: true, waiting }
    },
    async close() {
      closed = true
      writing.flush()
      for (let call = undecided.first(); call !== undefined; call = undecided.first()) {
        undecided.remove(call)
        if (prints) stdout(call.whole())
      }
      clearTimeout(timer)
      if (!(await inTime(syncAll(), LONGEST_CLOSE, false))) giveUp()
      ended = true
      clearInterval(prober)
    },
  }
}

/** Escaped and mostly ASCII: characters are near enough to bytes. */
function sizeOf(entry: RecordEntry): number {
  if ('shared' in entry) return entry.head.length + entry.shared.length
  return ('line' in entry ? entry.line : entry.ending).length
}
