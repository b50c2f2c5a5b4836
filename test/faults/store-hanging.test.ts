// A gate that is told to stop while its PostgreSQL is there and says nothing: it does not wait for it for ever, says what is missing in
// the record, and brings that in when it is started again.
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openStore } from '../../src/store/open.ts'
import { type Served, serve, startCommand } from '../support/cli.ts'
import { listTools } from '../support/mcp.ts'
import { type PostgresServer, startPostgres } from '../support/postgres.ts'
import { until } from '../support/tls.ts'

/** Longer than any test has: what ends before that has not waited for it. */
const NEVER = '10m'

let postgres: PostgresServer
let served: Served
beforeEach(async () => {
  postgres = await startPostgres()
  served = await serve({
    server: { drain: NEVER },
    store: { url: postgres.url },
    servers: [{ id: 'notes', url: 'http://127.0.0.1:9/mcp' }],
  })
})
afterEach(async () => {
  await served?.close()
  await postgres?.stop()
})

/** A refused call, which is recorded as any other: its id. */
async function knock(): Promise<string> {
  const answer = await listTools(`${served.url}/servers/notes/mcp`, 'no-token-of-ours')
  expect(answer.status).toBe(401)
  return answer.headers.get('x-request-id') ?? ''
}

async function recorded(): Promise<string[]> {
  const store = await openStore({ url: postgres.url, directory: served.folder })
  const lines = await store.records.newest(10)
  await store.close()
  return lines.map(({ id }) => id).sort()
}

it('is stopped with nothing missing where it answers', async () => {
  const id = await knock()
  served.child.kill('SIGTERM')
  expect(await served.ended()).toMatchObject({ code: 0, stderr: expect.not.stringContaining('stay in the spool') })
  expect(await recorded()).toEqual([id])
})

/** A request that cannot be answered without the store. */
function register(): Promise<Response> {
  const body = JSON.stringify({ redirect_uris: ['http://127.0.0.1:9/callback'], token_endpoint_auth_method: 'none' })
  const headers = { 'content-type': 'application/json' }
  return fetch(`${served.url}/oauth/register`, { method: 'POST', headers, body })
}

it('who is waiting for it when it stops is answered where it answers, and told that it does not where it does not', async () => {
  expect((await register()).status).toBe(201)
  postgres.freeze()
  const waiting = register()
  // Behind it on the same loop.
  await knock()
  served.child.kill('SIGTERM')
  expect((await waiting).status).toBe(503)
  expect(await served.ended()).toMatchObject({ code: 0 })
  await postgres.crash()
})

it('stops where it does not, too, and what it kept is in the record after the next start', async () => {
  const before = await knock()
  await until(async () => (await recorded()).length === 1, 'the first call is in the record')
  postgres.freeze()
  const after = await knock()
  served.child.kill('SIGTERM')
  expect(await served.ended()).toMatchObject({ code: 0, stderr: expect.stringContaining('stay in the spool') })
  await postgres.crash()
  await postgres.up()
  expect(await recorded()).toEqual([before])

  const again = startCommand(['serve', '--config', served.configFile], { cwd: served.folder })
  await again.says(/ready|listening/i)
  await again.stop()
  expect(await recorded()).toEqual([before, after])
})
