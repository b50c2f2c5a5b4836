// The section `vault`: what is refused, what stays hidden, and what relative paths start from.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { loadConfig } from './load.ts'
import { printConfig } from './print.ts'

const folder = mkdtempSync(join(tmpdir(), 'portcullis-vault-config-'))
afterAll(() => rmSync(folder, { recursive: true }))
const resolveHost = async (host: string) => (host.endsWith('.here') ? ['127.0.0.1'] : ['192.0.2.1'])
const KEY = randomBytes(32).toString('base64')

function load(keys: readonly object[], env: Record<string, string> = {}) {
  const file = join(folder, 'portcullis.json')
  writeFileSync(file, JSON.stringify({ vault: { keys } }, undefined, 2))
  return loadConfig({ flags: { config: file }, env, cwd: tmpdir(), resolveHost })
}
const told = (...keys: object[]) =>
  load(keys).then(
    () => 'taken',
    (error: Error) => error.message,
  )

const TRANSIT = { id: 'k', type: 'vault-transit', url: 'https://vault.example', key: 'portcullis' }
const GOOD: readonly object[] = [
  { id: 'f', type: 'file', path: 'keys/vault.key' },
  { id: 'e', type: 'env', value: KEY },
  { id: 'a', type: 'aws-kms', key: 'arn:aws:kms:eu-central-1:111122223333:key/1', region: 'eu-central-1' },
  { id: 'g', type: 'gcp-kms', key: 'projects/p/locations/l/keyRings/r/cryptoKeys/c' },
  { id: 'z', type: 'azure-key-vault', key: 'https://gate.vault.azure.net/keys/k/1' },
  { ...TRANSIT, id: 't', token: 'secret-token' },
  { ...TRANSIT, id: 'u', url: 'http://127.0.0.1:8200', tokenFile: 'agent/token' },
]

describe('vault.keys', () => {
  it('takes every kind, with its defaults, and has none where none is named', async () => {
    const { config } = await load(GOOD)
    expect(config.vault.keys.map(({ type }) => type)).toHaveLength(7)
    expect(config.vault.keys[4]).toMatchObject({ algorithm: 'RSA-OAEP-256' })
    expect(config.vault.keys[5]).toMatchObject({ mount: 'transit' })
    expect((await load([])).config.vault.keys).toEqual([])
  })

  it('reads relative paths from the folder of the file', async () => {
    const { keys } = (await load(GOOD)).config.vault
    expect(keys[0]).toMatchObject({ path: join(folder, 'keys/vault.key') })
    expect(keys[6]).toMatchObject({ tokenFile: join(folder, 'agent/token') })
  })

  it('takes a key from a variable, and never prints one', async () => {
    const keys = [{ id: 'e', type: 'env', value: '${GATE_KEY}' }, GOOD[5] ?? {}]
    const loaded = await load(keys, { GATE_KEY: KEY })
    expect(loaded.config.vault.keys[0]).toMatchObject({ value: KEY })
    const printed = printConfig(loaded)
    expect(printed).not.toContain(KEY)
    expect(printed).not.toContain('secret-token')
    expect(printed).toContain('***')
  })

  it.each<[string, object[], RegExp]>([
    ['two keys of one name', [GOOD[0] ?? {}, { ...GOOD[1], id: 'f' }], /Two keys are called f/],
    ['a kind that is not there', [{ id: 'k', type: 'fil', path: 'x' }], /no such kind.*file/s],
    ['a key in a variable that is none', [{ id: 'k', type: 'env', value: 'too-short-a-key' }], /32 random bytes/],
    ['a short resource name of Google', [{ id: 'k', type: 'gcp-kms', key: 'portcullis' }], /projects\/P\/locations/],
    ['transit without a token', [TRANSIT], /one of token and tokenFile/],
    ['transit with both', [{ ...TRANSIT, token: 't', tokenFile: 'f' }], /one of token and tokenFile/],
    ['http to another machine', [{ ...TRANSIT, url: 'http://vault.example', token: 't' }], /is http/],
    ['a name with a slash', [{ id: 'a/b', type: 'file', path: 'x' }], /Letters, digits/],
  ])('refuses %s', async (_name, keys, message) => {
    const text = await told(...keys)
    expect(text).toMatch(message)
    expect(text).not.toContain('too-short-a-key')
  })
})
