// How a call ended, as the end of its event's line: what was serialised once is not serialised again.
import type { CallEvent, CallOutcome } from './event.ts'

/** In place of the closing brace, with one of its own. */
export function outcomeEnding({ status, outcome, latency }: CallOutcome): string {
  let ending = ''
  if (status !== undefined) ending += `,"status":${status}`
  if (outcome !== undefined) ending += `,"outcome":"${outcome}"`
  if (latency !== undefined) ending += `,"latency":${latency}`
  return `${ending}}`
}

/** Nothing but the outcome is new. */
export function isOutcomeOf(decided: CallEvent, event: CallEvent): boolean {
  return decided.decision === event.decision && decided.reason === event.reason && decided.rule === event.rule
}
