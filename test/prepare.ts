// What the suites need beside npm packages: nginx, Caddy, HAProxy, bubblewrap and a Chromium with fonts, from Debian. PostgreSQL comes with npm.
// As root they are installed; otherwise it is said plainly, and the tests that need them are counted as skipped.
import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

interface Need {
  readonly what: string
  readonly packages: readonly string[]
  find(): string | undefined
}

/** Full path of a program, also where a plain user's PATH does not look. */
export function findProgram(...names: readonly string[]): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin', '/sbin']
  for (const name of names)
    for (const folder of folders) if (folder !== '' && isExecutable(join(folder, name))) return join(folder, name)
  return undefined
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

export const findNginx = () => findProgram('nginx')
export const findChromium = () =>
  process.env['CHROMIUM'] ?? findProgram('chromium', 'chromium-browser', 'google-chrome')
// Without any font Chromium draws no text, and what has no size cannot be clicked.
const findFont = () => ['/usr/share/fonts/truetype', '/usr/share/fonts/opentype'].find((folder) => existsSync(folder))

const NEEDS: readonly Need[] = [
  { what: 'nginx', packages: ['nginx'], find: findNginx },
  { what: 'Caddy', packages: ['caddy'], find: () => findProgram('caddy') },
  { what: 'HAProxy', packages: ['haproxy'], find: () => findProgram('haproxy') },
  { what: 'bubblewrap', packages: ['bubblewrap'], find: () => findProgram('bwrap') },
  { what: 'Chromium', packages: ['chromium'], find: findChromium },
  { what: 'a font for Chromium', packages: ['fonts-dejavu-core'], find: findFont },
]

/** Installs what is missing when that is possible; answers one sentence for each thing that still is. */
export function prepare(say: (line: string) => void): string[] {
  const missing = NEEDS.filter((need) => need.find() === undefined)
  if (missing.length > 0 && canInstall()) install(missing, say)
  return missing
    .filter((need) => need.find() === undefined)
    .map((need) => `${need.what} is missing; as root: apt-get install ${need.packages.join(' ')}`)
}

const canInstall = () => process.getuid?.() === 0 && findProgram('apt-get') !== undefined

function install(needs: readonly Need[], say: (line: string) => void): void {
  say(`Installing ${needs.map((need) => need.what).join(', ')} for the tests.`)
  const packages = needs.flatMap((need) => need.packages)
  apt(['update', '-qq'], say)
  apt(['install', '-y', '-qq', '--no-install-recommends', ...packages], say)
}

function apt(args: readonly string[], say: (line: string) => void): void {
  // RUNLEVEL=1: installing nginx for a test must not start it as a service on port 80.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  const run = spawnSync('apt-get', ['-o', 'DPkg::Lock::Timeout=120', ...args], {
    env,
    encoding: 'utf8',
    timeout: 600_000,
  })
  if (run.status !== 0) say(`apt-get ${args.join(' ')} failed: ${run.stderr.trim() || run.error?.message}`)
}
