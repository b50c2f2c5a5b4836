// A new configuration takes over a running gate: validated, built, swapped; a bad one leaves the old in force and says so.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type Canary, startCanary } from '../support/canary.ts'
import { type Served, serve } from '../support/cli.ts'
import { registerClient } from '../support/client.ts'
import { ANN } from '../support/gateway.ts'
import { callTool } from '../support/mcp.ts'
import { createPerson } from '../support/person.ts'

let served: Served
let canary: Canary

beforeEach(async () => {
  canary = await startCanary()
  served = await serve(
    { servers: [{ id: 'notes', url: canary.url }], policy: { rules: [{ allow: ['*/*'], to: ['*'] }] } },
    [ANN],
  )
})
afterEach(async () => {
  await served.close()
  await canary.close()
})

const knock = async (server: string) =>
  (await fetch(`${served.url}/servers/${server}/mcp`, { method: 'POST', body: '{}' })).status

function rewrite(change: (config: Record<string, unknown>) => void): void {
  const config = JSON.parse(readFileSync(served.configFile, 'utf8')) as Record<string, unknown>
  change(config)
  writeFileSync(served.configFile, JSON.stringify(config, null, 2))
}

const addServer = (config: Record<string, unknown>) => {
  config['servers'] = [
    { id: 'notes', url: canary.url },
    { id: 'more', url: canary.url },
  ]
}

it('a changed file adds a server; a token from before still works, and the record goes on', async () => {
  const client = await registerClient({ url: served.url })
  const resource = `${served.url}/servers/notes/mcp`
  const { accessToken } = await client.signIn(createPerson(ANN), { resource, scope: 'mcp:tools' })
  expect(await knock('more')).toBe(404)
  rewrite(addServer)
  await served.says(/the new configuration is in force/)
  expect(await knock('more')).toBe(401)
  const answer = await callTool(resource, accessToken, 'read_note')
  expect(answer.status).toBe(200)
})

it('a file of rules that changes, joins or breaks is judged like the configuration', async () => {
  const folder = join(dirname(served.configFile), 'rules.d')
  mkdirSync(folder)
  writeFileSync(join(folder, 'a.yaml'), 'rules:\n  - { id: everything, allow: ["*/*"], to: ["*"] }\n')
  const client = await registerClient({ url: served.url })
  const resource = `${served.url}/servers/notes/mcp`
  const { accessToken } = await client.signIn(createPerson(ANN), { resource, scope: 'mcp:tools' })
  const reads = async () => 'result' in (await callTool(resource, accessToken, 'read_note')).body
  rewrite((config) => {
    config['policy'] = { files: ['rules.d'] }
  })
  await served.says(/the new configuration is in force/)
  expect(await reads()).toBe(true)
  writeFileSync(join(folder, 'b.yaml'), 'rules:\n  - { id: none, deny: ["notes/read_note"], to: ["*"] }\n')
  await expect.poll(reads).toBe(false)
  writeFileSync(join(folder, 'b.yaml'), 'rules:\n  - { id: none, deny: 5 }\n')
  await served.says(/is refused; the old one stays in force/)
  expect(await reads()).toBe(false)
  writeFileSync(join(folder, 'b.yaml'), 'rules: []\n')
  await expect.poll(reads).toBe(true)
})

it('SIGHUP reads the file again', async () => {
  served.child.kill('SIGHUP')
  await served.says(/the new configuration is in force/)
  expect(await knock('notes')).toBe(401)
})

it('a file that cannot be taken keeps the old configuration, names the problem, and nothing of it is taken', async () => {
  rewrite((config) => {
    addServer(config)
    config['oauth'] = { codeTtl: 'soon' }
  })
  const [line] = await served.says(/.*the new configuration is refused.*/)
  expect(line).toContain('codeTtl')
  expect([await knock('notes'), await knock('more')]).toEqual([401, 404])
})

it('a new listen address needs a restart, and says so', async () => {
  rewrite((config) => {
    addServer(config)
    config['server'] = { ...(config['server'] as object), listen: '127.0.0.1:1' }
  })
  const [line] = await served.says(/.*the new configuration is refused.*/)
  expect(line).toContain('server.listen changed. That needs a restart')
  expect([await knock('notes'), await knock('more')]).toEqual([401, 404])
})

it('a refused file leaves nothing half built behind, and a taken one mints no further administrator link', async () => {
  const spools = () => readdirSync(join(served.folder, 'data', 'spool')).length
  const before = spools()
  for (const roles of [{ a: ['user:'] }, { a: ['nobody'] }]) {
    rewrite((config) => {
      config['roles'] = roles
    })
    served.child.kill('SIGHUP')
  }
  await served.says(/the new configuration is refused[\s\S]*the new configuration is refused/)
  expect(spools()).toBe(before)
})

it('lets a call that is under way end with the old configuration', async () => {
  const client = await registerClient({ url: served.url })
  const resource = `${served.url}/servers/notes/mcp`
  const { accessToken } = await client.signIn(createPerson(ANN), { resource, scope: 'mcp:tools' })
  const calls = Array.from({ length: 20 }, () => callTool(resource, accessToken, 'read_note'))
  served.child.kill('SIGHUP')
  const answers = await Promise.all(calls)
  await served.says(/the new configuration is in force/)
  expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200))
})
