// Our own client at our own authorization server: it only brings a browser to the sign-in pages and back. Its codes are never redeemed.
export const SIGN_IN_CLIENT = 'portcullis-sign-in'
/** Where the browser comes back to, on our origin: from a protected host's sign-in, and from that of a person's connections. */
export const SIGN_IN_PATH = '/auth/sign-in'
export const SIGNED_IN_PATH = '/connections/signed-in'
/** A person's own accounts at the servers behind the gate; as a resource it is meant by nobody but that client. */
export const CONNECTIONS_PATH = '/connections'
/** One of them to connect; and Kuadrant’s address of the same page. */
export const CONNECT_PATH = '/connections/connect'
export const TOKENS_PATH = '/tokens'
/** Where a server's authorization server sends the browser back to: this address, or one below it. */
export const CONNECTION_CALLBACK_PATH = '/connections/callback'
