// One life of a child: process, pipes, initialization, end.
import type { StdioServerConfig } from '../config/servers.ts'
import type { Clock } from '../protocol/clock.ts'
import type { RpcMessage, RpcNotification } from '../protocol/jsonrpc.ts'
import { type Channel, openChannel } from './stdio-channel.ts'
import { lineReader } from './stdio-framing.ts'
import { handshake } from './stdio-handshake.ts'
import { childLog, type StdioLog } from './stdio-log.ts'
import { type OwnProcess, type ProcessEnd, startProcess } from './stdio-process.ts'
import { type ChannelInitialization, UpstreamError } from './upstream.ts'

/** A tool result of 16 MB is a mistake or an attack; it would be held several times over. */
const LONGEST_MESSAGE = 16 * 1024 * 1024
const LONGEST_LOG_LINE = 64 * 1024
/** What may wait for a child that does not read. */
const MOST_UNREAD = 32 * 1024 * 1024

export interface RunningServer {
  readonly channel: Channel
  /** Rejects with UpstreamError when the child does not get that far. */
  readonly initialization: Promise<ChannelInitialization>
  /** Settles, with the reason, when the child is gone and every call has its answer. */
  readonly ended: Promise<UpstreamError>
  stop(): Promise<void>
}

export function launch(
  config: StdioServerConfig,
  needs: { log: StdioLog; clock: Clock; onNotification(message: RpcNotification): void },
): RunningServer {
  const cwd = config.cwd ?? process.cwd()
  const own = startOrRefuse(config, cwd)
  if (own instanceof UpstreamError) return stillborn(own)

  const writeLine = childLog({ ...needs, server: config.id, secrets: Object.values(config.env) })
  const write = (message: RpcMessage) => writeMessage(own, message)
  const channel = openChannel({
    requestTimeout: config.requestTimeout,
    idleTimeout: config.idleTimeout,
    write,
    onNotification: needs.onNotification,
    onJunk: (line) => writeLine(line, 'the server wrote what is no message'),
  })
  readPipes(own, channel, (line) => writeLine(line, 'the server says'))

  let trouble: UpstreamError | undefined
  const ended = own.closed.then((end) => {
    const failure = trouble ?? endedBecause(config, cwd, end)
    channel.fail(failure.reason, failure.message)
    return failure
  })
  const initialization = handshake({ call: channel.call, notify: write }).catch(async (error) => {
    // It runs, but is no use as it is: a fresh one is started after the back-off.
    if (error instanceof UpstreamError && error.reason !== 'exited') trouble ??= error
    void own.stop()
    throw error instanceof UpstreamError && error.reason === 'exited' ? await ended : error
  })
  return { channel, initialization, ended, stop: () => own.stop() }
}

function startOrRefuse(config: StdioServerConfig, cwd: string): OwnProcess | UpstreamError {
  try {
    return startProcess({ command: config.command, cwd, env: config.env })
  } catch (error) {
    // Arguments that no process can have, such as a NUL byte.
    return new UpstreamError('spawn', `Cannot start ${config.command[0]}.`, { cause: error })
  }
}

function stillborn(failure: UpstreamError): RunningServer {
  const refuse = () => Promise.reject(failure)
  const none: Channel = { call: refuse, tell() {}, receive() {}, receiveOversize() {}, fail() {} }
  const ended = Promise.resolve(failure)
  return { channel: none, initialization: refuse(), ended, stop: async () => void (await ended) }
}

function readPipes({ child }: OwnProcess, channel: Channel, onLog: (line: string) => void): void {
  const messages = lineReader({ limit: LONGEST_MESSAGE, onLine: channel.receive, onOversize: channel.receiveOversize })
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

function endedBecause(config: StdioServerConfig, cwd: string, end: ProcessEnd): UpstreamError {
  const program = config.command[0]
  if (end.error?.code === 'ENOENT')
    return new UpstreamError(
      'spawn',
      `Cannot start ${program} for the server ${config.id}: there is no such program in ${cwd}/node_modules/.bin or on the PATH, ` +
        `or no folder ${cwd}. Install it, or write its full path in servers[].command.`,
      { cause: end.error },
    )
  if (end.error)
    return new UpstreamError(
      'spawn',
      `Cannot start ${program} for the server ${config.id}: ${end.error.code}. Check that the file may be executed.`,
      { cause: end.error },
    )
  const how = end.signal ? `by ${end.signal}` : `with exit code ${end.code}`
  return new UpstreamError('exited', `${program} of the server ${config.id} ended ${how}.`)
}
