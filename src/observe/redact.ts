// What an operational line may carry: plain values without secrets, whatever object was handed to the log.

const CENSORED = '[redacted]'
const DEEPEST = 6
const MOST_ITEMS = 100
const LONGEST_TEXT = 4096

const SECRET_NAME =
  /authorization|cookie|token|secret|passw(or)?d|passphrase|assertion|credential|api[-_]?key|private[-_]?key|code[-_]?verifier|(?:device|user|authorization)[-_]?code|proof|session/i
/** Names like the above that hold no secret. */
const HARMLESS_NAME = /^(?:token[-_]?(?:type|endpoint|id)|sessions|expires.*|.*(?:url|uri|ttl|count|type|kind))$/i

// A credential inside a sentence: an Authorization value, a JWT, one of our keys, a secret query parameter.
const SECRET_TEXT: readonly (readonly [RegExp, string])[] = [
  [/\b(Bearer|Basic|DPoP) +[A-Za-z0-9+/._~=-]{6,}/gi, `$1 ${CENSORED}`],
  [/\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*/g, CENSORED],
  [/\bpc_[A-Za-z0-9_-]{6,}/g, CENSORED],
  [
    /([?&](?:code|state|access_token|refresh_token|id_token|token|client_secret|client_assertion|assertion|code_verifier|password|ticket)=)[^&#\s"]+/gi,
    `$1${CENSORED}`,
  ],
  [/(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@]*:)[^\s/@]+@/gi, `$1${CENSORED}@`],
]

export function redactText(text: string): string {
  const short = text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text
  return SECRET_TEXT.reduce((clean, [pattern, instead]) => clean.replace(pattern, instead), short)
}

/** A copy for the log. Errors become their message, reason, stack and cause; never throws. */
export function redact(value: unknown): unknown {
  try {
    return redactValue(value, { depth: 0, seen: new Set() })
  } catch {
    // A getter that throws must not turn a line of the log into a failed request.
    return '[unreadable]'
  }
}

interface Walk {
  readonly depth: number
  /** An object is written once: graphs of sockets and requests have no end. */
  readonly seen: Set<object>
}

function redactValue(value: unknown, { depth, seen }: Walk): unknown {
  if (typeof value === 'string') return redactText(value)
  if (typeof value === 'bigint') return String(value)
  if (typeof value !== 'object' || value === null) return value
  if (depth >= DEEPEST || seen.has(value)) return '[…]'
  seen.add(value)
  const walk = { depth: depth + 1, seen }
  if (value instanceof Error) return redactError(value, walk)
  if (value instanceof URL) return redactText(value.href)
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString()
  // Bytes are keys, bodies or hashes; none of them helps a reader.
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
  if (Array.isArray(value)) return value.slice(0, MOST_ITEMS).map((item) => redactValue(item, walk))
  return redactFields(Object.entries(value), walk)
}

function redactFields(fields: readonly [string, unknown][], walk: Walk): Record<string, unknown> {
  return Object.fromEntries(
    fields
      .slice(0, MOST_ITEMS)
      .map(([name, value]) => [name, isSecret(name, value) ? CENSORED : redactValue(value, walk)]),
  )
}

function redactError(error: Error, walk: Walk): Record<string, unknown> {
  const { name, message, stack, cause } = error
  const own = Object.entries(error).filter(([field]) => field !== 'name' && field !== 'cause')
  return {
    type: name,
    message: redactText(message),
    ...redactFields(own, walk),
    ...(stack === undefined ? {} : { stack: redactText(stack) }),
    ...(cause === undefined ? {} : { cause: redactValue(cause, walk) }),
  }
}

/** Something in it is a secret, by the name it has or by its looks. */
export function holdsSecret(name: string, value: unknown): boolean {
  if (isSecret(name, value)) return true
  if (typeof value === 'string') return redactText(value) !== value
  if (Array.isArray(value)) return value.some((item) => holdsSecret(name, item))
  if (typeof value !== 'object' || value === null) return false
  return Object.entries(value).some(([inner, member]) => holdsSecret(inner, member))
}

/** A number, a flag or nothing is no secret, whatever it is called. */
function isSecret(name: string, value: unknown): boolean {
  if (typeof value !== 'string' && (typeof value !== 'object' || value === null)) return false
  return SECRET_NAME.test(name) && !HARMLESS_NAME.test(name)
}
