// bin/portcullis.cjs and main.mjs as processes: words in, words and exit codes out.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const BIN = join(import.meta.dirname, '../../bin/portcullis.cjs')
const cwd = mkdtempSync(join(tmpdir(), 'portcullis-bin-'))
const { PATH = '' } = process.env

function run(
  words: readonly string[],
  { env = {}, input = '' }: { env?: Record<string, string>; input?: string } = {},
) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...words], {
    cwd,
    env: { PATH, ...env },
    input,
    encoding: 'utf8',
  })
  return { status, stdout, stderr }
}

describe('portcullis', () => {
  it('runs on the pinned Node', () => {
    expect(run(['version'])).toMatchObject({ status: 0, stdout: expect.stringMatching(/^portcullis \d.*, node v24\./) })
  })

  it('ends a bad configuration with 78 and a message', () => {
    writeFileSync(join(cwd, 'bad.yaml'), 'sever: {}\n')
    const { status, stdout, stderr } = run(['config', 'check', 'bad.yaml'])
    expect([status, stdout]).toEqual([78, ''])
    expect(stderr).toContain('bad.yaml:1:1  sever\n    There is no setting "sever" here. Did you mean "server"?')
    expect(stderr).not.toMatch(/^\s+at /m)
  })

  it('judges a good one, prints it without secrets, and prints the schema', () => {
    writeFileSync(join(cwd, 'good.yaml'), 'store: { url: "postgres://gate:hunter2@db/x" }\n')
    expect(run(['config', 'check', 'good.yaml'])).toMatchObject({ status: 0, stderr: '' })
    const printed = run(['config', 'print', '--config', 'good.yaml'])
    expect(printed.stdout).toContain('postgres://gate:***@db/x # good.yaml:1:10')
    expect(JSON.parse(run(['config', 'schema']).stdout)).toHaveProperty('properties.servers')
  })

  it('takes Go-style flags and one setting at a time', () => {
    const { stdout } = run(['-port=11000', 'config', 'print', '--set', 'server.drain=5s'])
    expect(stdout).toContain('listen: 127.0.0.1:11000 # -port')
    expect(stdout).toContain('drain: 5s # --set server.drain')
  })

  it('adds a person, refuses a weak password, lists keys only when there are some, and records it', () => {
    const env = { PORTCULLIS_STORE_DIRECTORY: join(cwd, 'data'), PORTCULLIS_STORE_URL: 'sqlite:data/x.db' }
    const weak = run(['users', 'add', 'bob'], { env, input: 'short\n' })
    expect(weak).toMatchObject({ status: 1, stdout: '', stderr: expect.stringContaining('at least 15 characters') })
    const added = run(['users', 'add', 'ann', '--admin'], { env, input: 'seven green bottles on a wall\n' })
    expect(added).toMatchObject({ status: 0, stderr: 'Added administrator ann.\n' })
    expect(JSON.parse(added.stdout)).toMatchObject({ act: 'user_created' })
    expect(run(['keys', 'list'], { env })).toMatchObject({ status: 1, stderr: expect.stringContaining('no keys yet') })
    const tail = run(['audit', 'tail', '--no-follow', '--json'], { env })
    expect(tail.stdout.trim().split('\n')).toHaveLength(1)
    expect(JSON.parse(tail.stdout)).toMatchObject({ act: 'user_created', decision: 'allow', reason: 'administrator' })
  })

  it('keeps the record where audit.sink says, and reads settings before the command, too', () => {
    const env = { PORTCULLIS_STORE_DIRECTORY: join(cwd, 'own'), PORTCULLIS_STORE_URL: 'sqlite:own/x.db' }
    const add = ['users', 'add', 'cleo', '--password-file', 'password']
    writeFileSync(join(cwd, 'password'), 'seven green bottles on a wall')
    const added = run(['--set', 'audit.sink=stdout', ...add], { env })
    expect(added).toMatchObject({ status: 0, stderr: 'Added user cleo.\n' })
    expect(JSON.parse(added.stdout)).toMatchObject({ act: 'user_created' })
    expect(run(['audit', 'tail', '--no-follow', '--json'], { env }).stdout).toBe('')
  })

  it('explains its flags in the words of the reference', () => {
    const { stdout } = run(['serve', '--help'])
    const words = stdout.replace(/\s+/g, ' ')
    expect(words).toContain('--listen <host:port> `host:port` to listen on; port 0 takes a free one.')
    expect(words).toContain('--log-level <level> Least severe operational line')
    expect(words).toContain('--set <setting=value>')
    expect(run(['audit', 'tail', '--help']).stdout).not.toContain('-f, --follow')
    expect(run(['--set', 'log.level=warn', 'config', 'check', 'good.yaml'])).toMatchObject({ status: 0 })
  })

  it('passes signals on and takes the exit code over', async () => {
    const env = { PATH, PORTCULLIS_STORE_DIRECTORY: join(cwd, 'data'), PORTCULLIS_STORE_URL: 'sqlite:data/x.db' }
    const child = spawn(process.execPath, [BIN, 'audit', 'tail'], { cwd, env, stdio: ['ignore', 'pipe', 'inherit'] })
    await once(child.stdout, 'data')
    child.kill('SIGTERM')
    expect(await once(child, 'exit')).toEqual([0, null])
  })
})
