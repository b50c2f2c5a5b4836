// A person's own accounts at the servers behind the gate, as the rooms see them that show, open and use them.

export type ConnectionState = 'connected' | 'needs_reauth'

/** All that is told of a connection. Its secrets are in the vault, and come out nowhere but on the way to the server. */
export interface Connection {
  readonly principal: string
  readonly server: string
  readonly kind: 'oauth' | 'secret'
  readonly state: ConnectionState
  readonly scopes: readonly string[]
  /** Authorization server, of an OAuth connection. */
  readonly issuer: string | undefined
  readonly connectedAt: number
  /** Last use, exact to some minutes. */
  readonly usedAt: number | undefined
}

/** A server that people connect an account of their own to. */
export interface Connectable {
  readonly server: string
  readonly title: string
  readonly kind: 'oauth' | 'secret'
  /** What people are asked for, of a pasted secret. */
  readonly asks?: { readonly title: string; readonly help: string | undefined }
}

/** Who will ask the person, and for what: shown before they go there. */
export interface ConnectionTerms {
  /** Authorization server: the origin or address that its metadata names. */
  readonly issuer: string
  /** Where the browser goes: its authorization endpoint, which may be another host's. */
  readonly page: string
  readonly scopes: readonly string[]
}

/** The authorization at an upstream that a browser is sent to. */
export interface ConnectionBegun {
  /** Where the browser goes: https, or http on loopback. */
  readonly url: string
  /** Comes back in the answer; bound to the browser by whoever began it. */
  readonly state: string
}

/** What a person is told when connecting did not work; the words are for them. */
export class ConnectionRefused extends Error {
  override readonly name = 'ConnectionRefused'
  /** Stable slug. */
  readonly reason: string

  constructor(reason: string, message: string, options: { cause?: unknown } = {}) {
    super(message, options)
    this.reason = reason
  }
}

export interface Connections {
  connectable(): readonly Connectable[]
  /** Those included whose server has left the configuration: they can be disconnected. */
  list(principal: string): Promise<readonly Connection[]>
  /** Of an OAuth connection that is not made yet. Asks the server where that is not known. Throws ConnectionRefused. */
  terms(principal: string, server: string): Promise<ConnectionTerms>
  /** Finds the authorization server, registers with it where that is needed, and answers where to go. Throws ConnectionRefused. */
  begin(principal: string, server: string): Promise<ConnectionBegun>
  /** `answer`: the address that it came to, with its query, whose `state` the caller has matched to the browser. Throws ConnectionRefused. */
  finish(principal: string, answer: URL): Promise<Connection>
  /** Keeps a secret that the person has pasted. Throws ConnectionRefused. */
  paste(principal: string, server: string, secret: string): Promise<Connection>
  /** Forgets it here and, where the server can be told, there (RFC 7009). `false`: there was none. */
  disconnect(principal: string, server: string): Promise<boolean>
}
