// What policy is asked and what it answers. `ask` (human approval) joins the effects when its issue lands.
import type { Principal } from './principal.ts'

/** What a call touches: a tool, a prompt, a resource URI, or the bare method when it names none of them. */
export type TargetKind = 'tool' | 'prompt' | 'resource' | 'method'

export interface Call {
  readonly principal: Principal
  readonly server: string
  /** JSON-RPC method, as in the body. */
  readonly method: string
  readonly kind: TargetKind
  /** The tool's or prompt's name, the resource's URI, or the method. */
  readonly name: string
  /** As in the body; none for what takes none. */
  readonly args?: Readonly<Record<string, unknown>> | undefined
  /** The tool as its server defines it, where that is known. */
  readonly tool?: Readonly<Record<string, unknown>> | undefined
  readonly request?: RequestFacts | undefined
  /** What decision points outside said, by rule id; whom nobody asked said no. */
  readonly answers?: ReadonlyMap<string, boolean> | undefined
}

/** What conditions may know of the request around a call. */
export interface RequestFacts {
  /** Of the caller, as believed behind trusted proxies. */
  readonly address: string
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly era: 'modern' | 'legacy'
}

export interface Decision {
  readonly effect: 'allow' | 'deny'
  /** Stable slug: `allowed_by_rule`, `denied_by_rule`, `no_rule_allows`, `condition_failed`, or the refusal's own reason. */
  readonly reason: string
  /** Id of the rule that decided. */
  readonly rule: string | undefined
}
