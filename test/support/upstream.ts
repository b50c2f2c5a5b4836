// Real MCP servers from npm, as an operator would put them behind the gate.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'

const BIN = join(import.meta.dirname, '../../node_modules/.bin')

export interface TestUpstream {
  readonly url: string
  stop(): Promise<void>
}

/** `@modelcontextprotocol/server-everything`: handshake era, over Streamable HTTP with sessions, or over HTTP+SSE of 2024-11-05. */
export async function startEverything(transport: 'streamableHttp' | 'sse' = 'streamableHttp'): Promise<TestUpstream> {
  const port = await freePort()
  const child = spawn(process.execPath, [program('mcp-server-everything'), transport], {
    env: { PATH: process.env['PATH'] ?? '', PORT: String(port) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  await saying(child, /(?:listening|running) on port/i)
  const path = transport === 'sse' ? 'sse' : 'mcp'
  return { url: `http://127.0.0.1:${port}/${path}`, stop: () => stopProcess(child) }
}

/** Entry of `servers` for the filesystem server over one folder. */
export const filesystemServer = (id: string, folder: string) => ({
  id,
  command: [process.execPath, program('mcp-server-filesystem'), folder],
})

/** Entry of `servers` for the memory server with its state in one file. */
export const memoryServer = (id: string, file: string) => ({
  id,
  command: [process.execPath, program('mcp-server-memory')],
  env: { MEMORY_FILE_PATH: file },
})

/** Entry of `servers` for the sequential-thinking server. */
export const thinkingServer = (id: string) => ({
  id,
  command: [process.execPath, program('mcp-server-sequential-thinking')],
})

function program(name: string): string {
  const path = join(BIN, name)
  if (!existsSync(path)) throw new Error(`${name} is not installed; run npm ci.`)
  return path
}

// Below the ports that systems give away by themselves (Linux from 32768, RFC 6335 §6 from 49152): until it is used, and where it never
// is, no `listen(0)` and no connection of another test gets it by chance. Each process of the tests begins at a place of its own.
const [FIRST_PORT, PORTS] = [10_240, 20_000]
let nextPort = (process.pid * 997) % PORTS

/** A port nobody listens on. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < PORTS; tries++) {
    const port = FIRST_PORT + (nextPort++ % PORTS)
    if (await canListen(port)) return port
  }
  throw new Error('No port is free.')
}

async function canListen(port: number): Promise<boolean> {
  const server = createServer()
  const listening = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true))
  })
  if (listening) await new Promise((resolve) => server.close(resolve))
  return listening
}

/** Resolves with the match once the process has said it; rejects with everything it said when it ends before. */
export function saying(child: ChildProcess, pattern: RegExp): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    let text = ''
    const listen = (chunk: Buffer) => {
      text += chunk.toString()
      const match = pattern.exec(text)
      if (match) resolve(match)
    }
    child.stdout?.on('data', listen)
    child.stderr?.on('data', listen)
    child.once('error', reject)
    child.once('close', (code) => reject(new Error(`Ended with ${code} before saying ${pattern}:\n${text}`)))
  })
}

export async function stopProcess(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const closed = once(child, 'close')
  const killer = setTimeout(() => child.kill('SIGKILL'), 5_000)
  child.kill(signal)
  await closed
  clearTimeout(killer)
}
