// What a program is started through: an end with us (setpriv of util-linux), limits that the kernel keeps (prlimit of util-linux), walls
// around it (bwrap, systemd-run). No shell.
import { existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { StdioServerConfig } from '../../../config/servers.ts'
import { OperatorError } from '../../../protocol/errors.ts'
import { complaintOf, findOnPath } from './process.ts'

/** Words before the program's own. */
export type Wrapper = (place: { readonly folder: string }) => readonly string[]

/** What this machine has; another one in tests. */
export interface Machine {
  /** Full path of a program on our PATH. */
  find(program: string): string | undefined
  /** Runs it to its end: `undefined` when it did well, else what it said. */
  complaint(words: readonly string[]): string | undefined
  exists(path: string): boolean
  readonly root: boolean
}

type Wanted = Pick<StdioServerConfig, 'id' | 'limits' | 'sandbox'>
type Kind = 'bwrap' | 'systemd-run'

/**
 * Throws OperatorError where the machine cannot keep what is asked: a limit that is not kept is worse than none, since somebody relies on
 * it. `hidden`: our own folder, with the database and its keys.
 */
export function wrapperOf(wanted: Wanted, hidden: string, machine: Machine = THIS_MACHINE): Wrapper {
  const sandbox = sandboxOf(wanted, hidden, machine)
  // bwrap sees to it itself, for all that is inside.
  const end = sandbox?.kind === 'bwrap' ? [] : endWords(machine)
  const kernel = limitWords(wanted, sandbox?.kind, machine)
  return (place) => [...(sandbox?.words(place) ?? []), ...end, ...kernel]
}

/**
 * Killed, we send no signals any more: the kernel does (PR_SET_PDEATHSIG of prctl(2)). It holds for the program and not for what that one
 * starts. Nothing is asked for here, so a machine without it goes without; the setpriv of busybox knows no such word.
 */
function endWords(machine: Machine): readonly string[] {
  const [program, trial] = [machine.find('setpriv'), machine.find('true')]
  if (program === undefined || trial === undefined) return []
  const words = [program, '--pdeathsig', 'KILL', '--']
  return machine.complaint([...words, trial]) === undefined ? words : []
}

interface Sandbox {
  readonly kind: Kind
  readonly words: Wrapper
}

function sandboxOf(wanted: Wanted, hidden: string, machine: Machine): Sandbox | undefined {
  const { id, sandbox } = wanted
  if (sandbox === 'none') return undefined
  const kinds: readonly Kind[] = sandbox === 'auto' ? ['bwrap', 'systemd-run'] : [sandbox]
  const complaints: string[] = []
  for (const kind of kinds) {
    const program = machine.find(kind)
    const words = program && wordsOf(kind, program, { wanted, hidden, machine })
    const trial = machine.find('true')
    // Being installed is not enough: a kernel may forbid user namespaces, and a container has no systemd to ask.
    const complaint = words && trial ? machine.complaint([...words({ folder: '/' }), trial]) : 'it is not installed'
    if (words && complaint === undefined) return { kind, words }
    complaints.push(`${kind}: ${complaint}`)
  }
  if (sandbox === 'auto') return undefined
  throw new OperatorError(
    `servers.${id}.sandbox: ${complaints.join('; ')}. Install ${sandbox} and allow it, or write another sandbox (auto, none).`,
  )
}

function wordsOf(
  kind: Kind,
  program: string,
  { wanted: { limits }, hidden, machine }: { wanted: Wanted; hidden: string; machine: Machine },
): Wrapper {
  if (kind === 'bwrap')
    return ({ folder }) => [program, ...wallsAround(folder, machine.exists(hidden) ? hidden : undefined)]
  const kept = [
    ...(limits.memory > 0 ? [`MemoryMax=${limits.memory}`, 'MemorySwapMax=0'] : []),
    ...(limits.processes > 0 ? [`TasksMax=${limits.processes}`] : []),
  ]
  const scope = ['--scope', '--quiet', '--collect', ...kept.flatMap((one) => ['-p', one]), '--']
  return () => [program, ...(machine.root ? [] : ['--user']), ...scope]
}

/** Where our own programs are, and the Node that runs them. */
const OURS = [resolve(import.meta.dirname, '../../../..'), dirname(process.execPath)]

/**
 * A view of the file system that cannot be written to but for its working folder and a /tmp of its own; without our folder and without
 * the sockets of other services. Its processes see only each other, and end with us even when we are killed. The network stays: most
 * servers are a way to something elsewhere.
 */
function wallsAround(folder: string, hidden: string | undefined): readonly string[] {
  const own = folder === '/' ? [] : ['--bind', folder, folder]
  const none = hidden === undefined ? [] : ['--tmpfs', hidden]
  const isInside = hidden !== undefined && folder.startsWith(`${hidden}/`)
  return [
    ...['--unshare-all', '--share-net', '--die-with-parent'],
    ...['--ro-bind', '/', '/', '--dev', '/dev', '--proc', '/proc', '--tmpfs', '/tmp', '--tmpfs', '/run'],
    // A gate that is installed below /tmp still starts what came with it.
    ...OURS.filter((own) => own.startsWith('/tmp/')).flatMap((own) => ['--ro-bind', own, own]),
    // Where names are resolved, on machines that keep that below /run.
    ...['--ro-bind-try', '/run/systemd/resolve', '/run/systemd/resolve'],
    // The later word wins.
    ...(isInside ? [...none, ...own] : [...own, ...none]),
    ...['--chdir', folder, '--'],
  ]
}

/** systemd counts memory and processes by group; what it keeps need not be kept a second time. */
function limitWords({ id, limits }: Wanted, sandbox: Kind | undefined, machine: Machine): readonly string[] {
  const { memory, cpu, files, processes } = limits
  const grouped = sandbox === 'systemd-run'
  const kept = [
    // Address space would be nearer to the name, but runtimes reserve gigabytes of it that they never touch.
    ...(memory > 0 && !grouped ? [`--data=${memory}`] : []),
    ...(cpu > 0 ? [`--cpu=${Math.ceil(cpu / 1000)}`] : []),
    ...(files > 0 ? [`--nofile=${files}`] : []),
    ...(processes > 0 && !grouped ? [`--nproc=${processes}`] : []),
  ]
  if (kept.length === 0) return []
  // RLIMIT_NPROC binds everybody but root (setrlimit(2)).
  if (processes > 0 && !grouped && machine.root)
    throw new OperatorError(
      `servers.${id}.limits.processes: no such limit binds root, and the gate runs as root. Run it as another user, or write sandbox: systemd-run.`,
    )
  const program = machine.find('prlimit')
  if (program === undefined)
    throw new OperatorError(
      `servers.${id}.limits: this machine has no prlimit, so that they cannot be kept. Install util-linux, or take the limits away.`,
    )
  // What a process held in memory is not for the disk.
  return [program, '--core=0', ...kept, '--']
}

const THIS_MACHINE: Machine = {
  find: (program) => findOnPath(program, process.env['PATH'] ?? ''),
  complaint: complaintOf,
  exists: existsSync,
  root: process.getuid?.() === 0,
}
