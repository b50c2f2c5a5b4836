// What an operator can do about a connection that was not made, by the code of its error.

const TABLE: readonly (readonly [codes: RegExp, remedy: string])[] = [
  [
    /^(?:UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT\w*|SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT)$/,
    'No authority that counts has signed its certificate. Name the authority in tls.ca of the server.',
  ],
  [
    /^ERR_TLS_CERT_ALTNAME_INVALID$/,
    'Its certificate is for another name. If that is right, set tls.serverName of the server.',
  ],
  [
    /^CERT_(?:HAS_EXPIRED|NOT_YET_VALID)$/,
    'Its certificate is not valid today, or the clock of this machine is wrong.',
  ],
  [
    /^ERR_SSL_\w*ALERT_(?:CERTIFICATE_REQUIRED|BAD_CERTIFICATE|UNKNOWN_CA|HANDSHAKE_FAILURE|CERTIFICATE_UNKNOWN)$/,
    'It wants another certificate of ours, or one at all. Set tls.cert and tls.key of the server.',
  ],
  [/^(?:ERR_SSL_\w+|EPROTO)$/, 'It does not speak TLS as we do. Is its address https, and its port the right one?'],
  [
    /^ERR_ADDRESS_REFUSED$/,
    'If the server is really there, name the place in `addresses`, or write the address in `url`.',
  ],
  [/^(?:ENOTFOUND|EAI_AGAIN)$/, 'Check the name, and the resolver of this machine.'],
  [
    /^ERR_PROXY$/,
    'Check `proxy` of the server, its user and password, and whether it lets us through to this host and port.',
  ],
]

export const explainFailure = (code: string): string =>
  TABLE.find(([codes]) => codes.test(code))?.[1] ?? 'Check its address, and whether it runs.'
