// The ways to knock: what a request shows of its caller, and what a way may answer. A refusal is thrown, and is final.
import type { X509Certificate } from 'node:crypto'
import type { Principal } from '../protocol/principal.ts'

/** What of a request may say who is calling; handed in so that this room needs no HTTP of its own. */
export interface Credentials {
  /** Every line of the header field of that name (lower case), as it arrived; no other spelling of it. */
  field(name: string): readonly string[]
  /** Query string, without `?`. */
  readonly query: string
  /** The client behind any trusted proxies. */
  readonly address: string
  readonly transport: Transport
}

/** What the connection itself vouches for. */
export interface Transport {
  /** The peer is one of `server.trustedProxies`: what it says of the caller counts. */
  readonly trusted: boolean
  /** A trusted peer asks on behalf of its own caller, whose fields these are: what is signed is as good as from the peer itself. */
  readonly relayed?: boolean
  /** Address of the peer, or `unix`; for messages to the operator. */
  readonly peer: string
  /** The client certificate that our own TLS listener verified, or an ingress whose word for it counts. */
  certificate(): X509Certificate | undefined
  /** SPIFFE id in it, where such an ingress tells no more of it than that. */
  readonly spiffeId?: string | undefined
}

/** What is being knocked at. */
export interface Wanted {
  /** Id of the server; `undefined` for our own administration. */
  readonly server: string | undefined
  /** Our URLs for it: audiences of one server's addresses are interchangeable. */
  readonly resources: readonly string[]
}

/** Identity from the transport: `undefined` means *not mine*. Throws BearerError or RequestError when what it finds is refused. */
export type TransportWay = (
  credentials: Credentials,
  wanted: Wanted,
) => Principal | undefined | Promise<Principal | undefined>

/** Tokens of one making, by the first look at them: a token is judged by the one way it belongs to, never by another. */
export interface TokenWay {
  /** Cheap and unverified: prefix, form, the issuer it claims. */
  isMine(token: string): boolean
  /** Throws BearerError when the token is refused. */
  prove(token: string, credentials: Credentials, wanted: Wanted): Principal | Promise<Principal>
}
