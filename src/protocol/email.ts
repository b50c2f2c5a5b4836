// E-mail addresses in the one form we compare, and the patterns of `allowedEmails`. RFC 5321 §4.1.2, narrower on purpose. Pure.

const ADDRESS = /^[!#$%&'+\-./=?^_`{|}~0-9A-Za-z]{1,64}@[0-9A-Za-z](?:[0-9A-Za-z.-]*[0-9A-Za-z])?$/

/**
 * An e-mail address in the one form we compare: ASCII, exactly one `@`, folded to lower case letter by letter. Unicode folding would
 * make U+212A a `k`; quoted local parts and comments would let two readers see two addresses.
 */
export function parseEmail(value: unknown): string | undefined {
  if (typeof value !== 'string' || value.length > 254 || !ADDRESS.test(value)) return undefined
  return value.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
}

/** An address, or `*@domain`: the domain itself, not those below it. `undefined` for what could be read in two ways. */
export function parseEmailPattern(pattern: string): string | undefined {
  const trimmed = pattern.trim()
  const domain = /^\*@(.+)$/.exec(trimmed)?.[1]
  const checked = parseEmail(domain === undefined ? trimmed : `x@${domain}`)
  return domain === undefined || checked === undefined ? checked : `*${checked.slice(1)}`
}
