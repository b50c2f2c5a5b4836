// What both ways of recording have in common: the journal on this machine, and the spool before a store elsewhere.
import { RequestError } from '../protocol/errors.ts'
import type { CallEvent, Recorder } from './event.ts'
import type { PendingCall } from './pending.ts'

export interface RecorderState {
  readonly healthy: boolean
  /** `spool_unwritable`, `spool_full` or `store_unavailable`. */
  readonly reason?: string
  /** Calls that are not committed with their outcome. */
  readonly waiting: number
}

export interface OpenRecorder extends Recorder {
  decide(event: CallEvent): Promise<PendingCall>
  finish(call: PendingCall, event: CallEvent): void
  state(): RecorderState
  /** Commits what there is. What the store refuses stays where the next process finds it. */
  close(): Promise<void>
}

export function unavailable(cause?: unknown): RequestError {
  return new RequestError(503, 'audit_unavailable', 'The gate cannot record this now. Try again shortly.', {
    retryAfter: 5,
    cause,
  })
}
