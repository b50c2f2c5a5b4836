// The `scope` parameter, RFC 6749 §3.3: space-delimited, case-sensitive, order and repetition mean nothing.
export function parseScope(value: string): string[] {
  return [...new Set(value.split(' ').filter((token) => token !== ''))]
}
