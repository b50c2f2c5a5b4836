// Events for the tests of both ways of recording.
import type { ActEvent, CallEvent, CallOutcome } from './event.ts'

const common = (number: number) => ({
  id: `01990000-0000-7000-8000-${String(number).padStart(12, '0')}`,
  time: '2026-09-01T12:00:00.000Z',
})

export const call = (number: number, over: Partial<CallEvent> = {}): CallEvent => ({
  kind: 'call',
  ...common(number),
  subject: 'u1',
  server: 'github',
  method: 'tools/call',
  name: 'search',
  decision: 'allow',
  reason: 'allowed_by_rule',
  address: '192.0.2.1',
  ...over,
})

export const ANSWERED: CallOutcome = { status: 200, outcome: 'answered', latency: 3 }

export const ended = (number: number): CallEvent => call(number, ANSWERED)

export const act = (number: number): ActEvent => ({
  kind: 'act',
  ...common(number),
  act: 'token_issued',
  decision: 'allow',
  reason: 'granted',
})
