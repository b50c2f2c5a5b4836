// Rules in files of their own (`policy.files`): read like the configuration, so that what is wrong is told with that file's line.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, join, relative, resolve } from 'node:path'
import { readDocument } from './document.ts'
import type { Input } from './input.ts'
import { pathText } from './origins.ts'
import { type Problem, placeOf } from './problems.ts'
import type { Environment } from './substitute.ts'
import { findNearest } from './suggest.ts'

const FILES: readonly (string | number)[] = ['policy', 'files']
const RULES: readonly (string | number)[] = ['policy', 'rules']
/** Not the dotted names by which Kubernetes keeps the versions of a mounted folder. */
const RULE_FILE = /^[^.].*\.(?:ya?ml|json)$/

interface Surroundings {
  readonly env: Environment
  readonly cwd: string
  /** What relative paths of the configuration file start from. */
  readonly directory: string
}

/** Puts the rules of the files behind those of the configuration. `watched`: the files and folders that were named. */
export function readRuleFiles(input: Input, around: Surroundings): { problems: Problem[]; watched: string[] } {
  const named: unknown = input.get(FILES)
  const problems: Problem[] = []
  const watched: string[] = []
  // What is no list of names is refused by the schema, which would not see it were it taken out here.
  if (!isNames(named)) return { problems, watched }
  for (const [index, name] of named.entries()) {
    const at = [...FILES, index]
    const { kind } = input.find(at)
    const path = resolve(kind === 'file' || kind === 'default' ? around.directory : around.cwd, name)
    watched.push(path)
    const found = filesAt(path)
    if ('problem' in found)
      problems.push({ place: placeOf(input.find(at)), setting: pathText(at), message: `${path}: ${found.problem}` })
    else for (const file of found.files) problems.push(...readRuleFile(file, input, around))
  }
  // They are rules like the others now: what `config print` shows could be written in one file.
  input.set(FILES, [], input.find(FILES))
  return { problems, watched }
}

const isNames = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((name) => typeof name === 'string')

function filesAt(path: string): { files: readonly string[] } | { problem: string } {
  const entry = statSync(path, { throwIfNoEntry: false })
  if (entry === undefined) return { problem: 'there is no such file or folder.' }
  if (!entry.isDirectory()) return { files: [path] }
  const files = readdirSync(path)
    .filter((name) => RULE_FILE.test(name))
    .sort()
    .map((name) => join(path, name))
  // A folder that was not mounted is empty, and its denials would be missing.
  return files.length === 0 ? { problem: 'there is no file of rules in this folder.' } : { files }
}

function readRuleFile(path: string, input: Input, { env, cwd }: Surroundings): readonly Problem[] {
  const local = relative(cwd, path)
  const called = local.startsWith('..') ? path : local
  const file = textOf(path)
  if ('problem' in file) return [{ place: called, message: file.problem }]
  const { input: read, problems } = readDocument(file.text, called, env)
  const strange = Object.keys(read.tree).filter((key) => key !== 'rules')
  const found = strange.map((key): Problem => {
    const nearest = findNearest(key, ['rules'])
    const remedy = nearest === undefined ? 'A file of rules holds rules: and nothing else.' : 'Did you mean "rules"?'
    return { place: placeOf(read.find([key])), setting: key, message: `There is no setting "${key}" here.`, remedy }
  })
  const rules = read.get(['rules'])
  if (!Array.isArray(rules) && problems.length + found.length === 0)
    return [{ place: `${called}:1:1`, message: `${basename(path)} holds no rules: list.` }]
  if (Array.isArray(rules)) input.append(RULES, read, ['rules'])
  return [...problems, ...found]
}

/** A file that is there and cannot be read would leave its denials out. */
function textOf(path: string): { text: string } | { problem: string } {
  try {
    return { text: readFileSync(path, 'utf8') }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    return { problem: `This file of rules cannot be read (${code}).` }
  }
}
