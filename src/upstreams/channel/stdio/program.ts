// Whether a program could be started as things are: asked before anybody calls it, so that its operator hears of it first.
import { existsSync, statSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'
import type { StdioServerConfig } from '../../../config/servers.ts'
import { childEnvironment, findOnPath, isExecutable, resolveCommand } from './process.ts'

export interface ProgramFlaw {
  /** The setting of the server that it is about. */
  readonly setting: 'command' | 'cwd'
  readonly message: string
  readonly remedy: string
}

/** `undefined`: it is there. `folder`: where it works, if `cwd` does not say. */
export function findProgramFlaw(
  { command, cwd, env }: Pick<StdioServerConfig, 'command' | 'cwd' | 'env'>,
  folder: string,
): ProgramFlaw | undefined {
  if (cwd !== undefined && !isFolder(cwd))
    return { setting: 'cwd', message: `There is no folder ${cwd}.`, remedy: 'Make it, or name another.' }
  const [program] = resolveCommand(command, cwd ?? folder)
  if (!/[\\/]/.test(program)) return findFlawOnPath(program, childEnvironment(env)['PATH'] ?? '')
  const file = resolve(cwd ?? folder, program)
  if (!existsSync(file)) return flaw(`There is no program ${file}.`, INSTALL)
  if (isFolder(file)) return flaw(`${file} is a folder.`, 'Name the program in it.')
  return isExecutable(file) ? undefined : flaw(`The gate may not execute ${file}.`, 'Allow it: chmod +x.')
}

const INSTALL = 'Install it, or write its path: nothing is downloaded at run time.'

const flaw = (message: string, remedy: string): ProgramFlaw => ({ setting: 'command', message, remedy })

function findFlawOnPath(program: string, path: string): ProgramFlaw | undefined {
  // Windows finds programs under endings that nobody writes.
  if (process.platform === 'win32' || findOnPath(program, path) !== undefined) return undefined
  const there = path.split(delimiter).find((folder) => folder !== '' && existsSync(join(folder, program)))
  if (there === undefined) return flaw(`There is no program ${program} on the PATH.`, INSTALL)
  return flaw(`The gate may not execute ${join(there, program)}.`, 'Allow it: chmod +x.')
}

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
