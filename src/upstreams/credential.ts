// What a server is given: one file a kind in credentials/. A failure of one kind is never met with another.
import type { Caller } from './caller.ts'
import { type Given, type Refused, UpstreamError } from './upstream.ts'

export interface Credential {
  /** Different people are given different ones: nothing that was had with one may be shown to another. */
  readonly personal: boolean
  /** `undefined`: the gate asks for itself. Throws, or rejects with, ConnectionNeeded or CredentialFailed. */
  given(caller: Caller | undefined): Given | Promise<Given>
  /** Another one to try once, in place of the one that was refused; `undefined` where there is none. Throws as `given` does. */
  renewed?(caller: Caller | undefined, given: Given, refused: Refused): Promise<Given | undefined>
  /** Whose it is, where the caller's subject does not say it all: a digest, never the secret. */
  ownerOf?(caller: Caller): string | undefined
  close?(): void
}

/** Why a person has to come to our pages before this server can be called. */
export type ConnectionReason = 'not_connected' | 'needs_reauth' | 'more_scopes'

export class ConnectionNeeded extends Error {
  override readonly name = 'ConnectionNeeded'
  readonly server: string
  readonly reason: ConnectionReason

  constructor(server: string, reason: ConnectionReason) {
    super('The person has to connect an account of theirs first.')
    this.server = server
    this.reason = reason
  }
}

/** There is no credential to be had, and the person cannot help it. `message` and `cause` are for the log; they hold no secret. */
export class CredentialFailed extends UpstreamError {
  /** Stable slug for the log: which step failed. */
  readonly step: string

  /** `passing`: whoever gives it out does not answer now; later it may be had. */
  constructor(step: string, message: string, options: { cause?: unknown; passing?: boolean } = {}) {
    super(options.passing ? 'credential_unavailable' : 'credential_failed', message, options)
    this.step = step
  }
}

/** The server refused what it was given, before it said anything else. */
export class UpstreamRefused extends UpstreamError {
  readonly refused: Refused

  constructor(refused: Refused) {
    super('upstream_unauthorized', 'The server behind the gate refused the gate.')
    this.refused = refused
  }
}
