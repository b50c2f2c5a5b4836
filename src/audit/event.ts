// One decision, or one act, as the record keeps it. One serialisation serves the spool, the store and stdout.
import type { AuthMethod } from '../protocol/principal.ts'
import type { KeptAttributes } from './attributes.ts'

/** The answer of policy and guard to one request at the MCP door. */
export interface CallEvent {
  readonly kind: 'call'
  readonly id: string
  /** ISO 8601, milliseconds. */
  readonly time: string
  readonly subject: string
  readonly email?: string | undefined
  readonly client?: string | undefined
  /** How the caller proved who they are. */
  readonly auth?: AuthMethod | undefined
  /** Whom the transport named beside the credential that decided, where that is somebody else. */
  readonly beside?: string | undefined
  /** Who asked, where that is somebody else than the subject. */
  readonly by?: string | undefined
  readonly server: string
  /** The address where it was asked for, where that is not the server's own: `*`, or a virtual server. */
  readonly via?: string | undefined
  readonly method: string
  /** Tool, prompt or resource, when the method names one. */
  readonly name?: string | undefined
  readonly decision: 'allow' | 'deny'
  readonly reason: string
  readonly rule?: string | undefined
  /** Fields of the arguments that conditions read, so that the decision can be made again. */
  readonly args?: Readonly<Record<string, unknown>> | undefined
  /** What the caller was known by; not of callers without a credential. */
  readonly attributes?: KeptAttributes | undefined
  /** Digest of the policy that decided. */
  readonly policy?: string | undefined
  readonly family?: string | undefined
  readonly address: string
  readonly era?: 'modern' | 'legacy' | undefined
  /** Known when the answer has ended. */
  readonly status?: number | undefined
  readonly outcome?: 'answered' | 'cancelled' | 'upstream_error' | 'refused' | undefined
  /** Milliseconds from arrival to the end of the answer. */
  readonly latency?: number | undefined
}

/** How a call ended. */
export type CallOutcome = Pick<CallEvent, 'status' | 'outcome' | 'latency'>

/** Sign-in, consent, issuance, revocation, registration, administration: committed before the answer, fail closed. */
export interface ActEvent {
  readonly kind: 'act'
  readonly id: string
  readonly time: string
  /** `sign_in`, `sign_in_refused`, `consent`, `consent_refused`, `token_issued`, `token_refused`, `client_registered`, `family_revoked` … */
  readonly act: string
  readonly decision: 'allow' | 'deny'
  readonly reason: string
  readonly subject?: string
  readonly email?: string
  readonly client?: string
  readonly resource?: string
  readonly family?: string
  /** What people call the thing it was done to. */
  readonly name?: string
  /** Of the definition that it is about. */
  readonly digest?: string
  /** Who did it, where that is somebody else than the subject. */
  readonly by?: string
  readonly address?: string
}

/** A decision in the spool, which an outcome may follow. */
export interface RecordedCall {
  readonly id: string
}

/** The recorder as the doors see it. */
export interface Recorder {
  /** Resolves once the decision is spooled, before which nothing is forwarded; rejects when it cannot be (then refuse the call). */
  decide(event: CallEvent): Promise<RecordedCall>
  /** Adds the outcome to a spooled decision, which `event` replaces where it says another thing. */
  finish(call: RecordedCall, event: CallEvent, outcome: CallOutcome): void
  /** A decision that is told at once, with its outcome: resolves once it is spooled, before which it is not told; rejects as `decide` does. */
  record(event: CallEvent): Promise<void>
  /** Resolves once the act is committed durably; rejects when it cannot be, and the act must then not be answered as done. */
  act(event: ActEvent): Promise<void>
}
