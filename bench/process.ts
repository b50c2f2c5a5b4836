// The measured processes: starting them, asking what they used, ending them.
import { type ChildProcess, fork, type Serializable, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { saying, stopProcess } from '../test/support/upstream.ts'

export interface Usage {
  /** Microseconds of CPU since the start, all threads. */
  readonly cpu: number
  readonly rss: number
}

export interface Measured {
  readonly pid: number
  usage(): Promise<Usage>
  stop(): Promise<void>
}

export interface Program extends Measured {
  /** Sends it a message; answers the next one of its own. */
  ask(message: unknown): Promise<unknown>
}

const METER = join(import.meta.dirname, 'servers/meter.js')

/** A Node program with the meter in it; resolves once it has said `ready`, or answers at that address. */
export async function startNode(
  program: string,
  args: readonly string[],
  options: { ready?: RegExp | string; cwd?: string; env?: NodeJS.ProcessEnv; flags?: readonly string[] } = {},
): Promise<Program> {
  const child = fork(program, args, {
    execArgv: [...(options.flags ?? []), '--import', METER],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    ...(options.cwd && { cwd: options.cwd }),
    ...(options.env && { env: options.env }),
  })
  const { ready = /ready/ } = options
  await (typeof ready === 'string' ? untilAnswering(child, ready) : saying(child, ready))
  const ask = async (message: unknown): Promise<unknown> => {
    const answer = once(child, 'message')
    child.send(message as Serializable)
    const [answered] = await answer
    return answered
  }
  return {
    pid: child.pid ?? 0,
    ask,
    usage: async () => (await ask('usage')) as Usage,
    stop: () => stopProcess(child),
  }
}

/** nginx in the foreground with one worker. */
export async function startNginx(program: string, folder: string, config: string, probe: string): Promise<Measured> {
  const args = ['-p', folder, '-c', config, '-g', 'daemon off;', '-e', 'error.log']
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  await untilAnswering(child, probe)
  const pid = child.pid ?? 0
  return { pid, usage: async () => usageOf([pid, ...childrenOf(pid)]), stop: () => stopProcess(child) }
}

async function untilAnswering(child: ChildProcess, url: string): Promise<void> {
  let text = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  for (let attempt = 0; attempt < 100; attempt++) {
    if (child.exitCode !== null) throw new Error(`It ended with ${child.exitCode}: ${text}`)
    const answered = await fetch(url).then(
      () => true,
      () => false,
    )
    if (answered) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`Nothing answers at ${url}: ${text}`)
}

const PAGE_BYTES = 4096

/** Of processes without the meter in them, such as the children of one that is measured. */
export function usageOf(pids: readonly number[]): Usage {
  const rows = pids.map((pid) => {
    // The command, field 2, may hold spaces: count the fields behind its parenthesis. rss is 24.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
    return { cpu: cpuOf(pid), rss: Number(fields[21]) * PAGE_BYTES }
  })
  return rows.reduce((sum, row) => ({ cpu: sum.cpu + row.cpu, rss: sum.rss + row.rss }), { cpu: 0, rss: 0 })
}

/** The scheduler counts in nanoseconds, a thread; the clock ticks of `stat` are 10 ms. */
const cpuOf = (pid: number): number =>
  readdirSync(`/proc/${pid}/task`)
    .map((thread) => Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]) / 1000)
    .reduce((sum, one) => sum + one, 0)

export function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  )
}
