// A gate that is told to stop while its disk says nothing: it writes what it can, says what may be missing, and stops.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openStore } from '../../src/store/open.ts'
import { type Served, serve } from '../support/cli.ts'
import { listTools } from '../support/mcp.ts'

/** In the gate's process: from when the file `hangs` is there, waiting for the disk takes a thread and does not give it back. */
const DISK = `
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
const [pipe, hangs] = ['pipe', 'hangs'].map((name) => new URL(name, import.meta.url))
const { fdatasync } = fs
fs.fdatasync = (file, done) => (fs.existsSync(hangs) ? fs.open(pipe, 'r', () => undefined) : fdatasync(file, done))
syncBuiltinESMExports()
`

let folder: string
let served: Served
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portcullis-hanging-disk-'))
  execFileSync('mkfifo', [join(folder, 'pipe')])
  const disk = join(folder, 'disk.mjs')
  writeFileSync(disk, DISK)
  const servers = [{ id: 'notes', url: 'http://127.0.0.1:9/mcp' }]
  served = await serve({ servers }, [], { NODE_OPTIONS: `--import ${pathToFileURL(disk)}` })
})
afterEach(async () => {
  await served?.close()
  rmSync(folder, { recursive: true })
})

/** A refused call, which is recorded as any other: its id. */
async function knock(): Promise<string | null> {
  const answer = await listTools(`${served.url}/servers/notes/mcp`, 'no-token-of-ours')
  expect(answer.status).toBe(401)
  return answer.headers.get('x-request-id')
}

async function recorded(): Promise<string[]> {
  const directory = join(served.folder, 'data')
  const store = await openStore({ url: `sqlite:${join(directory, 'portcullis.db')}`, directory })
  const lines = await store.records.newest(10)
  await store.close()
  return lines.map(({ id }) => id)
}

it('is stopped with nothing missing where the disk answers', async () => {
  const id = await knock()
  served.child.kill('SIGTERM')
  expect(await served.ended()).toMatchObject({ code: 0, stderr: expect.not.stringContaining('may not be in') })
  expect(await recorded()).toEqual([id])
})

it('stops where it hangs, too, with all in the record that the system was given', async () => {
  const before = await knock()
  writeFileSync(join(folder, 'hangs'), '')
  const after = await knock()
  served.child.kill('SIGTERM')
  const { stderr } = await served.ended()
  expect(served.child.signalCode).toBe('SIGKILL')
  expect(stderr).toContain('The last decisions may not be in the audit record')
  expect(await recorded()).toEqual([before, after])
})
