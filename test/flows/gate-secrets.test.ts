// `portcullis secrets`: a key for a server goes into the gate's own vault, beside a running gate, and is never shown again.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { ConfigInput } from '../../src/config/schema.ts'
import { startCanary } from '../support/canary.ts'
import { runCommand, startCommand, writeConfig } from '../support/cli.ts'
import { callTool } from '../support/mcp.ts'

const SECRET = 'canary-of-the-gate-Zk3v9Qp'
const SECOND = 'canary-the-second-0Lx7RtWm'
const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function place(config: ConfigInput = {}) {
  const written = await writeConfig({ auth: { anonymous: true }, ...config })
  cleanups.push(() => rmSync(written.folder, { recursive: true, force: true }))
  const run = (words: readonly string[], input?: string) =>
    runCommand(['secrets', ...words, '--config', written.configFile], {
      cwd: written.folder,
      ...(input !== undefined && { input }),
    })
  return { ...written, run }
}

describe('portcullis secrets', () => {
  it('keeps, lists and removes, and shows no secret', async () => {
    const { run, folder } = await place()
    const kept = await run(['put', 'notes-key'], `${SECRET}\n`)
    expect([kept.code, kept.stdout]).toEqual([0, ''])
    expect(kept.stderr).toContain('Kept notes-key, version 1.')
    writeFileSync(join(folder, 'second'), SECOND)
    expect((await run(['put', 'notes-key', '--file', join(folder, 'second')])).stderr).toContain('version 2')
    rmSync(join(folder, 'second'))

    const listed = await run(['list'])
    expect(listed.stdout).toMatch(/^notes-key +version 2, changed \d{4}-\d\d-\d\d \d\d:\d\d\n$/)
    expect(JSON.parse((await run(['list', '--json'])).stdout)).toMatchObject({ name: 'notes-key', version: 2 })

    const bytes = readdirSync(join(folder, 'data'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name)).toString('latin1'))
      .join('\n')
    for (const secret of [SECRET, SECOND])
      for (const coded of [
        secret,
        Buffer.from(secret).toString('base64').slice(0, 24),
        Buffer.from(secret).toString('hex'),
      ])
        expect(bytes.includes(coded)).toBe(false)

    expect((await run(['remove', 'notes-key'])).code).toBe(0)
    const gone = await run(['remove', 'notes-key'])
    expect([gone.code, gone.stderr]).toEqual([1, expect.stringContaining('There is no secret notes-key.')])
    expect((await run(['list'])).stdout).toBe('')
  })

  it.each([
    ['an empty one', ['put', 'key'], '\n', 'The secret is empty.'],
    ['a name that is none', ['put', 'a/b'], SECRET, 'letters, digits'],
    ['a file that is not there', ['put', 'key', '--file', '/nowhere'], '', 'Cannot read the file /nowhere.'],
    ['one that is too long', ['put', 'key'], 'x'.repeat(70_000), 'longer than 65536 bytes'],
    ['a secret among the words', ['put', 'key', SECRET], '', 'too many arguments'],
  ])('refuses %s', async (_what, words, input, said) => {
    const { run } = await place()
    const { code, stderr } = await run(words, input)
    expect(code).not.toBe(0)
    expect(stderr).toContain(said)
  })
})

describe('a server whose key is in the vault', () => {
  it('starts when it is there, and is given what is put later, without a restart', async () => {
    const canary = await startCanary()
    cleanups.push(() => canary.close())
    const { run, configFile, folder, url } = await place({
      servers: [
        {
          id: 'notes',
          url: canary.url,
          credentials: { type: 'headers', headers: { 'X-Key': { vault: 'notes-key' } }, reload: '1s' },
        },
      ],
      policy: { rules: [{ allow: ['*/*'], to: ['anonymous'] }] },
    })
    const missing = await runCommand(['serve', '--config', configFile], { cwd: folder })
    expect(missing.code).not.toBe(0)
    expect(missing.stderr).toContain('portcullis secrets put notes-key')

    await run(['put', 'notes-key'], SECRET)
    const gate = startCommand(['serve', '--config', configFile], { cwd: folder })
    cleanups.push(() => gate.stop())
    await gate.says(/ready|listening/i)
    const sent = async () => {
      const { status } = await callTool(`${url}/servers/notes/mcp`, undefined, 'read_note')
      const raw = canary.requests.at(-1)?.rawHeaders ?? []
      return [status, raw[raw.indexOf('x-key') + 1]]
    }
    expect(await sent()).toEqual([200, SECRET])
    await run(['put', 'notes-key'], SECOND)
    await expect.poll(sent, { timeout: 20_000, interval: 250 }).toEqual([200, SECOND])
    await run(['remove', 'notes-key'])
    await gate.says(/a credential of a server cannot be read: the last one is used on/)
    expect(await sent()).toEqual([200, SECOND])
    expect(gate.said).not.toMatch(/canary-(?:of|the)/)
  })
})
