// What the doors ask of policy. One function decides calls and filters lists.
import type { Call, Decision } from '../protocol/decision.ts'
import type { Principal } from '../protocol/principal.ts'

export interface Policy {
  /** Pure: no clock, no store, no throw. */
  decide(call: Call): Decision
  /** How much of a server a principal can see at all: `all` lets lists pass untouched, `none` hides the server itself. */
  view(principal: Principal, server: string): 'all' | 'some' | 'none'
}
