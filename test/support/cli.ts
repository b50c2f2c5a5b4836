// The command line as an operator types it: a process of its own, its words, its exit code.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ConfigInput } from '../../src/config/schema.ts'
import { openStore } from '../../src/store/open.ts'
import { addUser, type NewUser } from './people.ts'
import { freePort, saying, stopProcess } from './upstream.ts'

const MAIN = join(import.meta.dirname, '../../src/cli/main.mjs')

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Command {
  readonly child: ChildProcess
  /** Everything said so far, both streams. */
  readonly said: string
  says(pattern: RegExp): Promise<RegExpExecArray>
  ended(): Promise<Ended>
  stop(signal?: NodeJS.Signals): Promise<void>
}

interface Place {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** A program that starts ours: its words come first. */
  readonly wrap?: readonly string[]
  /** What it reads on standard input. */
  readonly input?: string
}

/** Runs without our own environment's settings: what is not given here is not there. */
export function startCommand(
  args: readonly string[],
  { cwd = tmpdir(), env = {}, wrap = [], input = '' }: Place = {},
): Command {
  const { PATH = '', HOME = cwd } = process.env
  const [program = '', ...words] = [...wrap, process.execPath, MAIN, ...args]
  const child = spawn(program, words, { cwd, env: { PATH, HOME, ...env }, stdio: ['pipe', 'pipe', 'pipe'] })
  child.stdin.on('error', () => undefined).end(input)
  let [stdout, stderr, said] = ['', '', '']
  const hear = (stream: 'out' | 'err') => (chunk: Buffer) => {
    said += chunk
    if (stream === 'out') stdout += chunk
    else stderr += chunk
  }
  child.stdout.on('data', hear('out'))
  child.stderr.on('data', hear('err'))
  const closed = once(child, 'close')
  return {
    child,
    get said() {
      return said
    },
    async says(pattern) {
      return pattern.exec(said) ?? saying(child, pattern)
    },
    async ended() {
      await closed
      return { code: child.exitCode, stdout, stderr }
    },
    stop: (signal) => stopProcess(child, signal),
  }
}

export const runCommand = (args: readonly string[], place?: Place): Promise<Ended> => startCommand(args, place).ended()

export interface Served extends Command {
  readonly url: string
  readonly folder: string
  readonly configFile: string
  /** Stops it and removes its folder. */
  close(): Promise<void>
}

/** `portcullis serve` with a configuration file in a folder of its own, and people who have accounts from the start. */
export async function serve(config: ConfigInput, people: readonly NewUser[] = [], env = {}): Promise<Served> {
  const { folder, configFile, url, storeUrl } = await writeConfig(config)
  if (people.length > 0) {
    const store = await openStore({ url: storeUrl, directory: join(folder, 'data') })
    for (const person of people) await addUser(store, person)
    await store.close()
  }
  const command = startCommand(['serve', '--config', configFile], { cwd: folder, env })
  await command.says(/ready|listening/i)
  const close = async () => {
    await command.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  return Object.assign(command, { url, folder, configFile, close })
}

/** A folder with a `portcullis.json` that listens on a free port and keeps its data there. */
export async function writeConfig(config: ConfigInput) {
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-serve-'))
  const port = await freePort()
  const url = `${config.server?.tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`
  const storeUrl = `sqlite:${join(folder, 'data', 'portcullis.db')}`
  const whole: ConfigInput = {
    store: { url: storeUrl, directory: join(folder, 'data') },
    ...config,
    server: { url, listen: `127.0.0.1:${port}`, drain: '1s', ...config.server },
  }
  const configFile = join(folder, 'portcullis.json')
  writeFileSync(configFile, JSON.stringify(whole, null, 2))
  return { folder, configFile, url, port, storeUrl }
}
