// The record of every decision and act. A call's decision is spooled before the call is forwarded and committed within
// moments; an act is committed before it is answered. What cannot be recorded does not happen.
import type { AuditConfig } from '../config/audit.ts'
import type { Clock } from '../protocol/clock.ts'
import type { RecordLog } from '../store/record-log.ts'
import { createCallBatch } from './call-batch.ts'
import type { CallEvent } from './event.ts'
import { completedLine, eventLine } from './event-line.ts'
import { groupCommit } from './group-commit.ts'
import { isOutcomeOf } from './outcome.ts'
import { Undecided } from './pending.ts'
import { type OpenRecorder, unavailable } from './recording.ts'
import { openSpool } from './spool.ts'
import { restoreAbandoned, restoreSpool } from './spool-restore.ts'
import { SpooledCall } from './spooled-call.ts'
import { turns } from './turn.ts'

/** Twice this, at the most, and a decision without an outcome is committed as it stands. */
const SWEEP_EVERY = 500
const PROBE_EVERY = 1000

interface Needs {
  readonly log: Pick<RecordLog, 'append' | 'restore'>
  /** Belongs to this process alone. */
  readonly directory: string
  /** Spools of processes that are gone. */
  readonly abandoned?: readonly string[]
  readonly sink: AuditConfig['sink']
  /** Most bytes that wait for the store. */
  readonly spoolLimit: number
  /** Takes one line, without its line feed. */
  readonly stdout: (line: string) => void
  readonly clock: Clock
  readonly report: (detail: object, message: string) => void
}

/** Restores first what an earlier process left behind; rejects when the store does not take it. */
export async function openRecorder(needs: Needs): Promise<OpenRecorder<SpooledCall>> {
  const { directory, sink, spoolLimit, clock, report } = needs
  const print = sink.includes('stdout') ? needs.stdout : () => undefined
  const log = sink.includes('store') ? needs.log : printedOnly(print)
  for (const left of needs.abandoned ?? []) await restoreAbandoned(left, log, report)
  await restoreSpool({ directory, restore: (lines) => log.restore(lines), report })

  const spool = openSpool({ directory, clock, report })
  const batch = createCallBatch({ append: (lines) => log.append(lines), committed: release, report })
  const acts = groupCommit((lines) => log.append(lines))
  const undecided = new Undecided(SpooledCall)
  const spooling = turns(write)
  let sweeps = 0
  let sweeper: NodeJS.Timeout | undefined
  let prober: NodeJS.Timeout | undefined
  let waitingBytes = 0
  let closed = false

  function release(call: SpooledCall): void {
    waitingBytes -= call.bytes
    if (call.segment !== undefined) spool.release(call.segment)
    call.bytes = 0
    call.segment = undefined
  }

  /** `decided`: its outcome follows. */
  function spooled(event: CallEvent, decided: CallEvent | undefined): Promise<SpooledCall> {
    if (closed || waitingBytes >= spoolLimit) return Promise.reject(unavailable())
    const call = new SpooledCall(event.id, eventLine(event), decided, sweeps)
    waitingBytes += call.bytes
    return spooling.add(call).then(() => call)
  }

  function write(calls: readonly SpooledCall[]): void {
    try {
      const segment = spool.append(calls.map(({ line }) => line))
      for (const call of calls) call.segment = segment
    } catch (error) {
      for (const { bytes } of calls) waitingBytes -= bytes
      if (prober === undefined) report({ error }, 'The audit spool cannot be written; calls are refused')
      prober ??= setInterval(probe, PROBE_EVERY)
      throw unavailable(error)
    }
    if (prober !== undefined) writable()
    for (const call of calls) {
      if (call.decided === undefined) commit(call)
      else undecided.add(call)
    }
    if (undecided.size > 0) sweeper ??= setTimeout(sweep, SWEEP_EVERY)
  }

  /** It has its outcome. */
  function commit(call: SpooledCall): void {
    batch.add(call)
    print(call.line)
  }

  /** A gate that is not ready is sent no calls, so it has to find out by itself. */
  function probe(): void {
    try {
      spool.probe()
    } catch {
      // Reported when it began.
      return
    }
    writable()
  }

  function writable(): void {
    clearInterval(prober)
    prober = undefined
    report({}, 'The audit spool can be written again')
  }

  /** A call may last for hours; its decision is in the store at once, and replaced when the outcome is known. */
  function sweep(): void {
    for (let call = undecided.first(); call !== undefined && call.sweep < sweeps; call = undecided.first()) {
      undecided.remove(call)
      batch.add(call)
    }
    sweeps += 1
    sweeper = undecided.size > 0 ? setTimeout(sweep, SWEEP_EVERY) : undefined
  }

  return {
    decide: (event) => spooled(event, event),
    async record(event) {
      await spooled(event, undefined)
    },
    finish(call, event, outcome) {
      const { decided, line } = call
      const same = decided !== undefined && isOutcomeOf(decided, event)
      call.line = same ? completedLine(line, outcome) : eventLine({ ...event, ...outcome })
      call.decided = undefined
      undecided.remove(call)
      // A decision that is in the store already, or on its way, is replaced by the line that follows it.
      commit(call)
    },
    async act(event) {
      if (closed) throw unavailable()
      const line = eventLine(event)
      await acts.commit({ id: event.id, line })
      print(line)
    },
    state() {
      const waiting = undecided.size + batch.size()
      if (prober !== undefined) return { healthy: false, reason: 'spool_unwritable', waiting }
      if (waitingBytes >= spoolLimit) return { healthy: false, reason: 'spool_full', waiting }
      if (batch.failure() !== undefined) return { healthy: false, reason: 'store_unavailable', waiting }
      return { healthy: true, waiting }
    },
    async close() {
      closed = true
      clearTimeout(sweeper)
      clearInterval(prober)
      spooling.flush()
      for (let call = undecided.first(); call !== undefined; call = undecided.first()) {
        undecided.remove(call)
        commit(call)
      }
      await acts.idle()
      if (!(await batch.drain())) report({ error: batch.failure() }, 'Decisions stay in the spool for the next start')
      spool.close()
    },
  }
}

/** Without the store as a sink the printed line is the record; what a crash left is printed at the next start. */
function printedOnly(print: (line: string) => void): Pick<RecordLog, 'append' | 'restore'> {
  return {
    append: async () => undefined,
    restore: async (lines) => {
      for (const { line } of lines) print(line)
    },
  }
}
