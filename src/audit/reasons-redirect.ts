// Why a redirect URI of a client, or the return address of a gateway, was not taken (OAuth 2.1 §2.3, RFC 8252).
export const REDIRECT_REASONS = {
  active_scheme: 'Its scheme runs or shows something by itself.',
  answer_parameter: 'It has a parameter of the authorization response.',
  characters: 'It has characters that no URI has.',
  encoding: 'It is encoded more than it needs to be.',
  fragment: 'It has a fragment.',
  https_loopback: 'It is https at a loopback address.',
  plain_http: 'It is http, and not at a loopback address.',
  scheme: 'Its scheme is not allowed.',
  spelling: 'It is not spelled as a URI parser would spell it.',
  syntax: 'It is no URI.',
  untrusted_host: 'Its host is not among oauth.registration.trustedHosts.',
  userinfo: 'It carries a user name.',
  wildcard: 'A wildcard stands where none may.',
  wildcard_path: 'A wildcard stands in the path.',
} as const
