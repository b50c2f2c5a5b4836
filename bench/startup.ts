// From `portcullis serve` to an answer of /ready, and what it weighs when nobody calls: the quickstart, in a fresh folder.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../test/support/upstream.ts'
import { servePortcullis } from './gate.ts'
import { median } from './report.ts'

export interface Start {
  readonly readyMs: number
  readonly idleRss: number
}

/** Long enough for what the start left behind to be collected or not. */
const IDLE_MS = 2_000

export async function measureStart(rounds: number): Promise<Start> {
  const samples: Start[] = []
  for (let round = 0; round < rounds; round++) samples.push(await startOnce())
  return { readyMs: median(samples.map((one) => one.readyMs)), idleRss: median(samples.map((one) => one.idleRss)) }
}

async function startOnce(): Promise<Start> {
  const cwd = mkdtempSync(join(tmpdir(), 'portcullis-start-'))
  const port = await freePort()
  const env = { ...process.env, PORTCULLIS_SERVER_LISTEN: `127.0.0.1:${port}` }
  const began = performance.now()
  const server = await servePortcullis([], { cwd, env })
  try {
    const { status } = await fetch(`http://127.0.0.1:${port}/ready`)
    if (status !== 200) throw new Error(`/ready answers ${status} after the start.`)
    const readyMs = performance.now() - began
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS))
    return { readyMs, idleRss: (await server.usage()).rss }
  } finally {
    await server.stop()
    rmSync(cwd, { recursive: true, force: true })
  }
}
