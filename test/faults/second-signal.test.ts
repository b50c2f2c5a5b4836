// Whoever tells the gate to stop twice does not want to wait: neither for the drain, nor for a disk that hangs.
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type Served, serve } from '../support/cli.ts'
import { until } from '../support/tls.ts'

/** In the gate's process: a file that takes a thread and does not give it back. */
const DISK = `
import fs from 'node:fs'
fs.open(new URL('pipe', import.meta.url), 'r', () => undefined)
`
/** Longer than any test has: what ends before that has not waited for it. */
const NEVER = '10m'
const BEGUN =
  'POST /oauth/register HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 100\r\nExpect: 100-continue\r\n'

let folder: string
let served: Served
let unfinished: Socket
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'portcullis-second-signal-'))
})
afterEach(async () => {
  unfinished?.destroy()
  await served?.close()
  rmSync(folder, { recursive: true })
})

/** A request whose body never comes. */
async function begin(): Promise<void> {
  const { host, hostname, port } = new URL(served.url)
  unfinished = connect(Number(port), hostname)
  unfinished.on('error', () => undefined).write(`${BEGUN}Host: ${host}\r\n\r\n`)
  expect(String((await once(unfinished, 'data'))[0])).toContain('100 Continue')
}

const isClosed = () =>
  fetch(`${served.url}/health`).then(
    () => false,
    () => true,
  )

/** One that drains, and will for a long time. */
async function startDraining(env: Readonly<Record<string, string>> = {}): Promise<void> {
  served = await serve({ server: { drain: NEVER, limits: { bodyTimeout: NEVER } } }, [], env)
  await begin()
  served.child.kill('SIGTERM')
  await until(isClosed, 'the gate takes no new connection')
  expect(served.child.exitCode).toBe(null)
}

it('a signal behind a change of the configuration lets nobody new in, though the old one still has somebody to answer', async () => {
  served = await serve({ server: { drain: NEVER, limits: { bodyTimeout: NEVER } } })
  await begin()
  served.child.kill('SIGHUP')
  await served.says(/the new configuration is in force/)
  served.child.kill('SIGTERM')
  await until(isClosed, 'the gate takes no new connection')
  expect(served.child.exitCode).toBe(null)
  unfinished.destroy()
  expect(await served.ended()).toMatchObject({ code: 0 })
})

it.each([
  ['SIGTERM', 143],
  ['SIGINT', 130],
] as const)('a second signal, be it %s, ends the drain with the code of that signal', async (signal, code) => {
  await startDraining()
  served.child.kill(signal)
  expect(await served.ended()).toMatchObject({ code })
})

it('it ends the process too where a thread waits for a disk that hangs', async () => {
  execFileSync('mkfifo', [join(folder, 'pipe')])
  const disk = join(folder, 'disk.mjs')
  writeFileSync(disk, DISK)
  await startDraining({ NODE_OPTIONS: `--import ${pathToFileURL(disk)}` })
  served.child.kill('SIGTERM')
  await served.ended()
  expect(served.child.signalCode).toBe('SIGKILL')
})
