// Call lines on their way to the store: one commit every few milliseconds, tried again for as long as the store refuses.
import type { RecordLog } from '../store/record-log.ts'
import type { CallEvent } from './event.ts'
import type { Segment } from './spool.ts'

const BATCH_EVERY = 10
const RETRY_EVERY = 500
const LINES_AT_ONCE = 2000

/** A call until its line is committed. */
export interface PendingCall {
  readonly id: string
  readonly line: string
  /** What the line says, until it has its outcome. */
  readonly decided: CallEvent | undefined
  /** The spool segments that hold its decision, and their bytes. */
  segments: readonly Segment[]
  bytes: number
}

export interface CallBatch {
  find(id: string): PendingCall | undefined
  add(call: PendingCall): void
  /** Lines not committed yet. */
  size(): number
  /** The store's last refusal, until it takes lines again. */
  failure(): unknown
  /** Commits all there is and stops; resolves `false` when the store refuses. */
  drain(): Promise<boolean>
}

interface Needs {
  readonly append: RecordLog['append']
  readonly committed: (call: PendingCall) => void
  readonly report: (detail: object, message: string) => void
}

export function createCallBatch({ append, committed, report }: Needs): CallBatch {
  const waiting = new Map<string, PendingCall>()
  let flight: PendingCall[] = []
  let flying: Promise<boolean> | undefined
  let timer: NodeJS.Timeout | undefined
  let failure: unknown
  let draining = false

  function schedule(): void {
    if (draining || timer !== undefined || flying !== undefined || waiting.size === 0) return
    timer = setTimeout(fly, failure === undefined ? BATCH_EVERY : RETRY_EVERY)
  }

  function fly(): Promise<boolean> {
    clearTimeout(timer)
    timer = undefined
    flight = take(LINES_AT_ONCE)
    flying = commit(flight).finally(() => {
      flight = []
      flying = undefined
      schedule()
    })
    return flying
  }

  function take(most: number): PendingCall[] {
    const taken: PendingCall[] = []
    for (const call of waiting.values()) {
      if (taken.length === most) break
      waiting.delete(call.id)
      taken.push(call)
    }
    return taken
  }

  async function commit(calls: readonly PendingCall[]): Promise<boolean> {
    try {
      await append(calls.map(({ id, line }) => ({ id, line })))
    } catch (error) {
      for (const call of calls) putBack(call)
      if (failure === undefined)
        report({ error, waiting: waiting.size }, 'The audit store refuses lines; they wait in the spool')
      failure = error
      return false
    }
    for (const call of calls) committed(call)
    if (failure !== undefined) report({ waiting: waiting.size }, 'The audit store takes lines again')
    failure = undefined
    return true
  }

  /** A call that was completed meanwhile keeps its newer line, and the segment of its older one. */
  function putBack(call: PendingCall): void {
    const newer = waiting.get(call.id)
    if (newer === undefined) {
      waiting.set(call.id, call)
      return
    }
    newer.segments = [...call.segments, ...newer.segments]
    newer.bytes += call.bytes
  }

  return {
    find: (id) => waiting.get(id),
    add(call) {
      waiting.set(call.id, call)
      schedule()
    },
    size: () => waiting.size + flight.length,
    failure: () => failure,
    async drain() {
      draining = true
      clearTimeout(timer)
      if (flying !== undefined) await flying
      while (waiting.size > 0) if (!(await fly())) return false
      return true
    },
  }
}
