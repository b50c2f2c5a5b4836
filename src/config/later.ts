// Keys this version knows by name but does not have: refused by that name, so that nobody believes they are in force.
import type { Path } from './settings.ts'

/** Paths with lists as `[]`. What they will do is in the sentence; a refusal names the key as written. */
const LATER: Readonly<Record<string, string>> = {
  'server.admin': 'a second listener for the administration',
  'server.workers': 'more than one process',
  'store.redis': 'Redis as bus and shared limiter',
  'servers[].limits': 'limits of one server',
  'audit.arguments': 'digests of arguments in the record',
  console: 'the console',
}

/** Values of a `type` that have no implementation yet. */
const LATER_TYPES: Readonly<Record<string, readonly string[]>> = {
  'identity.providers[].type': ['saml'],
}

const patternOf = (path: Path): string =>
  path.map((key, index) => (typeof key === 'number' ? '[]' : index === 0 ? key : `.${key}`)).join('')

export const findLater = (path: Path): string | undefined => {
  const pattern = patternOf(path)
  return Object.hasOwn(LATER, pattern) ? LATER[pattern] : undefined
}

export const isLaterType = (path: Path, value: unknown): boolean =>
  typeof value === 'string' && (LATER_TYPES[patternOf(path)]?.includes(value) ?? false)

export const laterKeys = (): string[] => Object.keys(LATER)
