// What the doors ask of policy. One judgement decides calls and filters lists.
import type { Call, Decision } from '../protocol/decision.ts'
import type { Principal } from '../protocol/principal.ts'

export interface Reading {
  readonly args: boolean
  readonly tool: boolean
  /** Names of arguments, at every depth; `undefined`: none by its name. */
  readonly names?: ReadonlySet<string> | undefined
}

export interface Policy {
  /** May this call be made? Pure: no clock, no store, no throw. A condition that cannot be decided does not allow, and denies. */
  decide(call: Call): Decision
  /** Could some call of this thing be allowed, whatever its arguments? What lists show, and notifications tell of. */
  couldAllow(call: Omit<Call, 'args' | 'answers'>): Decision
  /**
   * May this call of a view be made, which is a call of something underneath? The view's own rules must allow it and neither side's
   * deny it; the underlying server's allow is not asked for.
   */
  decideThrough(call: Call, underlying: Call): Decision
  couldAllowThrough(call: Omit<Call, 'args' | 'answers'>, underlying: Omit<Call, 'args' | 'answers'>): Decision
  /** How much of a server a principal can see at all: `all` lets lists pass untouched, `none` hides the server itself. */
  view(principal: Principal, server: string): 'all' | 'some' | 'none'
  /** What conditions about a server read, and must be known of a call before `decide`. */
  reads(server: string): Reading
  /** The fields of the call's arguments that conditions read, for the record. */
  argumentsRead(call: Call): Readonly<Record<string, unknown>> | undefined
  /** Asks the decision points outside that rules about this call name. `undefined`: there are none. Never rejects: no answer is a no. */
  consult(call: Call): Promise<Call> | undefined
  /** Digest of the rules in force with what they lean on, the roles and the claim of `policy.resourceAccess`; for the record. */
  readonly version: string
}
