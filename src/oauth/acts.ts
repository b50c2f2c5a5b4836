// Issuance, consent, registration, revocation: recorded, committed, and only then answered.
import type { ActEvent, Recorder } from '../audit/event.ts'
import { requestIds } from '../http/request-id.ts'
import type { Log } from '../observe/log.ts'
import type { Clock } from '../protocol/clock.ts'
import type { Refused } from './answers.ts'
import { currentCall, runCall } from './call.ts'

export type Act = Omit<ActEvent, 'kind' | 'id' | 'time' | 'address'>

export interface Acts {
  /** Resolves once committed; what it rejects must not be answered as done. */
  record(act: Act): Promise<void>
  /** A refusal stays one whether or not it can be recorded: a failure is logged. */
  recordRefusal(act: Act): Promise<void>
}

export function actRecorder({
  recorder,
  clock,
  log,
}: {
  recorder: Pick<Recorder, 'act'>
  clock: Clock
  log: Pick<Log, 'warn'>
}): Acts {
  const nextId = requestIds()

  /** A record's id is its key: the first act of a request has the request's own, so that explain finds it. */
  function record(act: Act): Promise<void> {
    const call = currentCall()
    const now = clock()
    const id = call !== undefined && call.acts++ === 0 ? call.exchange.id : nextId(now)
    const address = call === undefined ? {} : { address: call.exchange.address }
    return recorder.act({ kind: 'act', id, time: new Date(now).toISOString(), ...act, ...address })
  }

  return {
    record,
    async recordRefusal(act) {
      try {
        await record(act)
      } catch (error) {
        log.warn({ error, act: act.act, reason: act.reason }, 'a refusal was answered but not recorded')
      }
    },
  }
}

/** A refusal in front of the library is an act of the request itself, under its id. */
export const refusalRecorder =
  (acts: Acts, act: string): Refused =>
  (exchange, reason) =>
    runCall({ exchange }, () => acts.recordRefusal({ act, decision: 'deny', reason }))
