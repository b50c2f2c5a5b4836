// What a server's `WWW-Authenticate` says to a client: RFC 9110 §11.6.1, RFC 6750 §3, RFC 9728 §5.1.

export interface BearerChallenge {
  readonly error: string | undefined
  readonly scopes: readonly string[]
  readonly resourceMetadata: string | undefined
}

const LONGEST = 8192
// A scheme stands alone; a parameter has a value, which may be quoted.
const PART = /[\s,]*([A-Za-z0-9!#$%&'*+.^_`|~-]+)(?:[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?/y

/** `undefined`: there is no Bearer challenge in it. */
export function parseBearerChallenge(field: string | undefined): BearerChallenge | undefined {
  if (field === undefined || field.length > LONGEST) return undefined
  let scheme = ''
  let bearer: Map<string, string> | undefined
  PART.lastIndex = 0
  for (let part = PART.exec(field); part !== null; part = PART.exec(field)) {
    const [, name = '', quoted, plain] = part
    if (quoted === undefined && plain === undefined) {
      scheme = name.toLowerCase()
      if (scheme === 'bearer') bearer ??= new Map()
      continue
    }
    // The first of two with one name counts, and none of the second of two challenges.
    if (scheme === 'bearer' && bearer !== undefined && !bearer.has(name.toLowerCase()))
      bearer.set(name.toLowerCase(), quoted?.replace(/\\(.)/g, '$1') ?? plain ?? '')
  }
  if (bearer === undefined) return undefined
  return {
    error: bearer.get('error'),
    scopes: scopesOf(bearer.get('scope')),
    resourceMetadata: bearer.get('resource_metadata'),
  }
}

/** RFC 6749 §3.3: the characters that a scope can have. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/
const MOST_SCOPES = 100

export const scopesOf = (text: unknown): string[] => (typeof text === 'string' ? checkScopes(text.split(' ')) : [])

/** Those that can be scopes, each once. */
export const checkScopes = (scopes: readonly unknown[]): string[] =>
  [...new Set(scopes.filter((scope): scope is string => typeof scope === 'string' && SCOPE.test(scope)))].slice(
    0,
    MOST_SCOPES,
  )
