// Where an authorization response may be sent: RFC 6749 §3.1.2, RFC 8252 §7, RFC 9700 §2.1 and §4.1.

/** `web`: https; `loopback`: any local program can be behind it; `scheme`: a private-use scheme, which any installed app can claim. */
export type RedirectKind = 'web' | 'loopback' | 'scheme'

export class RedirectUriError extends Error {
  override readonly name = 'RedirectUriError'
  readonly reason: string

  constructor(reason: string, message: string) {
    super(message)
    this.reason = reason
  }
}

/** As URLs write the host. */
export const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]'])
/** Schemes that run or read something in a browser instead of handing a response to an app. */
const ACTIVE = new Set([
  'javascript',
  'data',
  'vbscript',
  'file',
  'blob',
  'about',
  'filesystem',
  'view-source',
  'ws',
  'wss',
  'ftp',
])
/** Of these the host is the extension that gets the link. */
const EDITORS = new Set('cursor vscode vscode-insiders vscodium code-oss windsurf kiro trae'.split(' '))
/** RFC 8252 §7.1 wants a reversed domain name; these MCP clients have long shipped without one. */
const KNOWN_APPS = new Set([...EDITORS, ...'claude zed raycast warp goose jetbrains'.split(' ')])
/** Parameters of RFC 6749 §4.1.2, RFC 9207 and OpenID Connect answers: in the URI already, they would come twice. */
const ANSWER_PARAMETERS = [
  'code',
  'state',
  'iss',
  'error',
  'error_description',
  'error_uri',
  'session_state',
  'response',
  'id_token',
  'access_token',
]

/** Checks a redirect URI at registration; answers its kind. `trustedHosts` empty: any host. Loopback and app schemes stay on the machine and are always allowed. */
export function checkRedirectUri(uri: string, trustedHosts: readonly string[] = []): RedirectKind {
  if (uri.length > 2048 || !/^[\x21-\x5b\x5d-\x7e]+$/.test(uri))
    throw refuse('characters', 'must be a plain ASCII URI of at most 2048 characters, without spaces or backslashes')
  if (uri.includes('#')) throw refuse('fragment', 'must not have a fragment (RFC 6749 §3.1.2)')
  const url = URL.parse(uri)
  if (!url) throw refuse('syntax', 'must be an absolute URI')
  const scheme = url.protocol.slice(0, -1)
  if (ACTIVE.has(scheme)) throw refuse('active_scheme', 'must not use this scheme')
  // Dot segments, other spellings of an IP address, upper case, default ports: two readers could see two targets.
  if (url.href !== uri && url.href !== `${uri}/`) throw refuse('spelling', `must be written as ${url.href}`)
  if (/%(?:2e|2f|5c|00|0a|0d)/i.test(uri))
    throw refuse('encoding', 'must not have encoded separators, dots or control characters')
  if (url.username !== '' || url.password !== '') throw refuse('userinfo', 'must not have user information')
  for (const name of url.searchParams.keys())
    if (ANSWER_PARAMETERS.includes(name))
      throw refuse('answer_parameter', `must not have the parameter ${name}, which the answer will carry`)
  return checkTarget(url, scheme, trustedHosts)
}

function checkTarget(url: URL, scheme: string, trustedHosts: readonly string[]): RedirectKind {
  if (scheme === 'http') {
    if (!LOOPBACK.has(url.hostname)) throw refuse('plain_http', 'must use https beyond loopback')
    return 'loopback'
  }
  if (scheme === 'https') {
    if (LOOPBACK.has(url.hostname)) throw refuse('https_loopback', 'must use http on loopback')
    if (!isTrustedHost(url.hostname, trustedHosts))
      throw refuse('untrusted_host', 'is on a host that is not trusted here')
    return 'web'
  }
  if (!scheme.includes('.') && !KNOWN_APPS.has(scheme))
    throw refuse('unknown_scheme', 'must use https, loopback http or a reversed domain name as scheme (RFC 8252 §7.1)')
  return 'scheme'
}

const refuse = (reason: string, rule: string) => new RedirectUriError(reason, `redirect_uris: each ${rule}`)

/** Kind of a URI that was checked when it was registered. */
export function redirectKind(uri: string): RedirectKind {
  if (uri.startsWith('https://')) return 'web'
  return uri.startsWith('http://') ? 'loopback' : 'scheme'
}

/** The extension that an editor hands the answer to. Of any other app the host is what the client likes, and tells a person nothing. */
export function extensionOf(uri: string): string | undefined {
  const url = URL.parse(uri)
  return url && EDITORS.has(url.protocol.slice(0, -1)) && url.host !== '' ? url.host : undefined
}

/** RFC 8252 §7.3: on loopback the port is chosen anew each time, so it is no part of what was allowed. */
export function withoutLoopbackPort(uri: string): string {
  const url = URL.parse(uri)
  if (url?.protocol !== 'http:' || !LOOPBACK.has(url.hostname)) return uri
  url.port = ''
  return url.href
}

/** `*.example.com` matches every name below example.com, not example.com itself. */
export function isTrustedHost(host: string, trusted: readonly string[]): boolean {
  if (trusted.length === 0) return true
  return trusted.some((entry) => {
    const pattern = entry.toLowerCase()
    return pattern.startsWith('*.')
      ? host.endsWith(pattern.slice(1)) && host.length > pattern.length - 1
      : host === pattern
  })
}
