// Issuance, consent, registration, revocation, and what is refused of them: recorded, committed, and only then answered.
import type { ActEvent, Recorder } from '../audit/event.ts'
import { requestIds } from '../http/request-id.ts'
import type { Clock } from '../protocol/clock.ts'
import type { Refused } from './answers.ts'
import { currentCall, runCall } from './call.ts'

export type Act = Omit<ActEvent, 'kind' | 'id' | 'time' | 'address'>

export interface Acts {
  /** Resolves once committed; what it rejects must not be answered, as done or as refused. */
  record(act: Act): Promise<void>
}

export function actRecorder({ recorder, clock }: { recorder: Pick<Recorder, 'act'>; clock: Clock }): Acts {
  const nextId = requestIds()

  return {
    record(act) {
      const call = currentCall()
      const now = clock()
      // A record's id is its key: the first act of a request has the request's own, so that explain finds it.
      const id = call !== undefined && call.acts++ === 0 ? call.exchange.id : nextId(now)
      const address = call === undefined ? {} : { address: call.exchange.address }
      return recorder.act({ kind: 'act', id, time: new Date(now).toISOString(), ...act, ...address })
    },
  }
}

/** A refusal in front of the library is an act of the request itself, under its id. */
export const refusalRecorder =
  (acts: Acts, act: string): Refused =>
  (exchange, reason) =>
    runCall({ exchange }, () => acts.record({ act, decision: 'deny', reason }))
