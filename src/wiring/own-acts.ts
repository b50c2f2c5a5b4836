// Acts of the gate itself, which no request asks for: recorded as they happen, under ids of their own.
import type { ActEvent, Recorder } from '../audit/event.ts'
import { requestIds } from '../http/request-id.ts'
import type { Clock } from '../protocol/clock.ts'
import { isoTime } from '../protocol/iso-time.ts'

type OwnAct = Omit<ActEvent, 'kind' | 'id' | 'time'>

/** Resolves once the act is committed. */
export function ownActs(recorder: Pick<Recorder, 'act'>, clock: Clock): (act: OwnAct) => Promise<void> {
  const nextId = requestIds()
  return (act) => {
    const now = clock()
    return recorder.act({ kind: 'act', id: nextId(now), time: isoTime(now), ...act })
  }
}
