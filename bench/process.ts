// The measured processes: starting them, asking what they used, ending them.
import { type ChildProcess, fork, spawn } from 'node:child_process'
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
  usage(): Promise<Usage>
  stop(): Promise<void>
}

const METER = join(import.meta.dirname, 'servers/meter.js')

/** A Node program with the meter in it; resolves once it has said `ready`. */
export async function startNode(
  program: string,
  args: readonly string[],
  options: { ready?: RegExp; cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<Measured> {
  const child = fork(program, args, {
    execArgv: ['--import', METER],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    ...(options.cwd && { cwd: options.cwd }),
    ...(options.env && { env: options.env }),
  })
  await saying(child, options.ready ?? /ready/)
  return { usage: () => askUsage(child), stop: () => stopProcess(child) }
}

async function askUsage(child: ChildProcess): Promise<Usage> {
  const answer = once(child, 'message')
  child.send('usage')
  const [usage] = await answer
  return usage as Usage
}

/** nginx in the foreground with one worker; its usage comes from the kernel's clock ticks (10 ms). */
export async function startNginx(program: string, folder: string, config: string, probe: string): Promise<Measured> {
  const args = ['-p', folder, '-c', config, '-g', 'daemon off;', '-e', 'error.log']
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  await untilAnswering(child, probe)
  const pid = child.pid ?? 0
  return { usage: async () => usageOf([pid, ...childrenOf(pid)]), stop: () => stopProcess(child) }
}

async function untilAnswering(child: ChildProcess, url: string): Promise<void> {
  let text = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  for (let attempt = 0; attempt < 100; attempt++) {
    if (child.exitCode !== null) throw new Error(`nginx ended with ${child.exitCode}: ${text}`)
    const answered = await fetch(url).then(
      () => true,
      () => false,
    )
    if (answered) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`nginx does not answer: ${text}`)
}

const TICK_MICROSECONDS = 10_000
const PAGE_BYTES = 4096

function usageOf(pids: readonly number[]): Usage {
  const rows = pids.map((pid) => {
    // The command, field 2, may hold spaces: count the fields behind its parenthesis. utime is 14, stime 15, rss 24.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
    const cpu = (Number(fields[11]) + Number(fields[12])) * TICK_MICROSECONDS
    return { cpu, rss: Number(fields[21]) * PAGE_BYTES }
  })
  return rows.reduce((sum, row) => ({ cpu: sum.cpu + row.cpu, rss: sum.rss + row.rss }), { cpu: 0, rss: 0 })
}

function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  )
}
