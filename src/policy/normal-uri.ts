// One spelling for one resource: RFC 3986 §6.2.2. A server behind us may resolve what a pattern compares as text.

const DOT_SEGMENT = /(?:^|[/\\:]|%2f|%5c)(?:\.|%2e){1,2}(?=$|[/\\?#]|%2f|%5c)/i
// RFC 3986 §6.2.2.2: letters, digits, `-`, `.`, `_` and `~` are never percent-encoded in a normal URI.
const ENCODED_UNRESERVED = /%(?:2[de]|3\d|4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9ae])/i
const UPPER_SCHEME = /^[a-z0-9+.-]*[A-Z][A-Za-z0-9+.-]*:/

/** No dot segments, backslashes, encoded letters or capital scheme. Anything else is taken as it is spelled. */
export function isNormalUri(uri: string): boolean {
  return !uri.includes('\\') && !DOT_SEGMENT.test(uri) && !ENCODED_UNRESERVED.test(uri) && !UPPER_SCHEME.test(uri)
}
