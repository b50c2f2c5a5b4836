// `PORTCULLIS_…`: the variable of every setting, derived from its path, never typed by hand. `…_FILE` reads it from a file.
import type { Problem } from './problems.ts'
import { listSettings, type Setting } from './settings.ts'
import type { Environment } from './substitute.ts'
import { findNearest } from './suggest.ts'

const PREFIX = 'PORTCULLIS_'
/** Variables that are no setting. */
export const OTHER_VARIABLES: Readonly<Record<string, string>> = {
  PORTCULLIS_CONFIG: 'The configuration file, as `--config`.',
}

/** `oauth.accessTokenTtl` → `PORTCULLIS_OAUTH_ACCESS_TOKEN_TTL`. */
export const variableOf = (path: string): string =>
  PREFIX + path.replaceAll('.', '_').replace(/[A-Z]/g, '_$&').toUpperCase()

/**
 * Kubernetes injects these for a Service called `portcullis` or `portcullis-…`: `PORTCULLIS_PORT=tcp://…`,
 * `PORTCULLIS_SERVICE_HOST`, `PORTCULLIS_ADMIN_PORT_4444_TCP_ADDR`. They are no settings and no mistakes.
 */
export const isInjected = (name: string): boolean =>
  /^PORTCULLIS_(?:.+_)?(?:SERVICE_(?:HOST|PORT(?:_.+)?)|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)$/.test(
    name,
  )

export interface Given {
  readonly name: string
  readonly text: string
}

export type ReadFile = (path: string) => string

/** The text of a variable or of the file its `…_FILE` names; empty counts as not set. Both, when they differ, is a problem. */
export function readVariable(name: string, environment: Environment, readFile: ReadFile): Given | Problem | undefined {
  const text = environment[name]
  const file = environment[`${name}_FILE`]
  const given = text === undefined || text === '' ? undefined : { name, text }
  if (file === undefined || file === '') return given
  let content: string
  try {
    content = readFile(file).replace(/\r?\n$/, '')
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unreadable'
    return { place: `${name}_FILE`, message: `Cannot read ${file} (${code}).`, remedy: 'Name a readable file.' }
  }
  if (given !== undefined && given.text !== content)
    return { place: `${name} and ${name}_FILE`, message: 'The two differ.', remedy: 'Set only one of them.' }
  return { name: given === undefined ? `${name}_FILE` : name, text: content }
}

export interface GivenSetting extends Given {
  readonly setting: Setting
}

export function readEnvironment(
  environment: Environment,
  readFile: ReadFile,
): { given: GivenSetting[]; problems: Problem[] } {
  const settings = new Map(listSettings().map((setting) => [variableOf(setting.path), setting]))
  const given: GivenSetting[] = []
  const problems: Problem[] = []
  for (const [name, setting] of settings) {
    const read = readVariable(name, environment, readFile)
    if (read === undefined) continue
    if ('text' in read) given.push({ ...read, setting })
    else problems.push(read)
  }
  const known = [...settings.keys(), ...Object.keys(OTHER_VARIABLES)]
  for (const name of Object.keys(environment))
    if (name.startsWith(PREFIX) && !isInjected(name) && !isKnown(name, known)) problems.push(unknown(name, known))
  return { given, problems }
}

const isKnown = (name: string, known: readonly string[]): boolean =>
  known.includes(name) || (name.endsWith('_FILE') && known.includes(name.slice(0, -'_FILE'.length)))

function unknown(name: string, known: readonly string[]): Problem {
  const nearest = findNearest(name, known)
  return {
    place: name,
    message: 'There is no such variable.',
    remedy: nearest === undefined ? 'docs/reference/environment.md lists them.' : `Did you mean ${nearest}?`,
  }
}
