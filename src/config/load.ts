// The configuration of a start: flag > PORTCULLIS_* > seed variable > file > default, judged as a whole, refused with every problem at once.
import { lookup } from 'node:dns/promises'
import { readFileSync } from 'node:fs'
import { dirname, relative, resolve } from 'node:path'
import { OperatorError } from '../protocol/errors.ts'
import { adminWarnings } from './admin.ts'
import { authWarnings } from './auth-warnings.ts'
import { clusterWarnings } from './cluster.ts'
import { connectionWarnings } from './connections.ts'
import { readDocument } from './document.ts'
import { type ReadFile, readEnvironment } from './environment.ts'
import { translateForwarding } from './foreign-forwarding.ts'
import { takeForeignKeys } from './foreign-keys.ts'
import { translateViews } from './foreign-kuadrant.ts'
import { translatePortkey } from './foreign-portkey.ts'
import { translateProviders } from './foreign-providers.ts'
import { translateServers } from './foreign-servers.ts'
import { forwardingWarnings } from './forwarding-warnings.ts'
import { wildcardWarnings } from './gateway-callbacks.ts'
import { ingressWarnings } from './ingresses.ts'
import { createInput, type Input } from './input.ts'
import { issuerWarnings } from './issuer-warnings.ts'
import { problemsOf } from './issues.ts'
import { type Located, locateConfig } from './locate.ts'
import type { Origins } from './origins.ts'
import { configurationError, type Problem } from './problems.ts'
import { conditionProblems } from './rule-conditions.ts'
import { readRuleFiles } from './rule-files.ts'
import { ruleWarnings } from './rule-warnings.ts'
import { Config } from './schema.ts'
import { MCPAUTH_PATH } from './seed-mcpauth.ts'
import { applySeeds, type GivenRow, readSeedFlags, readSeedVariables } from './seed-settings.ts'
import { listSettings } from './settings.ts'
import { settle } from './settle.ts'
import type { Environment } from './substitute.ts'
import { findNearest } from './suggest.ts'
import { readTextValue } from './text-value.ts'
import { worldOpenWarnings } from './world-open.ts'

export interface Flags {
  /** `--config`. */
  readonly config?: string | undefined
  /** Settings by path: `--listen`, `--url`, `--set path=value`. */
  readonly settings?: Readonly<Record<string, string>>
  /** Go-style flags of the seeds, without the dash. */
  readonly seeds?: Readonly<Record<string, string>>
}

export interface LoadedConfig {
  readonly config: Config
  /** As written and merged, before defaults; for `config print`. */
  readonly input: Input
  readonly origins: Origins
  readonly warnings: readonly string[]
  /** What this start is about; `file` and `quickstart` carry the path. */
  readonly source: Located
  readonly quickstart: boolean
  /** What relative paths start from: the file's folder, or the current one. */
  readonly directory: string
  /** Files and folders of rules, which belong to the configuration. */
  readonly watched: readonly string[]
}

export interface LoadOptions {
  readonly flags?: Flags
  readonly env: Environment
  readonly cwd: string
  readonly resolveHost?: (host: string) => Promise<readonly string[]>
}

/** Throws OperatorError with every problem found. */
export async function loadConfig({
  flags = {},
  env,
  cwd,
  resolveHost = addressesOf,
}: LoadOptions): Promise<LoadedConfig> {
  const readFile: ReadFile = (path) => readFileSync(resolve(cwd, path), 'utf8')
  const seeds = readSeedVariables(env, readFile)
  const seedFlags = readSeedFlags(flags.seeds ?? {})
  const given = [...seeds.given, ...seedFlags]
  const meant = given.filter(({ row }) => row.status === 'works' || row.ambient !== true)
  const source = locateConfig({ flag: flags.config, environment: env, cwd, seeds: meant })

  const { input, problems: written } = readSource(source, cwd, env)
  // A file that cannot be read says nothing about settings: what would follow from its absence is noise.
  if (written.length > 0 && Object.keys(input.tree).length === 0) throw configurationError(written)
  const foreign = takeForeignKeys(input)
  const problems = [
    ...written,
    ...seeds.problems,
    ...foreign.problems,
    ...translatePortkey(input),
    ...translateServers(input),
    ...translateForwarding(input),
    ...translateViews(input),
    ...translateProviders(input),
  ]
  const warnings: string[] = []
  if (source.kind === 'environment') prepareEnvironmentStart(input, given)

  const byFile = applySeeds(foreign.given, 'seed', input)
  const bySeeds = applySeeds(seeds.given, 'seed', input, byFile.slots)
  const applied = [
    byFile,
    bySeeds,
    { warnings: [], problems: applyEnvironment(env, readFile, input) },
    applySeeds(seedFlags, 'flag', input, new Map([...byFile.slots, ...bySeeds.slots])),
    { warnings: [], problems: applyFlags(flags.settings ?? {}, input) },
  ]
  for (const level of applied) {
    warnings.push(...level.warnings)
    problems.push(...level.problems)
  }

  if (source.kind === 'environment') warnings.unshift(environmentWarning(input, given))

  const directory = source.kind === 'environment' ? cwd : dirname(source.path)
  const ruleFiles = readRuleFiles(input, { env, cwd, directory })
  problems.push(...ruleFiles.problems, ...(await conditionProblems(input)))

  const result = Config.safeParse(input.tree)
  if (!result.success) problems.push(...newProblems(problemsOf(result.error.issues, input), problems))
  if (!result.success || problems.length > 0) throw configurationError(problems)
  const settled = await settle(result.data, { input, directory, cwd, resolveHost })
  if (settled.problems.length > 0) throw configurationError(settled.problems)
  const { identity, oauth, server } = settled.config
  warnings.push(
    ...worldOpenWarnings(identity),
    ...authWarnings(settled.config),
    ...connectionWarnings(settled.config),
    ...adminWarnings(settled.config),
    ...clusterWarnings(settled.config),
    ...issuerWarnings(settled.config),
    ...ingressWarnings(settled.config),
    ...wildcardWarnings(oauth.gatewayCallbacks, server.development),
    ...forwardingWarnings(settled.config),
    ...ruleWarnings(settled.config, input),
  )
  const quickstart = source.kind === 'quickstart'
  const { watched } = ruleFiles
  return { config: settled.config, input, origins: input, warnings, source, quickstart, directory, watched }
}

