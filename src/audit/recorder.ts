// The record of every decision and act. A call's decision is spooled before the call is forwarded and committed within
// moments; an act is committed before it is answered. What cannot be recorded does not happen.
import type { AuditConfig } from '../config/audit.ts'
import type { Clock } from '../protocol/clock.ts'
import { RequestError } from '../protocol/errors.ts'
import type { RecordLog } from '../store/record-log.ts'
import { createCallBatch, type PendingCall } from './call-batch.ts'
import type { CallEvent, Recorder } from './event.ts'
import { completedLine, eventLine } from './event-line.ts'
import { groupCommit } from './group-commit.ts'
import { openSpool } from './spool.ts'
import { dropSpoolFolder } from './spool-folder.ts'
import { restoreSpool } from './spool-restore.ts'
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

export interface RecorderState {
  readonly healthy: boolean
  /** `spool_unwritable`, `spool_full` or `store_unavailable`. */
  readonly reason?: string
  /** Calls that are not committed with their outcome. */
  readonly waiting: number
}

export interface OpenRecorder extends Recorder {
  state(): RecorderState
  /** Commits what there is. What the store refuses stays in the spool for the next process. */
  close(): Promise<void>
}

type Undecided = PendingCall & { readonly sweep: number }

/** Restores first what an earlier process left behind; rejects when the store does not take it. */
export async function openRecorder(needs: Needs): Promise<OpenRecorder> {
  const { directory, sink, spoolLimit, clock, report } = needs
  const print = sink.includes('stdout') ? needs.stdout : () => undefined
  const log = sink.includes('store') ? needs.log : printedOnly(print)
  const restore = (from: string) => restoreSpool({ directory: from, restore: (lines) => log.restore(lines), report })
  for (const left of needs.abandoned ?? []) {
    await restore(left)
    await dropSpoolFolder(left)
  }
  await restore(directory)

  const spool = openSpool({ directory, clock, report })
  const batch = createCallBatch({ append: (lines) => log.append(lines), committed: release, report })
  const acts = groupCommit((lines) => log.append(lines))
  const undecided = new Map<string, Undecided>()
  const decided = turns(write)
  let sweeps = 0
  let sweeper: NodeJS.Timeout | undefined
  let prober: NodeJS.Timeout | undefined
  let waitingBytes = 0
  let closed = false

  function release({ segments, bytes }: PendingCall): void {
    waitingBytes -= bytes
    for (const segment of segments) spool.release(segment)
  }

  function write(calls: readonly Undecided[]): void {
    try {
      const segments = [spool.append(calls.map(({ line }) => line))]
      for (const call of calls) call.segments = segments
    } catch (error) {
      for (const { id, bytes } of calls) {
        undecided.delete(id)
        waitingBytes -= bytes
      }
      if (prober === undefined) report({ error }, 'The audit spool cannot be written; calls are refused')
      prober ??= setInterval(probe, PROBE_EVERY)
      throw unavailable(error)
    }
    if (prober !== undefined) writable()
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
    for (const call of undecided.values()) {
      if (call.sweep >= sweeps) break
      undecided.delete(call.id)
      batch.add(call)
    }
    sweeps += 1
    sweeper = undecided.size > 0 ? setTimeout(sweep, SWEEP_EVERY) : undefined
  }

  return {
    decide(event) {
      if (closed || waitingBytes >= spoolLimit) return Promise.reject(unavailable())
      const { id } = event
      const line = eventLine(event)
      // Escaped and mostly ASCII: characters are near enough to bytes.
      const call: Undecided = { id, line, decided: event, segments: [], bytes: line.length, sweep: sweeps }
      waitingBytes += call.bytes
      undecided.set(id, call)
      sweeper ??= setTimeout(sweep, SWEEP_EVERY)
      return decided.add(call)
    },
    finish(event) {
      const call = undecided.get(event.id) ?? batch.find(event.id)
      undecided.delete(event.id)
      const line =
        call?.decided && isOutcomeOf(call.decided, event) ? completedLine(call.line, event) : eventLine(event)
      // A decision that is in the store already, or on its way, is replaced by the line that follows it.
      batch.add({ id: event.id, line, decided: undefined, segments: call?.segments ?? [], bytes: call?.bytes ?? 0 })
      print(line)
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
      decided.flush()
      for (const call of undecided.values()) {
        batch.add(call)
        print(call.line)
      }
      undecided.clear()
      await acts.idle()
      if (!(await batch.drain())) report({ error: batch.failure() }, 'Decisions stay in the spool for the next start')
      spool.close()
    },
  }
}

/** Nothing but the outcome is new. */
function isOutcomeOf(decided: CallEvent, event: CallEvent): boolean {
  return decided.decision === event.decision && decided.reason === event.reason && decided.rule === event.rule
}

function unavailable(cause?: unknown): RequestError {
  return new RequestError(503, 'audit_unavailable', 'The gate cannot record this now. Try again shortly.', {
    retryAfter: 5,
    cause,
  })
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
