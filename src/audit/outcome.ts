// How a call ended, as the end of its event's line: what was serialised once is not serialised again.
import type { CallEvent, CallOutcome } from './event.ts'

/** In place of the closing brace, with one of its own. */
export const outcomeEnding = (outcome: CallOutcome): string => `${outcomeMembers(outcome)}}`

export function outcomeMembers({ status, outcome, latency }: CallOutcome): string {
  let members = ''
  if (status !== undefined) members += `,"status":${status}`
  if (outcome !== undefined) members += `,"outcome":"${outcome}"`
  if (latency !== undefined) members += `,"latency":${latency}`
  return members
}

/** Nothing but the outcome is new. */
export function isOutcomeOf(decided: CallEvent, event: CallEvent): boolean {
  return decided.decision === event.decision && decided.reason === event.reason && decided.rule === event.rule
}
