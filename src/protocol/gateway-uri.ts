// Callbacks of other gateways that sign people in here: where a gateway code may be sent (RFC 9700 §2.1 and §4.1). Exact, or with one
// parsed wildcard: a whole port, or the first label of a host. Pure; never a pattern over the text, which any address could satisfy.
import { checkRedirectUri, LOOPBACK, RedirectUriError } from './redirect-uri.ts'

const LONGEST_LABEL = 63
const FORM = /^(https?:)\/\/(\[[0-9a-f:.]+\]|[^/?#@:[\]]+)(?::(\*|\d{1,5}))?([/?].*)?$/
/** The label before at least two others: `*.com` would be everybody. */
const WILD_HOST = /^\*(?:\.[a-z0-9-]+){2,}$/

type Pattern =
  | { readonly exact: string }
  | {
      readonly protocol: string
      /** Begins with `*.` where the first label is free. */
      readonly host: string
      /** `*`, or as URLs write it (empty: the scheme's own). */
      readonly port: string
      /** Path with query; `undefined`: any. */
      readonly path: string | undefined
    }

export interface GatewayUriRules {
  /** No wildcard anywhere. */
  readonly strict: boolean
  /** http beyond loopback is a callback too. */
  readonly development: boolean
}

/** Throws RedirectUriError whose message ends a sentence that begins with the callback. */
export function parseGatewayPattern(text: string, { strict, development }: GatewayUriRules): Pattern {
  if (!text.includes('*')) {
    checkGatewayUri(text, development)
    return { exact: text }
  }
  if (strict) throw refuse('wildcard', 'has a wildcard, and callbacks are compared letter by letter')
  const [, protocol = '', host = '', port = '', path] = FORM.exec(text) ?? []
  const isWild = port === '*' ? !host.includes('*') : WILD_HOST.test(host)
  if (!isWild || text.split('*').length > 2)
    throw refuse('wildcard', 'may have one `*`: a whole port, or the first label of a host with two more behind it')
  // Where any local program may listen on any port its path keeps nobody out (`http://localhost:*`).
  const isAnyPath = path === undefined && port === '*' && LOOPBACK.has(host)
  if (path === undefined && !isAnyPath) throw refuse('wildcard_path', 'needs the path of the callback')
  checkGatewayUri(text.replace('*', port === '*' ? '65535' : 'a'), development)
  return { protocol, host, port, path }
}

/** Which callbacks are allowed. An empty list allows none. */
export function gatewayUriMatcher(allowed: readonly string[], rules: GatewayUriRules): (uri: string) => boolean {
  const patterns = allowed.map((text) => parseGatewayPattern(text, rules))
  return (uri) => {
    try {
      checkGatewayUri(uri, rules.development)
    } catch (error) {
      if (error instanceof RedirectUriError) return false
      throw error
    }
    return patterns.some((pattern) => matches(pattern, uri))
  }
}

function matches(pattern: Pattern, uri: string): boolean {
  if ('exact' in pattern) return pattern.exact === uri
  const { protocol, hostname, port, pathname, search } = new URL(uri)
  return (
    protocol === pattern.protocol &&
    isHost(pattern.host, hostname) &&
    (pattern.port === '*' || port === pattern.port) &&
    (pattern.path === undefined || pathname + search === pattern.path)
  )
}

function isHost(pattern: string, host: string): boolean {
  if (!pattern.startsWith('*')) return host === pattern
  const label = host.slice(0, host.length - pattern.length + 1)
  return host.endsWith(pattern.slice(1)) && label.length <= LONGEST_LABEL && /^[a-z0-9-]+$/.test(label)
}

/** As any redirect URI: one spelling, no userinfo, no fragment, no parameter of the answer. https may also be on loopback. */
function checkGatewayUri(uri: string, development: boolean): void {
  try {
    if (checkRedirectUri(uri) === 'scheme') throw refuse('scheme', 'must be an http or https address')
  } catch (error) {
    if (!(error instanceof RedirectUriError)) throw error
    // Of the rules these two come last: everything else about the address was right.
    const tolerated = error.reason === 'https_loopback' || (development && error.reason === 'plain_http')
    if (!tolerated) throw new RedirectUriError(error.reason, error.message.replace(/^redirect_uris: each /, ''))
  }
}

const refuse = (reason: string, message: string) => new RedirectUriError(reason, message)
