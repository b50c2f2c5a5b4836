// `${VAR}`, `${VAR, default}` and `${VAR:-default}` in the text values of a configuration file; `$${` stands for `${`.

export type Environment = Readonly<Record<string, string | undefined>>

export interface Substitution {
  readonly text: string
  /** Names of variables that are not set and have no default. */
  readonly missing: readonly string[]
  readonly substituted: boolean
}

const REFERENCE = /\$\$\{|\$\{([^}]*)\}/g
// A default after a comma may hold anything but a brace; blanks around it belong to the notation.
const INSIDE = /^\s*([A-Za-z_][A-Za-z0-9_]*)\s*(?:(?::-|,)([\s\S]*))?$/

/** Substitutes once: what a variable holds is never read again as a reference. */
export function substitute(text: string, environment: Environment): Substitution {
  const missing: string[] = []
  let substituted = false
  const result = text.replace(REFERENCE, (written, inside: string | undefined) => {
    if (inside === undefined) return '${'
    const match = INSIDE.exec(inside)
    const name = match?.[1]
    if (name === undefined) {
      missing.push(inside)
      return written
    }
    substituted = true
    // As in the shell, `:-` and `,` also stand in for a variable that is set but empty.
    const value = environment[name]
    const preset = match?.[2]?.trim()
    if (preset !== undefined) return value === undefined || value === '' ? preset : value
    if (value === undefined) missing.push(name)
    return value ?? ''
  })
  return { text: result, missing, substituted }
}
