// The command `portcullis`. Only picks: every command is loaded when it is asked for, so that the start pays for what it uses.
// Plain JavaScript: a TypeScript file that is read before the compile cache is on loads the type stripper, whose 17 MB stay.
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'

// In our own folder: in the shared temporary one another account could place code under our name. Read-only is fine, too.
enableCompileCache(join(import.meta.dirname, '../../node_modules/.cache/portcullis'))

const { runProgram } = await import('./program.ts')
await runProgram(process.argv.slice(2))
