// Names and scopes of the library's cookies, RFC 6265bis §4.1.3. `__Host-` is a promise that no sibling domain can fake; `__Secure-` is
// not, so that what such a cookie proves counts only beside one that is (answered.ts).

export function cookieNames(serverUrl: string) {
  // Browsers refuse both prefixes without Secure, so plain-http loopback goes without.
  const isSecure = serverUrl.startsWith('https://')
  return {
    session: isSecure ? '__Host-portcullis_session' : 'portcullis_session',
    // Scoped to the path of one interaction, which `__Host-` does not allow.
    interaction: isSecure ? '__Secure-portcullis_interaction' : 'portcullis_interaction',
    resume: isSecure ? '__Secure-portcullis_resume' : 'portcullis_resume',
  }
}

export const COOKIE_OPTIONS = { httpOnly: true, sameSite: 'lax', signed: true } as const
