// Before every rule: a tool whose definition nobody approved is neither shown nor called, at no door, whoever asks.
import type { Call, Decision } from '../protocol/decision.ts'
import type { Principal } from '../protocol/principal.ts'
import type { Definition } from './informed.ts'
import type { Policy } from './policy.ts'

/** What is known of tools' definitions. */
export interface Pinned {
  /** Some of the server's tools may be closed. */
  isStrict(server: string): boolean
  /** The tool's definition last seen is the one that was approved. */
  isOpen(server: string, tool: string, principal: Principal): boolean
  /** This very definition was approved. */
  isApproved(server: string, definition: Definition): boolean
  /** Looks at a strict server's tools where nobody has yet, or not this caller whom it lists for apart. `undefined`: no need. Never rejects. */
  look(server: string, principal: Principal): Promise<void> | undefined
}

const CLOSED: Decision = { effect: 'deny', reason: 'tool_quarantined', rule: undefined }

type Thing = Omit<Call, 'args' | 'answers'>

export function withQuarantine(policy: Policy, pinned: Pinned): Policy {
  const isClosed = ({ principal, server, kind, name, tool }: Thing, listing: boolean): boolean => {
    if (kind !== 'tool' || !pinned.isStrict(server)) return false
    return listing && tool !== undefined ? !pinned.isApproved(server, tool) : !pinned.isOpen(server, name, principal)
  }
  return {
    ...policy,
    decide: (call) => (isClosed(call, false) ? CLOSED : policy.decide(call)),
    couldAllow: (thing) => (isClosed(thing, true) ? CLOSED : policy.couldAllow(thing)),
    decideThrough: (call, underlying) =>
      isClosed(underlying, false) ? CLOSED : policy.decideThrough(call, underlying),
    couldAllowThrough: (thing, underlying) =>
      isClosed(underlying, true) ? CLOSED : policy.couldAllowThrough(thing, underlying),
    view(principal, server) {
      const view = policy.view(principal, server)
      return view === 'all' && pinned.isStrict(server) ? 'some' : view
    },
    consult(call) {
      const looked = call.kind === 'tool' ? pinned.look(call.server, call.principal) : undefined
      return looked === undefined ? policy.consult(call) : looked.then(() => policy.consult(call) ?? call)
    },
  }
}
