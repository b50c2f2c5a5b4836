// What of a configuration may be shown: secrets become `***`, by the one mark in the schema.

const MASK = '***'

/** The user information of a URL may hold a password; RFC 3986 §3.2.1 asks that it is not shown in clear. */
export const maskUrl = (text: string): string =>
  text
    .replace(/^([a-z][a-z0-9+.-]*:\/\/[^/?#@:]*):[^/?#]*@/i, `$1:${MASK}@`)
    .replace(/([?&](?:password|sslpassword)=)[^&]*/gi, `$1${MASK}`)

/** Masks every text below; keys stay, since names of headers and variables are what an operator looks for. */
function maskAll(value: unknown): unknown {
  if (value === undefined || value === null || value === '') return value
  if (Array.isArray(value)) return value.map(maskAll)
  if (typeof value !== 'object') return MASK
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, maskAll(inner)]))
}

export function maskSecret(value: unknown, secret: boolean | 'url'): unknown {
  if (secret === true) return maskAll(value)
  return typeof value === 'string' ? maskUrl(value) : value
}
