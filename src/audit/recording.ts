// What both ways of recording have in common: the journal on this machine, and the spool before a store elsewhere.
import { RequestError } from '../protocol/errors.ts'
import type { CallEvent, CallOutcome, RecordedCall, Recorder } from './event.ts'

export interface RecorderState {
  readonly healthy: boolean
  /** Of the journal `record_…`; of the spool `spool_…`, or `store_unavailable`. */
  readonly reason?: string
  /** Calls that are not committed with their outcome. */
  readonly waiting: number
}

export interface OpenRecorder<Call extends RecordedCall = RecordedCall> extends Recorder {
  decide(event: CallEvent): Promise<Call>
  finish(call: Call, event: CallEvent, outcome: CallOutcome): void
  state(): RecorderState
  /** Commits what there is. What the store refuses stays in the spool for the next process; what the disk does not take is reported. */
  close(): Promise<void>
}

export function unavailable(cause?: unknown): RequestError {
  return new RequestError(503, 'audit_unavailable', 'The gate cannot record this now. Try again shortly.', {
    retryAfter: 5,
    cause,
  })
}
