// The gate as operators start it.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Program, startNode } from './process.ts'

const ROOT = join(import.meta.dirname, '..')
const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: { start: string } }
/** What `npm start` tells Node, and bin/portcullis.cjs with the same words (test/house). */
const FLAGS = scripts.start.split(' ').filter((word) => word.startsWith('--'))

/** `portcullis serve`, once it listens. */
export function servePortcullis(
  args: readonly string[],
  options: { readonly cwd: string; readonly env?: NodeJS.ProcessEnv },
): Promise<Program> {
  return startNode(join(ROOT, 'src/cli/main.mjs'), ['serve', ...args], {
    ...options,
    flags: FLAGS,
    ready: /ready|listening/i,
  })
}
