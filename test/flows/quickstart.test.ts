// The first two minutes: `npm start` in an empty folder, the link that makes the first administrator, the lines that tell
// people's clients where to connect.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Command, startCommand } from '../support/cli.ts'
import { parseForms } from '../support/forms.ts'
import { createPerson, type Person, type Visit } from '../support/person.ts'
import { createSdkHost } from '../support/sdk.ts'
import { freePort } from '../support/upstream.ts'

const FIRST = { username: 'first', password: 'eleven quiet owls in an attic' }

let folder: string
let url: string
let command: Command
let setupLink: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portcullis-quickstart-'))
  const port = await freePort()
  url = `http://localhost:${port}`
  command = startCommand(['serve'], { cwd: folder, env: { PORTCULLIS_SERVER_LISTEN: `127.0.0.1:${port}` } })
  await command.says(/ready/i)
})
afterAll(async () => {
  await command?.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** Fills every typed field by what its name asks for, and sends the form. */
function fillSetup(person: Person, visit: Visit, password = FIRST.password): Promise<Visit> {
  const form = parseForms(visit.html).find((one) => one.inputs.some((name) => /pass/i.test(name)))
  if (!form) throw new Error(`No form with a password on ${visit.url}:\n${visit.html}`)
  const value = (name: string) =>
    /pass|again/i.test(name) ? password : /mail/i.test(name) ? 'first@example.com' : FIRST.username
  return person.submit(visit, /./, Object.fromEntries(form.inputs.map((name) => [name, value(name)])))
}

it('says where it listens, how to set it up, and how clients connect', async () => {
  expect((await fetch(`${url}/ready`)).status).toBe(200)
  setupLink = (await command.says(/https?:\/\/\S*setup\S*/)).at(0) ?? ''
  expect(setupLink.startsWith(url)).toBe(true)
  expect(command.said).toMatch(new RegExp(`${url}/servers/[a-z0-9_-]+/mcp`))
  expect(command.said).not.toMatch(/^\s+at /m)
})

it('refuses a password that everyone tries, and the link still works', async () => {
  const person = createPerson(FIRST)
  const refused = await fillSetup(person, await person.open(setupLink), 'password password')
  expect(refused.status).toBeGreaterThanOrEqual(400)
  expect((await person.open(setupLink)).status).toBe(200)
})

it('makes the first administrator, once', async () => {
  const person = createPerson(FIRST)
  const done = await fillSetup(person, await person.open(setupLink))
  expect(done.status).toBeLessThan(400)
  const again = await createPerson(FIRST).open(setupLink)
  expect(again.status).toBeGreaterThanOrEqual(400)
  expect(again.html).toContain('While there is no administrator')
  expect(parseForms(again.html).some((form) => form.inputs.some((name) => /pass/i.test(name)))).toBe(false)
})

it('serves that person with the official client', async () => {
  const resource = new RegExp(`${url}/servers/[a-z0-9_-]+/mcp`).exec(command.said)?.[0] ?? ''
  const client = await createSdkHost(createPerson(FIRST)).connect(resource, 'auto')
  const { tools } = await client.listTools()
  expect(tools.length).toBeGreaterThan(0)
  await client.close()
})

it('does not show the link again to a restart that needs none', async () => {
  await command.stop()
  const port = new URL(url).port
  command = startCommand(['serve'], { cwd: folder, env: { PORTCULLIS_SERVER_LISTEN: `127.0.0.1:${port}` } })
  await command.says(/ready/i)
  expect(command.said).not.toContain('setup')
})
