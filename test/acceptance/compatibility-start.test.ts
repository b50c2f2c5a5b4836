// What other systems are started with, given to the real program: told by name on the command line as in the environment.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { rowsOf } from '../../src/config/compatibility/rows.ts'
import { loadConfig } from '../../src/config/load.ts'
import { LATER_FLAGS } from '../../src/config/seeds-later.ts'
import { runCommand } from '../support/cli.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'portcullis-start-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const check = (...words: string[]) => runCommand(['config', 'check', ...words], { cwd: folder })
const refused = LATER_FLAGS.filter(({ refuses, example }) => refuses?.when(example))
const warned = LATER_FLAGS.filter((row) => !refused.includes(row))
const wordsOf = (rows: typeof LATER_FLAGS) => rows.map(({ flag, example }) => `--${flag}=${example}`)

describe('flags of other systems', () => {
  it('that work do so under their names, as their documentation writes them', async () => {
    const words = ['--mcp-broker-public-address=0.0.0.0:8080', '--max-request-body-size', '5242880']
    const { stdout, code } = await runCommand(['config', 'print', ...words], { cwd: folder })
    expect(code).toBe(0)
    expect(stdout).toContain('0.0.0.0:8080')
    expect(stdout).toMatch(/body: .*-max-request-body-size/)
  })

  it('that are not in force and cannot be ignored are refused, all in one message', async () => {
    expect(refused.map(({ flag }) => flag)).toContain('mcp-gateway-config')
    const { code, stderr } = await check(...wordsOf(refused))
    expect(code).toBe(78)
    for (const { flag } of refused) expect(stderr).toMatch(new RegExp(`-${flag}\\n.*Not available in this version`))
  })

  it('that are not in force are warned of', async () => {
    expect(warned.length).toBeGreaterThan(10)
    const { code, stderr } = await check(...wordsOf(warned))
    expect(code).toBe(0)
    for (const { flag } of warned) expect(stderr).toContain(`Warning: -${flag} is not available in this version`)
  })

  it('--log-level is ours, in words: a number of another system is refused by name', async () => {
    const { code, stderr } = await runCommand(['serve', '--log-level', '0'], { cwd: folder })
    expect(code).toBe(78)
    expect(stderr).toMatch(/--log-level[\s\S]*debug/)
  })
})

describe('ContextForge’s command for tokens', () => {
  const command = rowsOf('ContextForge').filter(({ kind, name }) => kind === 'flag' && / -/.test(name))
  const never = command.filter(({ here }) => here.status === 'never').map(({ name }) => name.split(' ')[1] ?? '')

  it.each(never)('%s is an unknown option', async (option) => {
    const { code, stderr } = await runCommand(['tokens', 'create', 'nightly', option], { cwd: folder })
    expect(code).not.toBe(0)
    expect(stderr).toContain(`unknown option '${option}'`)
  })

  it('has the others of ours: --user, --expires-in, --team, --scope', async () => {
    const { stdout } = await runCommand(['tokens', 'create', '--help'], { cwd: folder })
    for (const option of ['--user', '--expires-in', '--team', '--scope']) expect(stdout).toContain(option)
    const env = { PORTCULLIS_STORE_URL: `sqlite:${join(folder, 'tokens.db')}`, PORTCULLIS_STORE_DIRECTORY: folder }
    const words = ['--service', 'ci', '--expires-in', '12h', '--team', 'gate']
    const { code, stdout: secret } = await runCommand(['tokens', 'create', 'nightly', ...words], { cwd: folder, env })
    expect([code, secret]).toEqual([0, expect.stringMatching(/^pc_\S+\n$/)])
  })
})

describe('variables that are set for whole machines', () => {
  const OTEL = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector.example:4318' }

  it('are warned of, and do not turn a first start into one from the environment', async () => {
    const { source, warnings } = await loadConfig({ env: OTEL, cwd: folder })
    expect(source.kind).toBe('quickstart')
    expect(warnings.join('\n')).toContain('OTEL_EXPORTER_OTLP_ENDPOINT is not available in this version')
  })

  it('leave one that is meant for us what it is', async () => {
    const { source } = await loadConfig({ env: { ...OTEL, OAUTH_RESOURCE_NAME: 'x' }, cwd: folder })
    expect(source.kind).toBe('environment')
  })
})

describe('a Kubernetes object in place of a configuration', () => {
  it('is refused, with the settings that say the same', async () => {
    const file = join(folder, 'object.yaml')
    writeFileSync(
      file,
      'apiVersion: mcp.kuadrant.io/v1alpha1\nkind: MCPServerRegistration\nmetadata: { name: x }\nspec: { prefix: github_ }\n',
    )
    const { code, stderr } = await check(file)
    expect(code).toBe(78)
    for (const key of ['apiVersion', 'kind', 'metadata', 'spec'])
      expect(stderr).toContain(`${key} is not available in this version`)
    expect(stderr).toContain('write oauth.resource')
  })
})
