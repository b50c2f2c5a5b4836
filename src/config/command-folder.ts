// Where a program works when its entry does not say: beside the configuration if it speaks of something there, else in a folder of its own.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { StdioServerConfig } from './servers.ts'

/**
 * `undefined`: a folder of its own. Configurations were written when every program worked beside them, and whatever one of those names by
 * a relative path is still found.
 */
export function folderBeside(
  { command, env }: Pick<StdioServerConfig, 'command' | 'env'>,
  directory: string,
  exists: (path: string) => boolean = existsSync,
): string | undefined {
  const [program = '', ...words] = command
  const isThere = (word: string) => isRelative(word) || (isPlain(word) && exists(join(directory, word)))
  const isInstalled = /^[^\\/]+$/.test(program) && exists(join(directory, 'node_modules', '.bin', program))
  const isProgram = isInstalled || (/[\\/]/.test(program) && isThere(program))
  return isProgram || [...words, ...Object.values(env)].some(isThere) ? directory : undefined
}

const isRelative = (word: string): boolean => /^\.{1,2}(?:[\\/]|$)/.test(word)
/** An absolute path is the same from everywhere, and a flag or an empty word is none. */
const isPlain = (word: string): boolean => word !== '' && !/^(?:[\\/-]|[A-Za-z]:)/.test(word)
