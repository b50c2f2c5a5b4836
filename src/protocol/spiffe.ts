// SPIFFE ids: `spiffe://trust-domain/path` (SPIFFE-ID §2), one spelling each, so that they are compared letter by letter. Pure.

const LONGEST = 2048
/** §2.1: small letters, digits, dot, dash and underscore; so no port, no user, no percent sign. */
const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/
/** §2.2: neither empty nor relative, nothing encoded; a query or a fragment has no letter here either. */
const SEGMENT = /^(?!\.{1,2}$)[A-Za-z0-9._-]+$/
const SCHEME = 'spiffe://'

/** The id, or `undefined` for a text that is none. */
export function parseSpiffeId(text: string): string | undefined {
  if (text.length > LONGEST || !text.startsWith(SCHEME)) return undefined
  const [domain = '', ...path] = text.slice(SCHEME.length).split('/')
  return TRUST_DOMAIN.test(domain) && path.every((segment) => SEGMENT.test(segment)) ? text : undefined
}

export const isSpiffeLike = (text: string): boolean => /^spiffe:/i.test(text)
