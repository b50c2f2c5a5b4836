// A condition that cannot be evaluated closes what it guards. Whoever wrote the rule is told, now and then, at whichever door it was.
import type { CallEvent } from '../audit/event.ts'
import type { OpenRecorder } from '../audit/recording.ts'
import type { Log } from '../observe/log.ts'
import { rarely } from '../observe/rarely.ts'
import type { Clock } from '../protocol/clock.ts'

const TOLD = { every: 60_000, most: 50 }

export function tellFailedConditions(
  recorder: OpenRecorder,
  { log, clock }: { readonly log: Pick<Log, 'warn'>; readonly clock: Clock },
): OpenRecorder {
  const isTime = rarely({ ...TOLD, clock })
  const tell = ({ id, reason, rule, server, method, name }: CallEvent): void => {
    if (reason !== 'condition_failed' || !isTime(rule ?? '')) return
    log.warn({ id, rule, server, method, name }, 'a condition could not be evaluated for this call, which is refused')
  }
  return {
    ...recorder,
    decide(event) {
      tell(event)
      return recorder.decide(event)
    },
    record(event) {
      tell(event)
      return recorder.record(event)
    },
  }
}
