// What somebody who does not know the product yet gets wrong, and what they read then.
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, describe, expect, it } from 'vitest'
import { runCommand, startCommand, writeConfig } from '../support/cli.ts'
import { registerClient } from '../support/client.ts'
import { ANN, startGateway } from '../support/gateway.ts'
import { createPerson } from '../support/person.ts'
import { startTokenGuarded } from '../support/token-guarded.ts'
import { freePort } from '../support/upstream.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

describe('a command that is none', () => {
  it.each([
    ['confg', 'There is no command confg. Did you mean config?\n'],
    ['start-the-gate', 'There is no command start-the-gate. --help shows what there is.\n'],
  ])('is refused by its name: %s', async (word, said) => {
    expect(await runCommand([word])).toEqual({ code: 1, stdout: '', stderr: said })
  })
})

describe('a database that is damaged behind its first page', () => {
  it('ends the start with what to do, and no stack trace', async () => {
    const place = await writeConfig({})
    cleanups.push(() => rmSync(place.folder, { recursive: true, force: true }))
    const path = join(place.folder, 'data', 'portcullis.db')
    const start = () => runCommand(['keys', 'list', '--config', place.configFile], { cwd: place.folder })
    mkdirSync(join(place.folder, 'data'))
    // No keys yet, and that is all there is to say: the store opens.
    expect((await start()).stderr).toContain('There are no keys yet')
    damage(path)
    const ended = await start()
    expect(ended.code).toBe(1)
    expect(ended.stderr).toMatch(/^The (store cannot do this now: the database file|database file .*) is damaged/)
    expect(ended.stderr).toContain('backup')
    expect(ended.stderr).not.toMatch(/unexpected|^\s+at /m)
  })
})

/** The keys and their index alone: what a command reads before them is untouched. */
function damage(path: string): void {
  const database = new DatabaseSync(path)
  database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  const { page_size } = database.prepare('PRAGMA page_size').get() as { page_size: number }
  const pages = database.prepare("SELECT rootpage FROM sqlite_schema WHERE tbl_name = 'keyring'").all()
  database.close()
  expect(pages).not.toEqual([])
  const whole = readFileSync(path)
  for (const { rootpage } of pages as { rootpage: number }[])
    whole.fill(0xa5, (rootpage - 1) * page_size, rootpage * page_size)
  writeFileSync(path, whole)
}

const HANDSHAKE = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
}

describe('a server that is configured wrongly', () => {
  it('is down, with what to do in the log, where its url leads to no MCP endpoint or it wants a credential', async () => {
    const strict = await startTokenGuarded({ 'the-key': 'gate' })
    const nothing = createServer((_req, res) => res.writeHead(404, { 'content-type': 'text/html' }).end('<h1>')).listen(
      0,
      '127.0.0.1',
    )
    await once(nothing, 'listening')
    cleanups.push(strict.close, () => nothing.close())
    const { url } = strict
    const keyed = (key: string) => ({ type: 'headers', headers: { Authorization: `Bearer ${key}` } }) as const
    const gateway = await startGateway({
      servers: [
        { id: 'elsewhere', url: `http://127.0.0.1:${(nothing.address() as AddressInfo).port}/` },
        { id: 'keyless', url },
        { id: 'wrong-key', url, credentials: keyed('another-key') },
        { id: 'well', url, credentials: keyed('the-key') },
      ],
      policy: { rules: [{ allow: ['*/*'], to: ['*'] }] },
    })
    cleanups.push(() => gateway.close())
    const shake = async (id: string) => {
      const head = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }
      const authorization = `Bearer ${await gateway.tokenFor(id)}`
      const answer = await fetch(gateway.resource(id), {
        method: 'POST',
        headers: { ...head, authorization },
        body: JSON.stringify(HANDSHAKE),
      })
      return answer.status
    }
    // Clients of an older transport look for a 404.
    expect([await shake('elsewhere'), await shake('well')]).toEqual([404, 200])
    expect([await shake('keyless'), await shake('wrong-key')]).toEqual([502, 502])

    const { checks } = (await (await fetch(`${gateway.url}/ready`)).json()) as { checks: Check[] }
    const found = Object.fromEntries(checks.map(({ name, state, reason }) => [name, reason ?? state]))
    expect(found).toMatchObject({
      'server:elsewhere': 'no_endpoint',
      'server:keyless': 'upstream_unauthorized',
      'server:wrong-key': 'upstream_unauthorized',
      'server:well': 'up',
    })
    const told = gateway.log.filter((line) => line.includes('server down'))
    expect(told).toHaveLength(3)
    for (const line of told) expect(line).toMatch(/"remedy":"[^"]+"/)
  })
})

interface Check {
  readonly name: string
  readonly state?: string
  readonly reason?: string
}

describe('an application that kept the id of a registration that is not here', () => {
  it('brings its person to a page that says how to connect anew; one that is here brings them to the question', async () => {
    const gateway = await startGateway({ servers: [{ id: 'any', url: 'http://127.0.0.1:9/mcp' }] })
    cleanups.push(() => gateway.close())
    const client = await registerClient(gateway)
    const asked = new URL(client.authorize({ resource: gateway.resource('any'), scope: 'mcp:tools' }).url)
    expect((await createPerson(ANN).open(asked.href)).html).toContain('Allow')
    asked.searchParams.set('client_id', 'kept-from-before')
    const page = await createPerson(ANN).open(asked.href)
    expect(page.status).toBe(400)
    expect(page.location).toBeUndefined()
    expect(page.html).toContain('connect it again')
  })
})

describe('a configuration file that goes away under a running gate', () => {
  it('does not hand the gate to the quickstart, and is taken when it is back', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'portcullis-gone-'))
    cleanups.push(() => rmSync(folder, { recursive: true, force: true }))
    const file = join(folder, 'portcullis.yaml')
    const write = (...ids: string[]) =>
      writeFileSync(file, JSON.stringify({ servers: ids.map((id) => ({ id, url: 'http://127.0.0.1:9/mcp' })) }))
    write('notes')
    const listen = `127.0.0.1:${await freePort()}`
    // All that a change of would need a restart anyway is as in the quickstart.
    const gate = startCommand(['serve'], { cwd: folder, env: { PORTCULLIS_SERVER_LISTEN: listen } })
    cleanups.push(() => gate.stop())
    await gate.says(/Portcullis is ready/)
    const knock = async (id: string) => (await fetch(`http://${listen}/servers/${id}/mcp`, { method: 'POST' })).status

    rmSync(file)
    const [said] = await gate.says(/"problem":"[^"]*"/)
    expect(said).toContain(`no longer from ${file}`)
    expect([await knock('notes'), await knock('files')]).toEqual([401, 404])

    write('notes', 'more')
    await gate.says(/the new configuration is in force/)
    expect([await knock('notes'), await knock('more'), await knock('files')]).toEqual([401, 401, 404])
  })
})
