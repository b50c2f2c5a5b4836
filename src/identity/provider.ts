// An identity provider as the sign-in pages see it, whatever it speaks, and the ways in which it can fail.
import type { Profile } from './claims.ts'

/** Made at the start of one sign-in, kept by us until the provider answers. */
export interface FederationSecrets {
  readonly state: string
  readonly nonce: string
  /** PKCE, RFC 7636 §4.1. */
  readonly verifier: string
}

export interface IdentityProvider {
  readonly id: string
  /** What the button says. */
  readonly title: string
  /** Where its own sign-in page lives, as far as the configuration tells. */
  readonly origin: string
  /** It is known to send the browser on to addresses that the configuration does not name. */
  readonly leadsOn?: true
  /** Path of ours that it answers at; no other provider's. */
  readonly callback: string
  /** The address to send the browser to. Throws FederationError. */
  start(redirectUri: string): Promise<{ url: string; secrets: FederationSecrets }>
  /** `answer`: our callback address with the provider's parameters. Throws FederationError. */
  finish(answer: URL, secrets: FederationSecrets): Promise<Profile>
}

/** Handed in, since this room has no HTTP of its own. */
export type Fetch = typeof globalThis.fetch

export interface IdentityProviders {
  /** In the order of the configuration, local accounts left out. */
  readonly offered: readonly IdentityProvider[]
  readonly local: { readonly title: string | undefined } | undefined
  find(id: string): IdentityProvider | undefined
}

/**
 * `cancelled`: the person said no there. `unreachable`: worth trying again. `refused`: the answer that the browser brought is not to be
 * trusted, or is an error. `faulty`: behind the browser's back it refused us, or said what cannot be used (RFC 9110 §15.6.3).
 */
export type FederationFailure = 'cancelled' | 'unreachable' | 'refused' | 'faulty'

export class FederationError extends Error {
  override readonly name = 'FederationError'
  readonly failure: FederationFailure
  readonly reason: string
  /** What the provider said about it, hostile text. */
  readonly said: string | undefined

  constructor(
    failure: FederationFailure,
    reason: string,
    options: { cause?: unknown; said?: string | undefined } = {},
  ) {
    super(
      'The identity provider did not sign the person in.',
      options.cause === undefined ? undefined : { cause: options.cause },
    )
    this.failure = failure
    this.reason = reason
    this.said = options.said
  }
}

/** Time for each request to a provider: someone is looking at a blank page. */
export const PROVIDER_TIMEOUT_MS = 2000

export const isPlainHttp = (url: string) => new URL(url).protocol === 'http:'
