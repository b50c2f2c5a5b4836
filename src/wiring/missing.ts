// What a configuration needs of this machine and does not find: files, variables, programs. For a look at it before it is used.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Outside, outsideOf } from '../config/outside.ts'
import type { Config } from '../config/schema.ts'
import type { Path } from '../config/settings.ts'
import { findProgramFlaw } from '../upstreams/channel/stdio/program.ts'

export interface Missing {
  readonly path: Path
  readonly message: string
  readonly remedy: string
}

type Environment = Readonly<Record<string, string | undefined>>

export const findMissing = (config: Config, env: Environment): Missing[] => [
  ...outsideOf(config).flatMap((outside) => judge(outside, env)),
  ...config.servers.flatMap((server, index) => {
    if (!('command' in server)) return []
    const flaw = findProgramFlaw(server, join(config.store.directory, 'servers', server.id))
    return flaw === undefined ? [] : [{ ...flaw, path: ['servers', index, flaw.setting] }]
  }),
]

function judge({ path, kind, name }: Outside, env: Environment): Missing[] {
  if (kind === 'variable')
    return env[name] ? [] : [{ path, message: `The variable ${name} is not set, or empty.`, remedy: 'Set it.' }]
  const message = findFileFlaw(name, kind === 'value')
  return message === undefined ? [] : [{ path, message, remedy: 'Write it there, readable for the gate.' }]
}

/** What keys and certificates are worth is judged by whoever reads them. */
function findFileFlaw(file: string, isValue: boolean): string | undefined {
  try {
    const text = readFileSync(file, 'utf8')
    return isValue && text.trim() === '' ? `The file ${file} is empty.` : undefined
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'
    return `The file ${file} cannot be read: ${WORDS.get(code) ?? code}.`
  }
}

const WORDS: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'no such file (ENOENT)'],
  ['EACCES', 'the gate has no permission (EACCES)'],
  ['EISDIR', 'it is a folder (EISDIR)'],
])
