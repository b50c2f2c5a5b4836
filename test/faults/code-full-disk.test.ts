// The disk of the record is full while somebody signs in: nothing is handed out, and the client that comes again, as it was told, is
// served. RFC 6749 §4.1.2, RFC 9110 §15.6.4.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openStore } from '../../src/store/open.ts'
import { type Served, serve } from '../support/cli.ts'
import { registerClient } from '../support/client.ts'
import { createPerson } from '../support/person.ts'

const ANN = { username: 'ann', password: 'correct horse battery staple' }

/** In the gate's process: while the file `full` is there, nothing more reaches the disk of the record. */
const DISK = `
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
const full = new URL('full', import.meta.url)
const { fdatasync } = fs
const noSpace = () => Object.assign(new Error('ENOSPC: no space left on device, fdatasync'), { code: 'ENOSPC' })
fs.fdatasync = (file, done) => (fs.existsSync(full) ? setImmediate(done, noSpace()) : fdatasync(file, done))
syncBuiltinESMExports()
`

let folder: string
let served: Served
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portcullis-full-disk-'))
  const disk = join(folder, 'disk.mjs')
  writeFileSync(disk, DISK)
  const servers = [{ id: 'notes', url: 'http://127.0.0.1:9/mcp' }]
  served = await serve({ servers }, [ANN], { NODE_OPTIONS: `--import ${pathToFileURL(disk)}` })
})
afterEach(async () => {
  await served?.close()
  rmSync(folder, { recursive: true })
})

async function acts(): Promise<string[]> {
  const directory = join(served.folder, 'data')
  const store = await openStore({ url: `sqlite:${join(directory, 'portcullis.db')}`, directory })
  const lines = await store.records.newest(100)
  await store.close()
  return lines.map(({ line }) => JSON.parse(line).act)
}

it('keeps the code good until the tokens have left, and they are in the record', async () => {
  const client = await registerClient(served)
  const authorization = client.authorize({ resource: `${served.url}/servers/notes/mcp` })
  const code = await client.codeFrom(createPerson(ANN), authorization)
  const exchange = () => client.exchange(code, authorization.verifier)

  writeFileSync(join(folder, 'full'), '')
  for (const answer of [await exchange(), await exchange()]) {
    expect([answer.status, answer.body]).toEqual([
      503,
      { error: 'temporarily_unavailable', error_description: 'try again later' },
    ])
    expect(answer.headers.get('retry-after')).toBe('5')
  }
  rmSync(join(folder, 'full'))
  const answer = await exchange()
  expect([answer.status, Object.keys(answer.body)]).toEqual([200, expect.arrayContaining(['refresh_token'])])
  expect((await exchange()).body['error']).toBe('invalid_grant')

  served.child.kill('SIGTERM')
  await served.ended()
  expect(await acts()).toEqual(expect.arrayContaining(['consent', 'token_issued', 'family_revoked', 'token_refused']))
})
