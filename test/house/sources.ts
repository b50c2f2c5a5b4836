// The house as text: its source files and what they import. Read with expressions, not with a compiler: a scanner that
// silently sees nothing would pass everything, so the law's test asserts how much it saw.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

export const ROOT = join(import.meta.dirname, '../..')

export interface Import {
  /** Repository path of a relative import, the bare name of a package. */
  readonly target: string
  readonly local: boolean
  readonly typeOnly: boolean
}

export interface Source {
  /** Repository path, such as `src/http/cors.ts`. */
  readonly path: string
  readonly text: string
  /** Without comments, with string contents kept. */
  readonly code: string
  readonly lines: number
  readonly imports: readonly Import[]
}

/** Every file of the project, committed or about to be (ignored ones are not). */
export function projectFiles(): string[] {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: ROOT })
  const files = listed.toString().split('\0')
  return [...new Set(files)].filter((file) => file !== '' && existsSync(join(ROOT, file))).sort()
}

export function readSources(prefix: string): Source[] {
  return projectFiles()
    .filter((path) => path.startsWith(prefix) && path.endsWith('.ts'))
    .map(readSource)
}

function readSource(path: string): Source {
  const text = readFileSync(join(ROOT, path), 'utf8')
  const code = withoutComments(text)
  return { path, text, code, lines: text.split('\n').length - 1, imports: parseImports(path, code) }
}

const TOKENS = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/g

export function withoutComments(text: string): string {
  return text.replace(TOKENS, (token) => (token.startsWith('/') ? ' ' : token))
}

const STATEMENT = /^[ \t]*(import|export)\s+(type\s)?(?:[\w*${},\s]*?\sfrom\s*)?['"]([^'"]+)['"]/gm
const CALL = /\bimport\(\s*['"]([^'"]+)['"]/g

export function parseImports(path: string, code: string): Import[] {
  const statements = [...code.matchAll(STATEMENT)].map((match) => ({
    specifier: match[3] ?? '',
    typeOnly: match[2] !== undefined || isTypeList(match[0]),
  }))
  const calls = [...code.matchAll(CALL)].map((match) => ({ specifier: match[1] ?? '', typeOnly: false }))
  return [...statements, ...calls].map(({ specifier, typeOnly }) => {
    const local = specifier.startsWith('.')
    return { target: local ? relative(ROOT, join(ROOT, dirname(path), specifier)) : specifier, local, typeOnly }
  })
}

// `import { type A, type B } from …` is as good as `import type`.
function isTypeList(statement: string): boolean {
  const names =
    /\{([\s\S]*)\}/
      .exec(statement)?.[1]
      ?.split(',')
      .map((name) => name.trim()) ?? []
  return names.length > 0 && names.every((name) => name === '' || name.startsWith('type '))
}

/** `src/http/cors.ts` → `http`; files directly in src belong to the floor `gateway`. */
export function roomOf(path: string): string {
  const [, room, rest] = path.split('/')
  return rest === undefined ? 'gateway' : (room ?? '')
}
