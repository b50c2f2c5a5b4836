// The library's documents at rest: without the identifier that would open them.
import type { AdapterPayload } from 'oidc-provider'

/** `jti` is the code, the token or the cookie itself, and an interaction repeats its session's: neither is stored. */
export function storedPayload(payload: AdapterPayload): Record<string, unknown> {
  const { jti: _secret, session, ...rest } = payload
  if (session === undefined) return rest
  const { cookie: _cookie, ...bare } = session
  return { ...rest, session: bare }
}

/** The library checks what it reads back; the store kept what the library wrote. */
export function parsePayload(stored: Readonly<Record<string, unknown>>, jti?: string): AdapterPayload {
  return (jti === undefined ? { ...stored } : { ...stored, jti }) as AdapterPayload
}
