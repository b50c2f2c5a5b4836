// What a configuration names and the machine does not have: `config check` tells all of it, with the settings and the cures. A gate with a
// program that is not there starts, serves its other servers, and says which it cannot.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, expect, it } from 'vitest'
import { startCommand } from '../support/cli.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { callTool } from '../support/mcp.ts'

const NASTY = join(import.meta.dirname, '../support/nasty-child.js')
const folder = mkdtempSync(join(tmpdir(), 'portcullis-missing-'))
const at = (name: string) => join(folder, name)
let gateway: TestGateway | undefined
afterEach(() => gateway?.close())
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const REMOTE = { id: 'remote', url: 'https://127.0.0.1:1/mcp' }
const PROGRAM = { id: 'files', command: ['no-such-mcp-server', '/srv'] }

function check(servers: readonly object[], env: Record<string, string> = {}) {
  writeFileSync(at('portcullis.json'), JSON.stringify({ servers, server: { listen: '127.0.0.1:0' } }))
  return startCommand(['config', 'check', '--config', at('portcullis.json')], { env }).ended()
}

it('`config check` tells of every file, variable and program that is not there', async () => {
  const headers = { 'X-Key': { file: './key' }, 'X-Other': { env: 'OTHER_KEY' } }
  const servers = [
    { ...REMOTE, tls: { ca: './ca.crt' }, credentials: { type: 'headers', headers } },
    PROGRAM,
    { id: 'text', command: ['./text'] },
    { id: 'away', command: ['node'], cwd: './nowhere' },
  ]
  writeFileSync(at('text'), 'text', { mode: 0o644 })
  const { code, stderr, stdout } = await check(servers)
  expect([code, stdout]).toEqual([78, ''])
  expect(stderr).toContain('6 problems')
  for (const [setting, problem, remedy] of [
    ['servers[0].tls.ca', `The file ${at('ca.crt')} cannot be read: no such file (ENOENT).`, 'Write it there'],
    ['servers[0].credentials.headers.X-Key.file', `The file ${at('key')} cannot be read`, 'Write it there'],
    ['servers[0].credentials.headers.X-Other.env', 'The variable OTHER_KEY is not set', 'Set it.'],
    ['servers[1].command', 'There is no program no-such-mcp-server on the PATH.', 'Install it'],
    ['servers[2].command', `The gate may not execute ${at('text')}.`, 'chmod +x'],
    ['servers[3].cwd', `There is no folder ${at('nowhere')}.`, 'Make it'],
  ] as const) {
    expect(stderr).toContain(setting)
    expect(stderr.slice(stderr.indexOf(problem))).toContain(remedy)
    expect(stderr).toContain(problem)
  }
})

it('`config check` is content when they are', async () => {
  const headers = { 'X-Key': { file: './key' }, 'X-Other': { env: 'OTHER_KEY' } }
  writeFileSync(at('key'), 'canary-of-the-file')
  const servers = [
    { ...REMOTE, credentials: { type: 'headers', headers } },
    { id: 'files', command: ['node', NASTY] },
  ]
  const { code, stdout, stderr } = await check(servers, { OTHER_KEY: 'canary-of-the-variable' })
  expect([code, stdout]).toEqual([0, expect.stringContaining('valid configuration')])
  expect(stdout + stderr).not.toContain('canary')
})

it('an empty file of a credential is told of as such', async () => {
  writeFileSync(at('key'), '\n')
  const credentials = { type: 'query', parameter: 'key', value: { file: './key' } }
  const { code, stderr } = await check([{ ...REMOTE, credentials }])
  expect([code, stderr]).toEqual([78, expect.stringContaining(`The file ${at('key')} is empty.`)])
})

it('a gate with a program that is not there starts, and says which', async () => {
  gateway = await startGateway({
    servers: [PROGRAM, { id: 'child', command: ['node', NASTY] }],
    metrics: { allow: ['loopback'] },
  })
  const said = gateway.log.find((line) => line.includes('cannot be started')) ?? ''
  expect(JSON.parse(said)).toMatchObject({
    server: 'files',
    setting: 'servers.files.command',
    cause: 'There is no program no-such-mcp-server on the PATH.',
    remedy: expect.stringContaining('Install it'),
  })
  expect(gateway.log.join('\n')).not.toMatch(/"server":"child".*cannot be started/)
  const ready = await (await fetch(`${gateway.url}/ready`)).json()
  expect(ready).toMatchObject({ state: 'degraded' })
  expect((ready as { checks: object[] }).checks).toContainEqual(
    expect.objectContaining({ name: 'server:files', ok: false, state: 'down', reason: 'spawn' }),
  )
  const call = async (server: string) =>
    callTool(gateway?.resource(server) ?? '', await gateway?.tokenFor(server), 'echo')
  expect(await call('child')).toMatchObject({ status: 200 })
  expect(await call('files')).toMatchObject({ status: 502 })
})
