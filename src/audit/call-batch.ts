// Call lines on their way to the store: one commit every few milliseconds, tried again for as long as the store refuses.
import type { RecordLog } from '../store/record-log.ts'
import type { SpooledCall } from './spooled-call.ts'

const BATCH_EVERY = 10
const RETRY_EVERY = 500
const LINES_AT_ONCE = 2000

export interface CallBatch {
  /** Has the newest line of a call committed. */
  add(call: SpooledCall): void
  /** Calls whose newest line is not committed yet. */
  size(): number
  /** The store's last refusal, until it takes lines again. */
  failure(): unknown
  /** Commits all there is and stops; resolves `false` when the store refuses. */
  drain(): Promise<boolean>
}

interface Needs {
  readonly append: RecordLog['append']
  readonly committed: (call: SpooledCall) => void
  readonly report: (detail: object, message: string) => void
}

export function createCallBatch({ append, committed, report }: Needs): CallBatch {
  let waiting: SpooledCall[] = []
  let flight: readonly SpooledCall[] = []
  let flying: Promise<boolean> | undefined
  let timer: NodeJS.Timeout | undefined
  let failure: unknown
  let draining = false

  function add(call: SpooledCall): void {
    // What is on its way already is looked at again when it arrives.
    if (call.queued) return
    call.queued = true
    waiting.push(call)
    schedule()
  }

  function schedule(): void {
    if (draining || timer !== undefined || flying !== undefined || waiting.length === 0) return
    timer = setTimeout(fly, failure === undefined ? BATCH_EVERY : RETRY_EVERY)
  }

  function fly(): Promise<boolean> {
    clearTimeout(timer)
    timer = undefined
    const rest = waiting.splice(LINES_AT_ONCE)
    flight = waiting
    waiting = rest
    flying = commit(flight).finally(() => {
      flight = []
      flying = undefined
      schedule()
    })
    return flying
  }

  async function commit(calls: readonly SpooledCall[]): Promise<boolean> {
    const lines = calls.map(({ id, line }) => ({ id, line }))
    try {
      await append(lines)
    } catch (error) {
      waiting = [...calls, ...waiting]
      if (failure === undefined)
        report({ error, waiting: waiting.length }, 'The audit store refuses lines; they wait in the spool')
      failure = error
      return false
    }
    for (const [at, call] of calls.entries()) {
      call.queued = false
      // A call that was completed meanwhile has a newer line.
      if (call.line === lines[at]?.line) committed(call)
      else add(call)
    }
    if (failure !== undefined) report({ waiting: waiting.length }, 'The audit store takes lines again')
    failure = undefined
    return true
  }

  return {
    add,
    size: () => waiting.length + flight.length,
    failure: () => failure,
    async drain() {
      draining = true
      clearTimeout(timer)
      if (flying !== undefined) await flying
      while (waiting.length > 0) if (!(await fly())) return false
      return true
    },
  }
}