/** A value that could not be read is missing for the schema too; that is told once. */
const newProblems = (found: readonly Problem[], told: readonly Problem[]): Problem[] =>
  found.filter(({ setting }) => setting === undefined || !told.some((problem) => problem.setting === setting))

const addressesOf = async (host: string): Promise<string[]> =>
  lookup(host, { all: true }).then(
    (found) => found.map(({ address }) => address),
    // A name that does not resolve is not this machine; that is what the caller asks.
    () => [],
  )

function readSource(source: Located, cwd: string, env: Environment): { input: Input; problems: readonly Problem[] } {
  if (source.kind === 'environment') return { input: createInput({}), problems: [] }
  const name = relative(cwd, source.path).startsWith('..') ? source.path : relative(cwd, source.path)
  const read = readDocument(readText(source.path), name, env)
  // Data of a trial run belongs to the folder it was started in, not into the program's own.
  if (source.kind === 'quickstart') {
    read.input.set(['store', 'url'], `sqlite:${resolve(cwd, 'data/portcullis.db')}`, {
      kind: 'settled',
      from: 'quickstart',
    })
    read.input.set(['store', 'directory'], resolve(cwd, 'data'), { kind: 'settled', from: 'quickstart' })
  }
  return read
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new OperatorError(`Cannot read the configuration ${path}. Check its permissions.`, { cause })
  }
}

/** No file: no servers of our own, and one rule that is said aloud. */
function prepareEnvironmentStart(input: Input, given: readonly GivenRow[]): void {
  const from = 'environment-only start'
  input.set(['policy', 'rules'], [{ id: 'implicit', allow: ['*/*'], to: ['*'] }], { kind: 'settled', from })
  // mcpauth listens on 11000 and checks at /sse when only its own variables configure it.
  if (!given.some(({ row }) => row.systems.length === 1 && row.systems[0] === 'mcpauth')) return
  input.set(['server', 'listen'], '127.0.0.1:11000', { kind: 'settled', from })
  input.set(['forwardAuth', 'path'], MCPAUTH_PATH, { kind: 'settled', from })
}

function environmentWarning(input: Input, given: readonly GivenRow[]): string {
  const names = given.map(({ name }) => name).join(', ')
  const implicit = input.find(['policy', 'rules']).kind === 'settled'
  const rule = implicit ? ' One implicit rule holds: allow */* to * (anyone signed in and admitted).' : ''
  return `Started from the environment alone (${names}): no configuration file, no demonstration servers.${rule} Write a portcullis.yaml to replace this.`
}

function applyEnvironment(env: Environment, readFile: ReadFile, input: Input): Problem[] {
  const { given, problems } = readEnvironment(env, readFile)
  for (const { name, text, setting } of given) {
    const path = setting.path.split('.')
    const read = readTextValue(path, text)
    if ('value' in read) input.set(path, read.value, { kind: 'variable', name })
    else problems.push({ place: name, message: read.problem })
  }
  return problems
}

const FLAG_NAMES: Readonly<Record<string, string>> = {
  'server.listen': '--listen',
  'server.url': '--url',
  'log.level': '--log-level',
}

function applyFlags(settings: Readonly<Record<string, string>>, input: Input): Problem[] {
  const known = listSettings().map(({ path }) => path)
  return Object.entries(settings).flatMap(([setting, text]) => {
    const name = FLAG_NAMES[setting] ?? `--set ${setting}`
    if (!known.includes(setting)) {
      const nearest = findNearest(setting, known)
      const remedy = nearest === undefined ? 'docs/reference/settings.md lists them.' : `Did you mean ${nearest}?`
      return [{ place: name, message: 'There is no such setting.', remedy }]
    }
    const path = setting.split('.')
    const read = readTextValue(path, text)
    if (!('value' in read)) return [{ place: name, message: read.problem }]
    input.set(path, read.value, { kind: 'flag', name })
    return []
  })
}
