// A child process as a channel: MCP 2025-11-25, Transports: stdio.
import { mkdirSync } from 'node:fs'
import type { RpcMessage } from '../../../protocol/jsonrpc.ts'
import { UpstreamError } from '../../upstream.ts'
import type { Ears, Transport } from '../transport.ts'
import { lineReader } from './framing.ts'
import { type OwnProcess, type ProcessEnd, startProcess } from './process.ts'
import type { Wrapper } from './wrapper.ts'

const LONGEST_LOG_LINE = 64 * 1024
/** What may wait for a child that does not read. */
const MOST_UNREAD = 32 * 1024 * 1024

export interface Program {
  /** Of the server, for messages. */
  readonly id: string
  readonly command: readonly string[]
  readonly folder: string
  /** The folder is of our making: it is made where it is missing, for us alone. */
  readonly ownFolder: boolean
  readonly env: Readonly<Record<string, string>>
  readonly wrapper: Wrapper
  /** Longest message, in bytes. */
  readonly longest: number
}

export function openChild(program: Program, ears: Ears, onLog: (line: string) => void): Transport {
  const own = startOrRefuse(program)
  if (own instanceof UpstreamError) return stillborn(own)
  readPipes(own, { ears, onLog, longest: program.longest })
  return {
    ready: Promise.resolve(),
    send: (message) => void writeMessage(own, message),
    ended: own.closed.then((end) => endedBecause(program, end)),
    stop: own.stop,
  }
}

function startOrRefuse({ id, command, folder, ownFolder, env, wrapper }: Program): OwnProcess | UpstreamError {
  try {
    if (ownFolder) mkdirSync(folder, { recursive: true, mode: 0o700 })
    return startProcess({ command, cwd: folder, env, wrapper: wrapper({ folder }) })
  } catch (error) {
    const message = `Cannot start ${command[0]} for the server ${id}`
    // Words or variables that no process can have, such as a NUL byte. Node's own sentence quotes them, and one may be a secret.
    if (error instanceof TypeError)
      return new UpstreamError('spawn', `${message}: a word of it, or a variable, holds a NUL byte.`)
    return new UpstreamError('spawn', `${message}.`, { cause: error })
  }
}

function stillborn(failure: UpstreamError): Transport {
  const ended = Promise.resolve(failure)
  const refuse = () => {
    throw failure
  }
  const ready = Promise.reject(failure)
  ready.catch(() => undefined)
  return { ready, send: refuse, ended, stop: async () => void (await ended) }
}

function readPipes(
  { child }: OwnProcess,
  { ears, onLog, longest }: { ears: Ears; onLog(line: string): void; longest: number },
): void {
  // Read to the end at the pace of the loop: each message is handed on as it is cut, so that a flood costs time and no memory.
  const messages = lineReader({ limit: longest, onLine: ears.receive, onOversize: ears.receiveOversize })
  child.stdout.on('data', messages.push).on('end', messages.end)
  const lines = lineReader({ limit: LONGEST_LOG_LINE, onLine: onLog, onOversize: (line) => onLog(line.head) })
  child.stderr.on('data', lines.push).on('end', lines.end)
  // A pipe that breaks belongs to a process that ends, and its end is what is reported.
  for (const pipe of [child.stdin, child.stdout, child.stderr]) pipe.on('error', () => child.stdin.destroy())
}

function writeMessage({ child }: OwnProcess, message: RpcMessage): void {
  if (!child.stdin.writable) throw new UpstreamError('exited', 'The server has ended.')
  if (child.stdin.writableLength > MOST_UNREAD)
    throw new UpstreamError('timeout', 'The server does not read its input.')
  child.stdin.write(`${JSON.stringify(message)}\n`)
}

function endedBecause({ id, command, folder }: Program, end: ProcessEnd): UpstreamError {
  const program = command[0]
  if (end.error?.code === 'ENOENT')
    return new UpstreamError(
      'spawn',
      `Cannot start ${program} for the server ${id}: there is no such program in ${folder}/node_modules/.bin or on the PATH, ` +
        `or no folder ${folder}. Install it, or write its full path in servers[].command.`,
      { cause: end.error },
    )
  if (end.error)
    return new UpstreamError(
      'spawn',
      `Cannot start ${program} for the server ${id}: ${end.error.code}. Check that the file may be executed.`,
      { cause: end.error },
    )
  const how = end.signal ? `by ${end.signal}` : `with exit code ${end.code}`
  return new UpstreamError('exited', `${program} of the server ${id} ended ${how}.`)
}
