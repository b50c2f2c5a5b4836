// A new key for the vault, as an operator brings it in beside a running gate: configure, rotate, take the old one out.
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import type { ConfigInput } from '../../src/config/schema.ts'
import { openStore } from '../../src/store/open.ts'
import { openVaultKeyring } from '../../src/vault/keyring.ts'
import { localKey } from '../../src/vault/kms/local.ts'
import { openVault } from '../../src/vault/vault.ts'
import { runCommand, type Served, serve } from '../support/cli.ts'
import { saying } from '../support/upstream.ts'

const PLACE = { principal: 'ann', upstream: 'github', field: 'token' }

let served: Served | undefined
afterEach(() => served?.close())

const keyOf = () => randomBytes(32).toString('base64')

async function withVault<Result>(
  gate: Served,
  keys: Record<string, string>,
  use: (vault: Awaited<ReturnType<typeof openVault>>) => Promise<Result>,
) {
  const directory = join(gate.folder, 'data')
  const store = await openStore({ url: `sqlite:${join(directory, 'portcullis.db')}`, directory })
  const { secrets } = store.durable
  const held = Object.entries(keys).map(([id, value]) => localKey(id, Buffer.from(value, 'base64')))
  const keyring = await openVaultKeyring({ keys: held, secrets, clock: Date.now })
  const needs = { secrets, keyring, clock: Date.now, tell: async () => undefined, onError: () => undefined }
  const vault = await openVault(needs)
  try {
    return await use(vault)
  } finally {
    vault.close()
    await store.close()
  }
}

it('rotates the keys of the vault beside a running gate', { timeout: 60_000 }, async () => {
  const [one, two] = [keyOf(), keyOf()]
  const gate = await serve({ vault: { keys: [{ id: 'one', type: 'env', value: one }] } })
  served = gate
  await withVault(gate, { one }, async (vault) => {
    for (let at = 0; at < 250; at++) await vault.put({ ...PLACE, field: `token-${at}` }, Buffer.from(`secret ${at}`))
  })
  const run = (...words: string[]) => runCommand([...words, '--config', gate.configFile], { cwd: gate.folder })
  const configure = (keys: NonNullable<ConfigInput['vault']>['keys'], file = gate.configFile) => {
    const config = JSON.parse(readFileSync(gate.configFile, 'utf8')) as ConfigInput
    writeFileSync(file, JSON.stringify({ ...config, vault: { keys } }))
  }
  const gateSays = async (words: RegExp, act: () => void) => {
    const said = saying(gate.child, words)
    act()
    await said
  }
  const both = [
    { id: 'two', type: 'env', value: two },
    { id: 'one', type: 'env', value: one },
  ] as const

  // Five are the gate's own: those that sign, seal and hash.
  expect((await run('keys', 'list')).stdout).toMatch(/^vault +one +known since .* seals, 255 secrets$/m)
  const clash = await run('keys', 'rotate', '--vault', '--now')
  expect([clash.code, clash.stderr]).toEqual([1, expect.stringContaining('--now is for a signing key')])

  // What no gate has read yet is not moved to.
  const elsewhere = join(gate.folder, 'elsewhere.json')
  configure([...both], elsewhere)
  const early = await runCommand(['keys', 'rotate', '--vault', '--config', elsewhere], { cwd: gate.folder })
  expect([early.code, early.stderr]).toEqual([1, expect.stringMatching(/No gate has started with two yet/)])

  await gateSays(/new configuration is in force/, () => configure([...both]))
  const rotated = await run('keys', 'rotate', '--vault')
  expect(rotated.code).toBe(0)
  expect(rotated.stderr).toMatch(/Moved 100 of 255 secrets to two\..*255 secrets moved; 255 secrets sealed with two\./s)
  expect(rotated.stderr).toMatch(/Nothing is sealed with one any more: take it out/)
  expect(rotated.stdout).toMatch(/"act":"vault_rotated".*"subject":"two"/)
  expect((await run('keys', 'list')).stdout).toMatch(/one .* opens, 0 secrets\n.*two .* seals, 255 secrets/)
  expect((await run('keys', 'rotate', '--vault')).stderr).toMatch(/0 secrets moved; 255 secrets sealed with two\./)

  // Too early in the other direction: the key that seals cannot be taken out.
  await gateSays(/lacks keys that secrets are sealed with: two/, () =>
    configure([{ id: 'one', type: 'env', value: one }]),
  )
  await gateSays(/new configuration is in force/, () => configure([{ id: 'two', type: 'env', value: two }]))
  await withVault(gate, { two }, async (vault) => {
    for (let at = 0; at < 250; at++)
      expect((await vault.get({ ...PLACE, field: `token-${at}` }))?.secret.toString()).toBe(`secret ${at}`)
  })
})
