// Which configuration this start is about: a file, the quickstart, or the environment alone.
import { existsSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { OperatorError } from '../protocol/errors.ts'
import type { GivenRow } from './seed-settings.ts'
import type { Environment } from './substitute.ts'

export type Located =
  | { readonly kind: 'file' | 'quickstart'; readonly path: string }
  /** Seed variables and no file. */
  | { readonly kind: 'environment' }

const NAMES = ['portcullis.yaml', 'portcullis.yml', 'portcullis.json', 'gateway-config.json']
export const QUICKSTART = fileURLToPath(new URL('../../examples/quickstart/portcullis.yaml', import.meta.url))

interface Start {
  readonly flag: string | undefined
  readonly environment: Environment
  readonly cwd: string
  /** The seeds' variables and flags that are set. */
  readonly seeds: readonly GivenRow[]
}

export function locateConfig({ flag, environment, cwd, seeds }: Start): Located {
  const variable = environment['PORTCULLIS_CONFIG'] || undefined
  const named = flag ?? variable
  if (named !== undefined)
    return {
      kind: 'file',
      path: mustBeFile(resolve(cwd, named), flag === undefined ? 'PORTCULLIS_CONFIG' : '--config'),
    }
  const found = NAMES.map((name) => join(cwd, name)).filter((path) => existsSync(path))
  if (found.length > 1)
    throw new OperatorError(
      `There is more than one configuration here:\n  ${found.join('\n  ')}\nName one with --config.`,
    )
  if (found[0] !== undefined) return { kind: 'file', path: found[0] }
  return seeds.length > 0 ? { kind: 'environment' } : { kind: 'quickstart', path: QUICKSTART }
}

function mustBeFile(path: string, name: string): string {
  if (!existsSync(path)) throw new OperatorError(`${name}: there is no file ${path}.`)
  if (statSync(path).isDirectory()) throw new OperatorError(`${name}: ${path} is a folder. Name the file in it.`)
  return path
}
