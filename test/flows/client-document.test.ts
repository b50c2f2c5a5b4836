// A client that registers nothing and shows a document (CIMD): the Inspector's command line with --client-metadata-url.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createCertificate } from '../support/certificate.ts'
import { type Served, serve } from '../support/cli.ts'
import { type Fixture, startFixture } from '../support/fixture-server.ts'
import { ANN } from '../support/gateway.ts'
import { runInspector } from '../support/inspector.ts'
import { createPerson } from '../support/person.ts'
import { freePort } from '../support/upstream.ts'

let folder: string
let fixture: Fixture
let documents: Server
let documentUrl: string
let callback: string
let served: Served
let fetches = 0

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'inspector-document-'))
  const certificate = createCertificate()
  writeFileSync(join(folder, 'ca.pem'), certificate.cert)
  const port = await freePort()
  documentUrl = `https://127.0.0.1:${port}/client.json`
  callback = `http://127.0.0.1:${await freePort()}/oauth/callback`
  documents = createServer(certificate, (_req, res) => {
    fetches++
    const document = {
      client_id: documentUrl,
      client_name: 'Inspector by document',
      redirect_uris: [callback],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    }
    res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(document))
  })
  await new Promise<void>((resolve) => documents.listen(port, '127.0.0.1', resolve))
  fixture = await startFixture()
  served = await serve(
    {
      server: { development: true },
      servers: [{ id: 'fixture', url: fixture.url }],
      policy: { rules: [{ allow: ['fixture/*'], to: ['*'] }] },
    },
    [ANN],
    { NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem') },
  )
})
afterAll(async () => {
  await served?.close()
  await fixture?.close()
  documents?.close()
  rmSync(folder, { recursive: true, force: true })
})

it('signs in with its document, registers nothing, and the consent page shows whose document it is', async () => {
  const person = createPerson(ANN)
  let consent = ''
  const watching = {
    ...person,
    follow: async (url: string) => {
      consent = (await person.open(url)).html
      return person.follow(url)
    },
  }
  const listed = await runInspector({
    url: `${served.url}/servers/fixture/mcp`,
    folder,
    callback,
    args: ['--method', 'tools/list', '--client-metadata-url', documentUrl],
    person: watching,
  })
  expect(listed.stderr).not.toMatch(/error/i)
  expect(listed.code).toBe(0)
  expect(listed.result.tools?.map((tool) => tool.name)).toContain('test_simple_text')
  expect(new URL(listed.visits[0] ?? '').searchParams.get('client_id')).toBe(documentUrl)
  expect(fetches).toBeGreaterThan(0)
  expect(consent).toContain('Inspector by document')
  expect(consent).toContain(new URL(documentUrl).host)
})
