// A child process of our own: found, started without a shell, stopped for certain.
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, realpathSync } from 'node:fs'
import { delimiter, dirname, join, resolve } from 'node:path'

/** The child gets these of our environment and nothing else: whatever secrets we were started with stay with us. */
const INHERITED = ['PATH', 'HOME', 'LANG', 'TZ']
// Without it no program on Windows can open a socket.
if (process.platform === 'win32') INHERITED.push('SYSTEMROOT')

const TERMINATE_AFTER = 2_000
const KILL_AFTER = 4_000
/** For the pipes of one that is gone: whoever left its group may hold them for ever. */
const LAST_WORDS = 500
const GROUPS = process.platform !== 'win32'

export interface OwnProcess {
  readonly child: ChildProcessWithoutNullStreams
  /** Settles when the process is gone and its pipes are read to the end. Never rejects. */
  readonly closed: Promise<ProcessEnd>
  /** Ends its input, then SIGTERM after 2 s, then SIGKILL after 4 s; settles when it is gone. */
  stop(): Promise<void>
}
export interface ProcessEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** Set when it never ran. */
  readonly error?: NodeJS.ErrnoException
}

/** Throws what `spawn` throws on arguments no process can have; a program that does not exist shows in `closed`. */
export function startProcess(options: {
  command: readonly string[]
  cwd: string
  env: Readonly<Record<string, string>>
  /** Words before it: what it is started through. */
  wrapper: readonly string[]
}): OwnProcess {
  const env = childEnvironment(options.env)
  const resolved = resolveCommand(options.command, options.cwd)
  const [program, ...args] = wrapped(options.wrapper, resolved, env)
  const child = spawn(program, args, {
    cwd: options.cwd,
    env,
    shell: false,
    windowsHide: true,
    // A group of its own: what the program starts in turn ends with it, and Ctrl-C reaches us first.
    detached: GROUPS,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  alive.add(child)
  endWithUs()
  const closed = processEnd(child)
  return { child, closed, stop: () => stop(child, closed) }
}

/** The file to run and its arguments. `node` is the Node that runs us; a script of an installed package runs on it too. */
export function resolveCommand(command: readonly string[], cwd: string): [string, ...string[]] {
  const [program = '', ...args] = command
  if (program === 'node') return [process.execPath, ...args]
  const file = /[\\/]/.test(program) ? resolve(cwd, program) : findInstalled(program, cwd)
  if (file === undefined || !existsSync(file)) return [program, ...args]
  const real = realpathSync(file)
  return /\.[cm]?js$/.test(real) ? [process.execPath, real, ...args] : [file, ...args]
}

/** Started through another, a program that does not exist, or is none, would be that one's trouble: it is looked for here. */
function wrapped(
  wrapper: readonly string[],
  [program, ...args]: [string, ...string[]],
  env: Readonly<Record<string, string>>,
): [string, ...string[]] {
  const [first, ...rest] = wrapper
  if (first === undefined) return [program, ...args]
  const file = /[\\/]/.test(program) ? program : findOnPath(program, env['PATH'] ?? '')
  return file === undefined || !isExecutable(file) ? [program, ...args] : [first, ...rest, file, ...args]
}

/** Beside the working folder, then where our own dependencies are; further up only from the latter, as Node itself looks. */
function findInstalled(program: string, cwd: string): string | undefined {
  const folders = [cwd]
  for (let at = import.meta.dirname; at !== dirname(at); at = dirname(at)) folders.push(at)
  return folders.map((folder) => join(folder, 'node_modules', '.bin', program)).find((file) => existsSync(file))
}

export function childEnvironment(own: Readonly<Record<string, string>>): Record<string, string> {
  const inherited = INHERITED.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]))
  const env: Record<string, string> = { ...Object.fromEntries(inherited), ...own }
  // Last on the path: a `#!/usr/bin/env node` works on a machine that has no Node of its own.
  env['PATH'] = [env['PATH'], dirname(process.execPath)].filter(Boolean).join(delimiter)
  return env
}

export const findOnPath = (program: string, path: string): string | undefined =>
  path
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, program))
    .find(isExecutable)

export function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const TRIAL_PATIENCE = 5_000

/** Runs a program to its end, at our own start: `undefined` when it did well, else what it said. */
export function complaintOf([program = '', ...words]: readonly string[]): string | undefined {
  const { status, stderr, error } = spawnSync(program, words, {
    shell: false,
    timeout: TRIAL_PATIENCE,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  return status === 0 ? undefined : (error?.message ?? stderr.toString('utf8').trim().slice(0, 300))
}

function processEnd(child: ChildProcessWithoutNullStreams): Promise<ProcessEnd> {
  const { promise, resolve: settle } = Promise.withResolvers<ProcessEnd>()
  child.once('error', (error) => {
    if (child.pid === undefined) settle({ code: null, signal: null, error })
  })
  // Grandchildren would keep the pipes open, and with them every pending call.
  child.once('exit', () => {
    signalGroup(child, 'SIGKILL')
    const closing = setTimeout(() => {
      for (const pipe of [child.stdin, child.stdout, child.stderr]) pipe.destroy()
    }, LAST_WORDS)
    child.once('close', () => clearTimeout(closing))
  })
  child.once('close', (code, signal) => settle({ code, signal }))
  return promise.finally(() => alive.delete(child))
}

async function stop(child: ChildProcessWithoutNullStreams, closed: Promise<ProcessEnd>): Promise<void> {
  child.stdin.end()
  const timers = [
    setTimeout(() => signalGroup(child, 'SIGTERM'), TERMINATE_AFTER),
    setTimeout(() => signalGroup(child, 'SIGKILL'), KILL_AFTER),
  ]
  await closed
  for (const timer of timers) clearTimeout(timer)
}

function signalGroup(child: ChildProcessWithoutNullStreams, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return
  try {
    if (GROUPS) process.kill(-child.pid, signal)
    else child.kill(signal)
  } catch (error) {
    // ESRCH: already gone, which is what was wanted. macOS answers EPERM for a group of zombies.
    if (!(error instanceof Error && 'code' in error && (error.code === 'ESRCH' || error.code === 'EPERM'))) throw error
  }
}

const alive = new Set<ChildProcessWithoutNullStreams>()
let watching = false

function endWithUs(): void {
  if (watching) return
  watching = true
  process.on('exit', () => {
    for (const child of alive) signalGroup(child, 'SIGKILL')
  })
}
