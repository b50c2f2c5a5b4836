// The `scope` parameter, RFC 6749 §3.3: space-delimited, case-sensitive, order and repetition mean nothing.
export function parseScope(value: string): string[] {
  return [...new Set(value.split(' ').filter((token) => token !== ''))]
}

const GOOGLE_ALIASES: Readonly<Record<string, string>> = {
  'https://www.googleapis.com/auth/userinfo.email': 'email',
  'https://www.googleapis.com/auth/userinfo.profile': 'profile',
}

/** Google's long names of two OpenID Connect scopes mean the short ones, wherever they are written. */
export const canonicalScope = (scope: string): string => GOOGLE_ALIASES[scope] ?? scope
