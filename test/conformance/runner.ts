// Runs the official conformance suite as the child process it is, and reads what it wrote rather than what it printed:
// it prints a tick and exits with 0 where nothing was checked.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { parse } from 'yaml'

const SUITE = join(import.meta.dirname, '../../node_modules/@modelcontextprotocol/conformance')

export interface Check {
  readonly id: string
  readonly status: 'SUCCESS' | 'FAILURE' | 'WARNING' | 'SKIPPED' | 'INFO'
  readonly description?: string
  readonly errorMessage?: string
}

export interface Report {
  readonly exitCode: number | null
  readonly output: string
  /** Checks by scenario. */
  readonly scenarios: ReadonlyMap<string, readonly Check[]>
}

/** `onOutput` sees everything printed so far, for a suite that waits for a person. */
export async function runSuite(
  args: readonly string[],
  onOutput: (output: string) => void = () => {},
): Promise<Report> {
  const folder = await mkdtemp(join(tmpdir(), 'conformance-'))
  const child = spawn(process.execPath, [join(SUITE, 'dist/index.js'), ...args, '-o', folder], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const pipe of [child.stdout, child.stderr])
    pipe.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      onOutput(output)
    })
  const exitCode = await ended(child)
  const scenarios = await readResults(folder, args[0] ?? '')
  await rm(folder, { recursive: true })
  return { exitCode, output, scenarios }
}

/** What a revision asks of a server, or of a client, from the list that is frozen with the package. */
export async function requiredScenarios(revision: string, role: 'server' | 'client' = 'server'): Promise<string[]> {
  const list: unknown = parse(await readFile(join(SUITE, 'requirements', `${revision}.yaml`), 'utf8'))
  return (list as Record<typeof role, string[]>)[role]
}

/** Nothing but success, and at least one. */
export function failures(checks: readonly Check[] | undefined): string[] {
  const bad = (checks ?? []).filter(({ status }) => status !== 'SUCCESS' && status !== 'INFO')
  if (!checks?.some(({ status }) => status === 'SUCCESS')) return ['nothing was checked', ...bad.map(describe)]
  return bad.map(describe)
}

const describe = ({ id, status, errorMessage, description }: Check) => `${status} ${id}: ${errorMessage ?? description}`

function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => child.once('error', reject).once('close', resolve))
}

const PREFIXES: Readonly<Record<string, string>> = { server: 'server-', authorization: 'authorization-server-' }

/** One folder a scenario: `server-ping-2026-11-20T10-00-00-000Z/checks.json`; those of `authorization` begin with `authorization-server-`, those of `client` with nothing. */
async function readResults(folder: string, role: string): Promise<Map<string, Check[]>> {
  const prefix = PREFIXES[role] ?? ''
  const scenarios = new Map<string, Check[]>()
  for (const path of await readdir(folder, { recursive: true })) {
    if (basename(path) !== 'checks.json') continue
    const folderName = dirname(path)
    const scenario = folderName
      .slice(folderName.startsWith(prefix) ? prefix.length : 0)
      .replace(/-\d{4}-\d\d-\d\dT[\d-]+Z$/, '')
    const checks = JSON.parse(await readFile(join(folder, path), 'utf8')) as Check[]
    scenarios.set(scenario, checks)
  }
  return scenarios
}
