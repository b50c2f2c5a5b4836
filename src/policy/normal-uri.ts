// One spelling for one resource: RFC 3986 §6.2.2. A server behind us may resolve what a pattern compares as text, and many do so with the
// URL standard's parser, which folds more than the RFC knows: schemes, hosts, ports, missing slashes.

const DOT_SEGMENT = /(?:^|[/\\:]|%2f|%5c)(?:\.|%2e){1,2}(?=$|[/\\?#]|%2f|%5c)/i
// RFC 3986 §6.2.2.2: letters, digits, `-`, `.`, `_` and `~` are never percent-encoded in a normal URI.
const ENCODED_UNRESERVED = /%(?:2[de]|3\d|4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9ae])/i
const UPPER_SCHEME = /^[a-z0-9+.-]*[A-Z][A-Za-z0-9+.-]*:/
// URL standard §4.4: tabs and newlines vanish anywhere, other controls and spaces at the ends; `trim` knows of wider ones.
const CONTROL = /[\0-\x20\x7f-\x9f]/
/** Hosts with a user before them or a dot behind them are other texts for the same host. */
const HOST_ALIAS = /^(?:https?|wss?|ftp):\/*(?:[^/?#]*@|[^/?#]*\.(?::\d*)?(?:[/?#]|$))/
/** A file system joins empty segments, and its readers decode slashes. */
const FILE_ALIAS = /^file:(?:\/\/[^?#]*\/\/|[^?#]*%(?:2f|5c))/i

/** No dot segments, backslashes, encoded letters, capital scheme, controls or spaces, nor a second name for a host or a path. */
export function isNormalUri(uri: string): boolean {
  return (
    !(uri.includes('\\') || CONTROL.test(uri) || uri.trim() !== uri) &&
    !(DOT_SEGMENT.test(uri) || ENCODED_UNRESERVED.test(uri) || UPPER_SCHEME.test(uri)) &&
    !(HOST_ALIAS.test(uri) || FILE_ALIAS.test(uri))
  )
}

/** What a parser of the URL standard makes of it, where that is another text: the second spelling that has to be judged. */
export function foldUri(uri: string): string | undefined {
  const url = URL.parse(uri)
  if (url === null) return undefined
  // RFC 3986 §6.2.2.1: that parser leaves the letters of percent-encodings as they are.
  const text = url.protocol === 'file:' ? fileUri(url) : url.href
  const folded = text.replace(/%[0-9a-f]{2}/gi, (octet) => octet.toUpperCase())
  return folded === uri ? undefined : folded
}

/** A path on a disk has no query and no fragment, and is read with these characters decoded. */
function fileUri({ host, pathname }: URL): string {
  return `file://${host}${pathname.replace(/%(?:2[14-9bc]|3[abd]|40|5[bd]|7c)/gi, decodeURIComponent)}`
}

/** The URI and its folded form. */
export function spellingsOf(uri: string): readonly string[] {
  const folded = foldUri(uri)
  return folded === undefined ? [uri] : [uri, folded]
}
